"""The rig that lies beside a data set."""

from collections.abc import Sequence

from mmengine.fileio import join_path

from mmav.structures.rig import RIG_FILE, Rig
from mmav.utils.errors import SampleError, StorageError
from mmav.utils.storage import file_exists


def read_rig(root: str, crop: Sequence[int] | None, backend_args: dict | None = None) -> dict | None:
    """Plain values of ``rig.json`` below a folder of drives; None where there is none.

    Raises:
        SampleError: If the file describes no possible rig, or one of another crop than the data set's.
    """
    path = join_path(root, RIG_FILE)
    if not file_exists(path, backend_args):
        return None
    try:
        rig = Rig.from_file(path, backend_args=backend_args)
    except StorageError:
        raise
    except ValueError as error:
        raise SampleError(path, str(error).removeprefix(f'{path}: ')) from error
    if rig.crop != crop:
        raise SampleError(
            path,
            f'crop: it is {rig.crop}, but that of the data set is {crop}; boxes refer to the cropped image: '
            'make them agree',
        )
    return rig.to_dict()
