"""Where the time of two functions goes, by kind of operation, and how much arithmetic each does."""

import warnings
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

# Names of the profiler's events, looked for in this order.
OPERATION_GROUPS = {
    'convolution': ('convolution', 'conv2d', 'mkldnn_conv'),
    'fully connected': ('addmm', '::mm', 'linear'),
    'RoIAlign': ('roi_align', 'roialign'),
    'batch norm': ('batch_norm',),
    'non-maximum suppression': ('nms',),
    'optimizer and memory': ('zero_', 'fill_', 'empty', 'zeros'),
}


def breakdown(
    ours: Callable[[], object], reference: Callable[[], object], flops: tuple[int, int], rounds: int = 3
) -> list[str]:
    """Where the time of both goes, and how much arithmetic each does.

    Args:
        ours: A step.
        reference: A step.
        flops: Floating-point operations of both, by :func:`count_flops`.
        rounds: Profiled pairs; the least time of each kind of operation counts, as the least disturbed.

    Returns:
        Lines of a table, and the ratio of floating-point operations.
    """
    pairs = [(_times_by_group(ours), _times_by_group(reference)) for _ in range(rounds)]
    lines = [f'{"profiled, ms":26}{"ours":>10}{"reference":>12}{"difference":>12}']
    total = [0.0, 0.0]
    for name in (*OPERATION_GROUPS, 'everything else'):
        least = [min(pair[side].get(name, 0.0) for pair in pairs) for side in (0, 1)]
        total = [total[side] + least[side] for side in (0, 1)]
        lines.append(f'{name:26}{least[0]:10.1f}{least[1]:12.1f}{least[0] - least[1]:12.1f}')
    lines.append(f'{"total":26}{total[0]:10.1f}{total[1]:12.1f}{total[0] - total[1]:12.1f}')
    lines.append(
        f'arithmetic: {flops[0] / 1e9:.1f} and {flops[1] / 1e9:.1f} GFLOP in convolutions and matrix '
        f'products, ratio {flops[0] / flops[1]:.3f}'
    )
    return lines


def _times_by_group(function: Callable[[], object]) -> dict[str, float]:
    """Milliseconds by group of operations, each operation without those it calls."""
    on_gpu = torch.cuda.is_available()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if on_gpu else [])]
    with warnings.catch_warnings():
        warnings.filterwarnings('ignore', message='.*Profiler clears events')  # there is one cycle
        with profile(activities=activities) as profiler:
            function()
    times: dict[str, float] = {}
    for event in profiler.key_averages():
        name = event.key.lower()
        spent = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        groups = (g for g, words in OPERATION_GROUPS.items() if any(word in name for word in words))
        group = next(groups, 'everything else')
        times[group] = times.get(group, 0.0) + spent / 1e3
    return times


def count_flops(function: Callable[[], object]) -> int:
    """Floating-point operations of a function in convolutions and matrix products; it is run once."""
    with FlopCounterMode(display=False) as counter:
        function()
    return counter.get_total_flops()
