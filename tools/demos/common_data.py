"""What the demos share: simulated data, few labels and many, and the overrides that point configs at them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import Steps, run_tool
from mmengine.fileio import dump, load

SPECTROGRAMS = ('log_mel', '--log-mel', 'reference=clip')
"""Options of ``prepare_mavd.py``: what the store holds of the sound."""


def make_data(
    steps: Steps,
    data: Path,
    store: Path,
    simulator: Sequence[str],
    modalities: Sequence[str],
    seed: int,
    workers: int,
    titles: tuple[str, str],
    settings: dict,
    name: str = '',
    sound: Sequence[str] = SPECTROGRAMS,
) -> None:
    """Simulate drives and prepare a store of them at the small networks' size.

    Args:
        steps: The demo's steps; ``simulate<name>`` and ``prepare<name>`` are added.
        data: Root of the data set.
        store: Folder of the store.
        simulator: Options of ``simulate_mavd.py``.
        modalities: Images.
        seed: Of the simulation.
        workers: Processes.
        titles: What the user reads of both steps.
        settings: See :meth:`Steps.run`.
        name: Distinguishes several data sets of a demo.
        sound: Options of ``prepare_mavd.py``: what the store holds of the sound.
    """
    shared = ('--modalities', *modalities, '--workers', workers)
    steps.run(
        f'simulate{name}',
        titles[0],
        lambda: run_tool(
            'dataset_converters/simulate_mavd.py', data, '--seed', seed, *shared, *simulator, threads=1
        ),
        **settings,
    )
    prepare = ('--scale', 96, 96, *shared, '--audio', *sound)
    steps.run(
        f'prepare{name}',
        titles[1],
        lambda: run_tool('dataset_converters/prepare_mavd.py', data, store, *prepare),
        **settings,
    )


def prepare_spectrograms(
    steps: Steps, data: Path, store: Path, workers: int, title: str, settings: dict, name: str = ''
) -> None:
    """Prepare a store of spectrograms alone, for detectors that are compared with those on acoustic images.

    Args:
        steps: The demo's steps; ``prepare_log_mel<name>`` is added.
        data: Root of the data set.
        store: Folder of the store.
        workers: Processes.
        title: What the user reads.
        settings: See :meth:`Steps.run`.
        name: Distinguishes several data sets of a demo.
    """
    options = ('--scale', 96, 96, '--modalities', '--workers', workers, '--audio', *SPECTROGRAMS)
    steps.run(
        f'prepare_log_mel{name}',
        title,
        lambda: run_tool('dataset_converters/prepare_mavd.py', data, store, *options),
        **settings,
    )


def pick_few(ann_file: Path, count: int, seed: int, out: Path) -> dict:
    """Keep the labels of some drives and forget the others.

    Args:
        ann_file: COCO json of all training frames.
        count: Frames to keep; whole drives are taken until there are as many.
        seed: Which drives.
        out: COCO json to write.

    Returns:
        Numbers of frames and boxes kept, and of all frames.
    """
    truth = load(ann_file)
    drives = sorted({image['drive'] for image in truth['images']})
    np.random.default_rng(seed).shuffle(drives)
    images = []
    for drive in drives:
        if len(images) < count:
            images += [image for image in truth['images'] if image['drive'] == drive]
    ids = {image['id'] for image in images}
    annotations = [ann for ann in truth['annotations'] if ann['image_id'] in ids]
    dump(dict(truth, images=images, annotations=annotations), out)
    return dict(frames=len(images), boxes=len(annotations), of_frames=len(truth['images']))


def label_others(
    out: Path,
    teachers: dict[str, tuple[Path, str]],
    data: Path,
    few: Path,
    score_thr: float,
    nms_iou: float,
    threads: int | None = None,
) -> dict:
    """Let teachers label the training frames whose labels were forgotten.

    Args:
        out: COCO json to write, with the kept labels and the new ones.
        teachers: Config and checkpoint by modality.
        data: Root of the data set.
        few: COCO json of the kept labels.
        score_thr: Least score of a box that becomes a label.
        nms_iou: Overlap of two boxes above which the weaker one is no label.
        threads: See :func:`run_tool`.

    Returns:
        Numbers of frames and boxes.
    """
    named = [part for modality, pair in teachers.items() for part in ('--teacher', modality, *pair)]
    frames = ('--ann-file', 'annotations/train.json', '--keep-ann-file', few, '--data-root', data)
    limits = ('--score-thr', score_thr, '--nms-iou', nms_iou)
    run_tool('dataset_converters/mavd_pseudo_labels.py', out, *named, *frames, *limits, threads=threads)
    merged = load(out)
    return dict(frames=len(merged['images']), boxes=len(merged['annotations']))


def data_options(data: Path, store: Path, train_ann: Path, seed: int) -> dict:
    """Overrides that point a config at the demo's data.

    Args:
        data: Root of the simulated data.
        store: Prepared store of it.
        train_ann: COCO json to train with.
        seed: Of the runner.

    Returns:
        Dotted keys and values.
    """
    options = {'randomness.seed': seed, 'train_dataloader.dataset.ann_file': str(train_ann.resolve())}
    for stage, split in (('train', None), ('val', 'val'), ('test', 'test')):
        loader = f'{stage}_dataloader'
        options |= {f'{loader}.dataset.data_root': str(data), f'{loader}.dataset.prepared': str(store)}
        if split is not None:
            options |= {
                f'{loader}.dataset.ann_file': f'annotations/{split}.json',
                f'{stage}_evaluator.0.ann_file': str(data / f'annotations/{split}.json'),
            }
    return options


def schedule_options(iterations: int) -> dict:
    """Overrides for a length of training, in iterations; nothing is validated on the way."""
    warm_up = min(50, iterations // 2)
    return {
        'train_cfg.max_iters': iterations,
        'default_hooks.logger.interval': max(1, min(25, iterations // 4)),
        'train_cfg.val_interval': iterations + 1,
        'param_scheduler.0.end': warm_up,
        'param_scheduler.1.begin': warm_up,
        'param_scheduler.1.end': iterations,
        'param_scheduler.1.T_max': iterations - warm_up,
    }
