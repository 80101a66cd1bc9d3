"""Files of features in the published layouts of AVE (HDF5) and LLP (a .npy file a clip).

Shapes: N clips, T seconds.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mmav.datasets.clip_names import H5_KEY
from mmav.media.array_files import read_npy
from mmav.media.h5_array import H5Array, write_h5_array
from mmav.utils.checks import check_below
from mmav.utils.errors import SampleError
from mmav.utils.fileio import AtomicLocalBackend
from mmav.utils.run_parameters import record_parameters, refuse_other_parameters

_NOTE = 'extraction.json'


class ArrayFolder:
    """A folder with an array for each clip, ``<name>.npy``, whole or absent; it depends on the parameters."""

    def __init__(self, folder: str | Path, parameters: Mapping) -> None:
        self.folder = Path(folder)
        self.parameters = dict(parameters)

    def record_parameters(self) -> None:
        """Note the parameters in the folder; FileExistsError unless a note in place says the same."""
        record_parameters(
            self.folder / _NOTE,
            json.dumps(self.parameters, indent=1),
            'holds features made with other parameters',
        )

    def path(self, name: str) -> Path:
        """File of a clip; SampleError if its name leads out of the folder."""
        check_below(name, str(self.folder))
        return self.folder / f'{name}.npy'

    def __contains__(self, name: str) -> bool:
        return self.path(name).is_file()

    def write(self, name: str, array: np.ndarray) -> None:
        """Write the array of a clip, of any shape."""
        content = io.BytesIO()
        np.save(content, array, allow_pickle=False)
        AtomicLocalBackend().put(content.getvalue(), self.path(name))


def write_h5(
    path: str | Path,
    source: ArrayFolder,
    names: Sequence[str],
    parameters: Mapping,
    fill: bool = False,
    spatial_mean: bool = False,
) -> None:
    """Gather the arrays of clips in one HDF5 file, whole or not at all.

    Args:
        path: File to write: a data set ``avadataset`` (N, T, ...) of float32, rows in the order of the names.
            The parameters are its attribute ``extraction``.
        source: The arrays.
        names: Names of the clips; one may come twice.
        parameters: See :func:`is_written`.
        fill: Rows of zeros for clips without an array.
        spatial_mean: Write (N, T, C), means over height and width of (T, H, W, C).

    Raises:
        ValueError: If an array is missing without ``fill``, or has another shape than the others.
    """
    missing = [name for name in names if name not in source]
    if len(missing) == len(names) or (missing and not fill):
        raise ValueError(f'{source.folder} lacks {len(missing)} of {len(names)} clips: {missing[:5]}')

    def rows() -> Iterator[np.ndarray | None]:
        shape = None
        for name in names:
            if name in missing:
                yield None
                continue
            array = read_npy(str(source.path(name)))
            array = array.mean((1, 2)) if spatial_mean else array
            shape = array.shape if shape is None else shape
            if array.shape != shape:
                raise ValueError(f'{source.path(name)} is {array.shape}, others are {shape}')
            yield array

    attributes = dict(extraction=json.dumps(parameters))
    write_h5_array(path, H5_KEY, rows(), len(names), 'float32', attributes)


def is_written(path: str | Path, parameters: Mapping) -> bool:
    """Whether a file of :func:`write_h5` is there.

    Args:
        path: The file.
        parameters: What it should have been made with.

    Returns:
        False if there is no such file.

    Raises:
        FileExistsError: If the file was made with other parameters, or by another program.
    """
    if not Path(path).exists():
        return False
    advice = 'choose another folder or remove it'
    try:
        found = json.loads(H5Array(str(path), H5_KEY).attributes()['extraction'])
    except (SampleError, KeyError) as error:
        raise FileExistsError(f'{path} was not written by this program ({error}): {advice}') from error
    refuse_other_parameters(
        found,
        parameters,
        f'{path} was made with other parameters',
        advice=advice,
        error=FileExistsError,
        show_values=True,
    )
    return True
