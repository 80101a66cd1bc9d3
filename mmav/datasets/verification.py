"""Reading of every sample at start-up, so that what cannot be read is known before training."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mmengine.dist import broadcast_object_list, get_dist_info
from tqdm import tqdm

from mmav.utils.errors import SampleError


def find_faults(data_list: Sequence[dict], read: Callable[[dict], object]) -> dict[int, str]:
    """Read every sample in threads; in distributed runs the first process does it for all.

    Number of each sample for which ``read`` raised SampleError, with the reason.
    """

    def fault(info: dict) -> str | None:
        try:
            read(info)
        except SampleError as error:
            return str(error)
        return None

    rank, world_size = get_dist_info()
    answer: list[Any] = [None]
    if rank == 0:
        with ThreadPoolExecutor() as pool:
            reasons = tqdm(pool.map(fault, data_list), 'verifying', len(data_list), disable=None, leave=False)
            answer = [{number: reason for number, reason in enumerate(reasons) if reason is not None}]
    if world_size > 1:
        broadcast_object_list(answer)
    return answer[0]
