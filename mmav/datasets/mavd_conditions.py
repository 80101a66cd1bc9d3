"""Day or night, static or driving: what the annotations leave open, the published split lists tell."""

from mmengine.fileio import join_path

from mmav.utils.errors import SampleError
from mmav.utils.storage import file_exists

from .mavd_layout import read_split_list

CONDITIONS = dict(time_of_day=('day', 'night'), motion=('static', 'drive'))


def find_condition_list(
    root: str,
    split: str,
    time_of_day: str | None,
    motion: str | None,
    backend_args: dict | None = None,
) -> set[tuple[str, str]] | None:
    """Frames (drive, id) of a split by 'day', 'night', 'static', 'drive' (None: both) by published lists.

    None where no published list tells.
    """
    time = f'_{time_of_day}' if time_of_day else ''
    names = [f'{split}{time}_{motion}'] if motion else [f'{split}{time}_all', f'{split}{time}']
    for name in names:
        path = join_path(root, f'{name}.txt')
        if file_exists(path, backend_args):
            return set(read_split_list(path, backend_args))
    if motion and not time_of_day:
        day, night = (find_condition_list(root, split, t, motion, backend_args) for t in ('day', 'night'))
        if day is not None and night is not None:
            return day | night
    return None


def fill_conditions(data_list: list[dict], root: str, split: str, backend_args: dict | None = None) -> None:
    """Set missing ``time_of_day`` and ``motion`` of frames, in place, as far as published lists say them."""
    for key, values in CONDITIONS.items():
        unknown = [info for info in data_list if info[key] is None]
        for value in values if unknown else ():
            condition: dict[str, str | None] = {'time_of_day': None, 'motion': None, key: value}
            frames = find_condition_list(root, split, backend_args=backend_args, **condition) or ()
            for info in unknown:
                if (info['drive'], info['frame_id']) in frames:
                    info[key] = value


def keep_condition(data_list: list[dict], key: str, value: str | None, source: str) -> list[dict]:
    """Frames whose ``key`` ('time_of_day' or 'motion') has a value; None: any.

    Raises:
        SampleError: If a frame's value is unknown; the message names their ``source``.
    """
    if value is None:
        return data_list
    unknown = [info for info in data_list if info[key] is None]
    if unknown:
        raise SampleError(
            source,
            f'{key}={value!r} is asked for, but neither the annotations nor a published split list tell it '
            f'of {len(unknown)} frames, the first {unknown[0]["drive"]}/{unknown[0]["frame_id"]}',
        )
    return [info for info in data_list if info[key] == value]
