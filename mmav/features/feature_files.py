"""Files of features in the published layouts of AVE (HDF5) and LLP (a .npy file a clip).

Shapes: N clips, T seconds.
"""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmav.datasets.clip_names import H5_KEY
from mmav.utils.fileio import AtomicLocalBackend, whole_file
from mmav.utils.run_parameters import claim_folder, refuse_other_parameters

_NOTE = 'extraction.json'


class ArrayFolder:
    """A folder with an array for each clip, ``<name>.npy``, whole or absent; it depends on the parameters."""

    def __init__(self, folder: str | Path, parameters: Mapping) -> None:
        self.folder = Path(folder)
        self.parameters = dict(parameters)

    def claim(self) -> None:
        """Note the parameters in the folder; FileExistsError unless a note in place says the same."""
        claim_folder(
            self.folder / _NOTE,
            json.dumps(self.parameters, indent=1),
            'holds features made with other parameters',
        )

    def path(self, name: str) -> Path:
        """File of a clip."""
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
    import h5py

    path = Path(path)
    missing = [name for name in names if name not in source]
    if len(missing) == len(names) or (missing and not fill):
        raise ValueError(f'{source.folder} lacks {len(missing)} of {len(names)} clips: {missing[:5]}')
    with whole_file(path) as temporary, h5py.File(temporary, 'w') as file:
        data = None
        for row, name in enumerate(names):
            if name in missing:
                continue
            array = np.load(source.path(name), allow_pickle=False)
            array = array.mean((1, 2)) if spatial_mean else array
            if data is None:
                data = file.create_dataset(H5_KEY, (len(names), *array.shape), 'float32')
            if array.shape != data.shape[1:]:
                raise ValueError(f'{source.path(name)} is {array.shape}, others are {data.shape[1:]}')
            data[row] = array
        data.attrs['extraction'] = json.dumps(parameters)


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
    import h5py

    if not Path(path).exists():
        return False
    advice = 'choose another folder or remove it'
    try:
        with h5py.File(path, 'r') as file:
            found = json.loads(file[H5_KEY].attrs['extraction'])
    except (OSError, KeyError) as error:
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
