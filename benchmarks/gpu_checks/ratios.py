"""The ratios of docs/benchmarks.md on a device, with the share of the measured ceilings."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from speed.acoustic_image import acoustic_image
from speed.detectors import avd_step, inference
from speed.event_localization import agta
from speed.log_mel import log_mel
from speed.pairs import Comparison
from speed.variants import FP32, VARIANTS, Variant

from .loading import loader_share

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
PAPER_CONFIG = str(CONFIGS / 'avd' / 'faster_rcnn_r50_fpn_mavd.py')
SMALL_CONFIG = str(CONFIGS / 'avd' / 'av_faster_rcnn_r18_sim.py')


@dataclass(frozen=True)
class Scale:
    """Sizes of the ratios; the defaults are the papers'.

    Attributes:
        config: Of the AVD detector.
        size: Side of its input in pixels.
        batch: Its samples.
        clips: Of the front ends.
        videos: Of AGTA.
        location_side: Rows and columns of AGTA's maps.
        channels: Of AGTA's maps.
        workers: Of the loader.
        repeats: Pairs.
        frames: On the disk, which the loader reads again and again.
        batches: Steps of each measurement with the loader.
    """

    config: str = PAPER_CONFIG
    size: int = 576
    batch: int = 8
    clips: int = 16
    videos: int = 32
    location_side: int = 7
    channels: int = 512
    workers: int = 4
    repeats: int = 7
    frames: int = 4
    batches: int = 8


TOY = Scale(
    SMALL_CONFIG,
    size=64,
    batch=1,
    clips=1,
    videos=1,
    location_side=2,
    channels=8,
    workers=0,
    repeats=1,
    frames=1,
    batches=1,
)
WITHOUT_IMAGES = tuple(variant for variant in VARIANTS if not variant.channels_last)
# which ceiling an operation of that benchmark could reach at best
CEILINGS = {'avd-step': 'convolution', 'agta': 'product', 'acoustic-image': 'copy', 'log-mel': 'copy'}


@dataclass(frozen=True)
class Measurement:
    """A benchmark on a device.

    Attributes:
        seconds: What it needs on a GPU, roughly.
        compare: Gives its comparisons in a variant.
        variants: Those that it has.
    """

    seconds: float
    compare: Callable[[Variant], list[Comparison]]
    variants: tuple[Variant, ...] = VARIANTS


def measurements(scale: Scale, device: str, threads: int) -> dict[str, Measurement]:
    """The benchmarks by name.

    Args:
        scale: Sizes.
        device: 'cuda' or 'cpu'.
        threads: Of the CPU's part.
    """
    detector = dict(
        config=scale.config,
        size=scale.size,
        batch=scale.batch,
        repeats=scale.repeats,
        threads=threads,
        device=device,
    )
    clips = dict(repeats=scale.repeats, batch=scale.clips, device=device)
    maps = dict(side=scale.location_side, channels=scale.channels)
    loading = scale.size, scale.batch, scale.workers, min(scale.repeats, 3), scale.batches, scale.frames

    def compare_agta(variant: Variant) -> list[Comparison]:
        dtypes = (torch.float32, torch.float64) if variant == FP32 else (torch.float32,)
        return agta(scale.videos, scale.repeats, threads, device, **maps, variant=variant, dtypes=dtypes)

    return {
        'avd-step': Measurement(20, lambda variant: avd_step(**detector, profiled=0, variant=variant)),
        'inference': Measurement(15, lambda _: inference(**detector), (FP32,)),
        # the front ends compute in full precision under autocast, and know no channels of images
        'acoustic-image': Measurement(
            10, lambda variant: acoustic_image(**clips, variant=variant), WITHOUT_IMAGES
        ),
        'log-mel': Measurement(5, lambda variant: log_mel(**clips, variant=variant), WITHOUT_IMAGES),
        'agta': Measurement(10, compare_agta, WITHOUT_IMAGES),
        'loader-share': Measurement(
            30, lambda variant: loader_share(scale.config, device, variant, *loading), VARIANTS[:2]
        ),
    }


def measure(measurement: Measurement, variant: Variant, device: str) -> dict[str, Any]:
    """Compare in a variant, and see how much memory both sides take.

    Args:
        measurement: One of :func:`measurements`.
        variant: One of its variants.
        device: 'cuda' or 'cpu'.

    Returns:
        ``comparisons``, and on a GPU the peak memory.
    """
    if device != 'cuda':
        return dict(comparisons=measurement.compare(variant))
    torch.cuda.reset_peak_memory_stats()
    comparisons = measurement.compare(variant)
    peak = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    return {'comparisons': comparisons, 'peak memory of both sides, GB': peak}


def figures_of(comparison: Comparison, ceilings: dict[str, float]) -> dict[str, Any]:
    """What the table shows of a comparison.

    Args:
        comparison: With ``flops`` or ``num_bytes``, where these are known.
        ceilings: From ``measure_ceilings``, of the same variant.

    Returns:
        Figures by name.
    """
    summary = comparison.summary()
    figures: dict[str, Any] = {
        'ours, ms': _short(1e3 * summary['ours_median']),
        'reference, ms': _short(1e3 * summary['reference_median']),
        'ours / reference' if comparison.kind == 'cost' else 'reference / ours': (
            f'{summary["ratio_median"]:.3g} ({summary["ratio_min"]:.3g}..{summary["ratio_max"]:.3g})'
        ),
    }
    ceiling = CEILINGS.get(comparison.benchmark)
    work = comparison.num_bytes if ceiling == 'copy' else comparison.flops
    if ceiling in ceilings and work:
        reached = work / statistics.median(comparison.ours_values)
        figures[f'share of the {ceiling} ceiling'] = _short(reached / ceilings[ceiling])
    if comparison.benchmark == 'loader-share':
        figures['waiting for the loader'] = comparison.notes[0].rpartition(' ')[2]
    return figures


def _short(value: float) -> float:
    """Four digits."""
    return float(f'{value:.4g}')
