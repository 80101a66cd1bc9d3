"""Benchmark of distillation: what teachers that label on line cost beside labels from a file.

Shapes: B samples, S side of the network's square input in pixels.
"""

import copy
import io
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from mmdet.registry import DATASETS, MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import nn
from torch.utils.data import Dataset

from .mavd_files import write_mavd
from .pairs import Comparison, pinned_threads, time_pairs

LABELS = 4  # a sample, on average
ANNOTATIONS = 'annotations/train.json'


def build_distiller(config: str, size: int, device: str = 'cpu', options: dict | None = None) -> nn.Module:
    """Build a distiller from scratch, its teachers untrained: what they find does not matter here.

    Args:
        config: Path of the config of a distiller that labels on line.
        size: S, in pixels.
        device: Where it lives.
        options: Settings of the config to override, by dotted key.

    Returns:
        In training mode.
    """
    torch.manual_seed(0)
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(options or {})
    cfg.model.update(init_cfg=None, allow_untrained_teachers=True)
    cfg.model.data_preprocessor.audio_size = (size, size)
    distiller = MODELS.build(cfg.model)
    distiller.init_weights()
    return distiller.to(device).train()


def build_dataset(config: str, root: Path, size: int, modalities: Sequence[str]) -> Dataset:
    """The training data of the config over the files of ``write_mavd``, without labels.

    Args:
        config: Path of the config of a distiller that labels on line.
        root: Folder of the files.
        size: S, in pixels.
        modalities: Images to load.

    Returns:
        Yields what a loader collates.
    """
    cfg = Config.fromfile(config)
    pipeline = []
    for step in cfg.train_pipeline:
        if step.type == 'ResizeModalities':
            step.scale = (size, size)
        if step.type == 'LoadVisualModalities':
            step.modalities = tuple(modalities)
        if step.type != 'MirrorFlip' and (modalities or step.type != 'LoadVisualModalities'):
            pipeline.append(step)
    settings = dict(cfg.train_dataloader.dataset, data_root=str(root), pipeline=pipeline)
    with redirect_stdout(io.StringIO()):  # pycocotools tells of its index
        return DATASETS.build(dict(settings, ann_file=ANNOTATIONS, split_file=None, audio_ext='wav'))


def read(dataset: Dataset) -> dict:
    """Read all samples and collate them, as a loader does."""
    return pseudo_collate([dataset[i] for i in range(len(dataset))])


def label_offline(distiller: nn.Module, batch: dict) -> list[DetDataSample]:
    """Label a batch by the teachers, with a threshold that leaves as many labels as roads have vehicles.

    Args:
        distiller: Its threshold is set.
        batch: From :func:`read`, with images.

    Returns:
        The samples with ground truth, as a file of labels would give them.
    """
    data = distiller.data_preprocessor(batch, True)
    _, found = distiller.teachers(data['inputs'], data['data_samples'], {}, predict=True)
    distiller.pseudo_labels['score_thr'] = 0.0
    every = [boxes.scores for predictions in found.values() for boxes in predictions]
    scores = torch.cat(every).sort(descending=True).values
    wanted = LABELS * len(data['data_samples'])
    distiller.pseudo_labels['score_thr'] = float(scores[min(wanted, len(scores)) - 1])
    return distiller.label(found, data['data_samples'])


def training_steps(
    distiller: nn.Module, everything: Callable[[], dict], sound: Callable[[], dict]
) -> dict[str, Callable[[], dict]]:
    """The step with each way to come by labels: data preprocessor, forward, losses, backward.

    Args:
        distiller: From :func:`build_distiller`.
        everything: Gives a batch as a loader does, sound and images.
        sound: Gives the same batch without images.

    Returns:
        By name a function that returns its losses. 'online': teachers label and give features;
        'features': labels are at hand, teachers give features; 'labels': labels are at hand, no teacher.
    """
    labeled = label_offline(distiller, everything())
    thresholds = distiller.pseudo_labels

    def step(batch: dict, labels: list[DetDataSample] | None, teachers: bool) -> dict:
        distiller.zero_grad(set_to_none=True)
        data = distiller.data_preprocessor(batch, True)
        torch.manual_seed(2)  # the same drop paths and RoIs
        distiller.pseudo_labels = thresholds if labels is None else None
        samples = labels or data['data_samples']
        if teachers:
            losses = distiller.loss(data['inputs'], samples)
        else:
            losses = distiller.student.loss(data['inputs']['audio'], samples)
        distiller.parse_losses(losses)[0].backward()
        return losses

    return dict(
        online=lambda: step(everything(), None, True),
        features=lambda: step(everything(), labeled, True),
        labels=lambda: step(sound(), labeled, False),
    )


def check_same_losses(steps: dict[str, Callable[[], dict]]) -> str:
    """Make sure that all three steps train on the same labels and features.

    Raises:
        AssertionError: If they differ.
    """
    losses = {name: step() for name, step in steps.items()}
    if not losses['online']['pseudo_labels_per_frame'] > 0:
        raise AssertionError('the teachers find nothing to label')
    for name in ('features', 'labels'):
        for key, value in losses[name].items():
            torch.testing.assert_close(losses['online'][key], value, rtol=1e-5, atol=1e-6)
    return f'{", ".join(sorted(losses["features"]))}'


def distill_step(
    config: str,
    size: int = 768,
    batch: int = 1,
    repeats: int = 3,
    threads: int = 1,
    device: str = 'cpu',
    options: dict | None = None,
) -> list[Comparison]:
    """The training step with labels from a file against teachers that label on line.

    Args:
        config: Path of the config of a distiller that labels on line.
        size: Side of the input in pixels.
        batch: Samples.
        repeats: Pairs.
        threads: Threads.
        device: Where it runs.
        options: Settings of the config to override, by dotted key.

    Returns:
        Labels from a file alone, and with the teachers' features; each with the batch at
        hand, and with its loading.
    """
    cases = dict(
        labels=('labels from a file, no teacher', 2.0),
        features=('labels from a file, features of the teachers on line', None),
    )
    results = []
    with pinned_threads(threads), TemporaryDirectory() as folder:
        write_mavd(Path(folder), batch)
        distiller = build_distiller(config, size, device, options)
        sources = [
            partial(read, build_dataset(config, Path(folder), size, modalities))
            for modalities in (tuple(distiller.teachers), ())
        ]
        ready = [source() for source in sources]
        for what, given in (
            ('tensors at hand', [partial(copy.copy, batch) for batch in ready]),
            ('with the loading from files, in one process', sources),
        ):
            steps = training_steps(distiller, *given)
            checked = check_same_losses(steps)
            for name, (ours, target) in cases.items():
                # the check warms up
                mine, theirs = time_pairs(steps[name], steps['online'], repeats, warm_up=0)
                results.append(
                    Comparison(
                        'distill-step',
                        f'training step, {what}',
                        ours,
                        f'{len(distiller.teachers)} teachers label on line and give features',
                        'gain',
                        target=target,
                        ours_values=mine,
                        reference_values=theirs,
                        settings=dict(
                            size=size,
                            batch=batch,
                            threads=threads,
                            device=device,
                            **(options or {}),
                        ),
                        checked=checked,
                    )
                )
    return results
