"""How much of a training step's time is spent waiting for the loader."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from speed.distillation import build_dataset
from speed.mavd_files import write_mavd
from speed.pairs import Comparison, time_pairs
from speed.variants import Variant
from torch.utils.data import DataLoader

from .training import build


def loader_share(
    config: str,
    device: str,
    variant: Variant,
    size: int,
    batch: int,
    workers: int,
    repeats: int = 3,
    batches: int = 8,
    frames: int = 4,
) -> list[Comparison]:
    """Steps with batches that workers read from files, against the same steps with a batch at hand.

    Args:
        config: Path of a config of a detector or distiller on MAVD.
        device: Where the steps run.
        variant: Autocast's precision.
        size: Side of the network's input in pixels.
        batch: Samples of a batch.
        workers: Processes of the loader.
        repeats: Pairs.
        batches: Steps of each measurement.
        frames: Different frames on the disk, read again and again.

    Returns:
        One; its note says which share of the time the loader takes.
    """
    cfg = Config.fromfile(config)
    steps = [step for step in cfg.train_pipeline if step.type == 'LoadVisualModalities']
    modalities = tuple(steps[0].modalities) if steps else ()
    with tempfile.TemporaryDirectory(prefix='mmav_loading_') as folder:
        write_mavd(Path(folder), frames)
        dataset = build_dataset(config, Path(folder), size, modalities)
        loader = DataLoader(
            dataset,
            batch_size=batch,
            sampler=[index % len(dataset) for index in range(batches * batch)],
            num_workers=workers,
            collate_fn=pseudo_collate,
            persistent_workers=workers > 0,
        )
        step = _training_step(config, size, device, variant)
        ready = next(iter(loader))

        def loaded() -> None:
            for given in loader:
                step(given)

        def at_hand() -> None:
            for _ in range(batches):
                step(ready)

        mine, theirs = time_pairs(loaded, at_hand, repeats)
    ratio = sorted(ours / theirs for ours, theirs in zip(mine, theirs))[len(mine) // 2]
    return [
        Comparison(
            'loader-share',
            f'training step, {variant.name}',
            f'batches read from files by {workers} processes',
            'the batch at hand',
            'cost',
            ours_values=[value / batches for value in mine],
            reference_values=[value / batches for value in theirs],
            settings=dict(size=size, batch=batch, workers=workers, device=device),
            notes=[f'share of the time that the loader takes: {max(0.0, 1 - 1 / ratio):.0%}'],
        )
    ]


def _training_step(config: str, size: int, device: str, variant: Variant) -> Callable[[dict], object]:
    """Data preprocessor, forward, losses, backward, optimizer."""
    _, model, wrapper = build(config, device, options={'model.data_preprocessor.audio_size': (size, size)})

    def step(given: dict) -> None:
        with variant.context(device):
            data = model.data_preprocessor(given, True)
            losses = model(**data, mode='loss')
        wrapper.update_params(model.parse_losses(losses)[0])

    return step
