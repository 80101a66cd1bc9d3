"""What the demos of vehicles share: simulated data, few labels and many, trainings and tests on them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from common import ROOT, Steps, run_tool
from mmengine.fileio import dump, load


def make_data(
    steps: Steps,
    root: Path,
    simulator: Sequence[str],
    modalities: Sequence[str],
    workers: int,
    acoustic: str,
    what: str,
    name: str = '',
    kinds: Sequence[str] = ('acoustic', 'log_mel'),
) -> None:
    """Simulate drives, and prepare stores of their acoustic images and of their spectrograms.

    The steps' names are ``simulate<name>``, ``prepare<name>`` and ``prepare_log_mel<name>``.

    Args:
        steps: The demo's steps.
        root: Root of the data set.
        simulator: Options of ``simulate_mavd.py``.
        modalities: Images, which are brought to the size of the small networks.
        workers: Processes.
        acoustic: Config below ``configs/`` that says how acoustic images are made.
        what: What the user reads of the drives.
        name: Distinguishes several data sets of a demo.
        kinds: The stores.
    """
    converters, workers = 'dataset_converters', ('--workers', workers)
    options = ('--seed', steps.settings['seed'], '--modalities', *modalities, *workers, *simulator)
    steps.tool(
        f'simulate{name}', f'1/7 simulate {what}', f'{converters}/simulate_mavd.py', root, *options, threads=1
    )
    for step, kind, images, sound in (
        ('prepare', 'acoustic', modalities, ('acoustic_image', '--config', ROOT / 'configs' / acoustic)),
        ('prepare_log_mel', 'log_mel', (), ('log_mel', '--log-mel', 'reference=clip')),
    ):
        if kind not in kinds:
            continue
        options = ('--scale', 96, 96, '--modalities', *images, *workers, '--audio', *sound)
        title = f'2/7 prepare {what}: {kind}'
        steps.tool(
            f'{step}{name}', title, f'{converters}/prepare_mavd.py', root, store_of(root, kind), *options
        )


def store_of(root: Path, key: str) -> Path:
    """Folder of a data set's prepared store: ``log_mel`` holds spectrograms, others hold acoustic images."""
    return root.with_name(f'{root.name}_{"log_mel" if key == "log_mel" else "acoustic"}')


class Detectors:
    """Small detectors of a demo's drives, of whose training frames few keep their labels.

    Args:
        steps: The demo's steps.
        configs: Config of each detector, below ``configs/``. ``log_mel`` takes spectrograms, others take
            acoustic images.
        plan: Sizes: ``few``, ``iterations``, ``score_thr``, ``nms_iou``.
    """

    def __init__(self, steps: Steps, configs: dict[str, str], plan: object) -> None:
        self.steps, self.configs, self.plan = steps, configs, plan
        self.data = steps.work_dir / 'data'
        self.few, self.taught = (steps.work_dir / f'{name}.json' for name in ('few', 'few_and_pseudo'))
        self.train_file, self.test_file = (
            self.data / f'annotations/{split}.json' for split in ('train', 'test')
        )

    def options(self, key: str, labels: Path) -> dict:
        """Overrides that point a detector's config at the data and at the labels to train with."""
        return data_options(self.data, store_of(self.data, key), labels, self.steps.settings['seed'])

    def pick_few(self) -> dict:
        """Do the step of :func:`pick_few`."""
        title = f'3/7 keep the labels of about {self.plan.few} frames, forget the others'
        arguments = (self.train_file, self.plan.few, self.steps.settings['seed'], self.few)
        counts = self.steps.run('few', title, lambda: pick_few(*arguments))
        print(f'    {counts["frames"]} of {counts["of_frames"]} frames keep their {counts["boxes"]} boxes')
        return counts

    def train(
        self, key: str, title: str, labels: Path, iterations: int, extra: dict | None = None, **slot
    ) -> str:
        """Train a detector; see :meth:`common.Steps.train`."""
        options = self.options(key, labels) | schedule_options(iterations) | (extra or {})
        return self.steps.train(key, title, self.configs[key], options, **slot)

    def label_others(self, title: str, teachers: dict[str, str], threads: int) -> dict:
        """Do the step of :func:`label_others` with the checkpoints of the teachers of each modality."""
        pairs = {name: (self.steps.work_dir / name / 'config.py', file) for name, file in teachers.items()}
        limits = (self.plan.score_thr, self.plan.nms_iou, threads)
        labeled = self.steps.run(
            'label', title, lambda: label_others(self.taught, pairs, self.data, self.few, *limits)
        )
        print(f'    {labeled["boxes"]} boxes on {labeled["frames"]} frames, labels of the few among them')
        return labeled

    def test(self, key: str, sense: str, checkpoint: str) -> dict[str, float]:
        """Test a detector on held-out drives; its boxes go to ``<key>/test.bbox.json``."""
        options = self.options(key, self.few)
        options['test_evaluator.0.outfile_prefix'] = str(self.steps.work_dir / key / 'test')
        title = f'7/7 test {key} by {sense} on held-out drives'
        return self.steps.test(key, title, self.configs[key], checkpoint, options)


def pick_few(ann_file: Path, count: int, seed: int, out: Path) -> dict:
    """Keep the labels of ``count`` frames, in whole drives; return numbers of frames and boxes."""
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
    """Let teachers label the training frames whose labels were forgotten; return numbers of frames and boxes.

    ``out`` gets the labels of ``few`` and the new ones: boxes scored ``score_thr`` or more, of two that
    overlap by more than ``nms_iou`` the better. ``teachers`` are configs and checkpoints by modality.
    """
    named = [part for modality, pair in teachers.items() for part in ('--teacher', modality, *pair)]
    frames = ('--ann-file', 'annotations/train.json', '--keep-ann-file', few, '--data-root', data)
    limits = ('--score-thr', score_thr, '--nms-iou', nms_iou)
    run_tool('dataset_converters/mavd_pseudo_labels.py', out, *named, *frames, *limits, threads=threads)
    merged = load(out)
    return dict(frames=len(merged['images']), boxes=len(merged['annotations']))


def data_options(data: Path, store: Path, train_ann: Path, seed: int) -> dict:
    """Overrides for a demo's data, its prepared store, a COCO json to train with, and a seed."""
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
