"""Reading of every sample at start-up, so that what cannot be read is known before training; what is left."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from logging import INFO, WARNING
from typing import Any

from mmengine.dist import broadcast_object_list, get_dist_info
from mmengine.logging import print_log
from tqdm import tqdm

from mmav.utils.errors import SampleError, StorageError


def find_faults(data_list: Sequence[dict], read: Callable[[dict], object]) -> dict[int, str]:
    """Read every sample in threads; in distributed runs the first process does it for all.

    Number of each sample for which ``read`` raised SampleError, with the reason. A server that does not
    answer is a StorageError in every process.
    """

    def fault(info: dict) -> str | None:
        try:
            read(info)
        except StorageError:
            raise
        except SampleError as error:
            return str(error)
        return None

    rank, world_size = get_dist_info()
    answer: list[Any] = [None]
    if rank == 0:
        with ThreadPoolExecutor() as pool:
            reasons = tqdm(pool.map(fault, data_list), 'verifying', len(data_list), disable=None, leave=False)
            try:
                answer = [{number: reason for number, reason in enumerate(reasons) if reason is not None}]
            except StorageError as error:
                pool.shutdown(cancel_futures=True)
                answer = [error]
    if world_size > 1:
        broadcast_object_list(answer)
    if isinstance(answer[0], StorageError):
        raise answer[0]
    return answer[0]


def drop_faults(
    data_list: Sequence[dict], read: Callable[[dict], object], on_error: str, what: str
) -> list[dict]:
    """The samples that :func:`find_faults` finds none of; 'skip' logs the first faults, 'raise' raises them.

    ``what`` the samples are called is said in the SampleError.
    """
    faults = find_faults(data_list, read)
    reasons = list(faults.values())[:10]
    if faults and on_error == 'raise':
        raise SampleError(f'{len(faults)} of {len(data_list)} {what} cannot be used', '; '.join(reasons))
    for reason in reasons:
        print_log(f'left out: {reason}', 'current', WARNING)
    return [info for number, info in enumerate(data_list) if number not in faults]


def log_left_out(source: str, data_list: Sequence[dict], what: str, left_out: Counter[str]) -> None:
    """Log how many samples a data set has, and what was left out; SampleError if there are none."""
    listed = ', '.join(f'{number} {reason}' for reason, number in left_out.items() if number)
    text = f'{source}: {len(data_list)} {what}' + (f'; left out: {listed}' if listed else '')
    print_log(text, 'current', WARNING if listed else INFO)
    if not data_list:
        raise SampleError(source, f'no {what.removesuffix("s")} is left; left out: {listed or "none"}')
