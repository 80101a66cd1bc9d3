"""Pictures teach sound: simulated drives, a few labels, and a detector that needs no camera any more.

    python tools/demos/demo_avd.py                     # about 15 minutes on 2 cores
    python tools/demos/demo_avd.py --preset tiny       # every step in miniature, to see that all works

Simulates drives; trains an RGB detector on a few labelled frames; lets it label the others; trains
detectors that hear only (a) from the few labels, (b) from the few and the RGB detector's, (c) like (b) by
AVD; tests them all by sound on drives that none has seen. Leaves ``report.html``, ``results.json`` and the
checkpoints in the work folder. A stopped run carries on when called again.
"""

import argparse
import os
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from common import Steps, run_tool, test, train
from demo_avd_report import write_demo_report
from mmengine.fileio import dump, load
from mmengine.registry import init_default_scope

from mmav.evaluation import evaluate_mean_box

AUDIO = 'avd/faster_rcnn_r18_sim_audio.py'
RGB = 'avd/faster_rcnn_r18_sim_rgb.py'
AVD = 'avd/av_faster_rcnn_r18_sim.py'


@dataclass(frozen=True)
class Plan:
    """Sizes of a demo.

    Args:
        few: Labelled frames.
        iterations: Of each of the three detectors by sound.
        rgb_iterations: Of the RGB detector.
        score_thr: Least score of an RGB box that becomes a label.
        nms_iou: Overlap of two boxes above which the weaker one is no label. Below the usual 0.5: the
            detector of few frames doubles its boxes, and vehicles seldom hide each other.
        simulator: Options of ``simulate_mavd.py``.
    """

    few: int
    iterations: int
    rgb_iterations: int
    score_thr: float
    nms_iou: float
    simulator: tuple[str, ...]


PLANS = {
    'demo': Plan(
        few=200,
        iterations=1500,
        rgb_iterations=600,
        score_thr=0.5,
        nms_iou=0.3,
        simulator=('--preset', 'demo', '--drives-per-split', '500', '1', '75'),
    ),
    'tiny': Plan(
        few=8,
        iterations=4,
        rgb_iterations=4,
        score_thr=0.0,
        nms_iou=0.3,
        simulator=('--preset', 'demo', '--drives-per-split', '4', '1', '2'),
    ),
}


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
    """Overrides that fit the schedule to a number of iterations; nothing is validated on the way."""
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


def warm_start(checkpoint: str) -> dict:
    """Overrides that give AVD the RGB detector as its visual stream."""
    parts = {
        'visual_streams.rgb.backbone': 'backbone',
        'visual_streams.rgb.neck': 'neck',
        'roi_head.visual_bbox_head': 'roi_head.bbox_head',
    }
    return {'model.init_cfg': dict(type='StrictPretrained', checkpoint=checkpoint, submodules=parts)}


def run_demo(work_dir: Path, plan: Plan, seed: int, workers: int) -> dict:
    """Go through all steps.

    Args:
        work_dir: Folder of everything the demo writes.
        plan: Sizes.
        seed: Of the simulation, of the choice of labelled frames, and of all trainings.
        workers: Processes that simulate and prepare.

    Returns:
        Metrics by detector, and what the report needs to know about the run.
    """
    steps = Steps(work_dir)
    data, store = work_dir / 'data', work_dir / 'data_96'
    few, taught = work_dir / 'few.json', work_dir / 'few_and_pseudo.json'
    truth, test_truth = data / 'annotations/train.json', data / 'annotations/test.json'
    base = dict(seed=seed, **asdict(plan))

    simulate = ('--seed', seed, '--workers', workers, '--modalities', 'rgb', *plan.simulator)
    steps.run(
        'simulate',
        '1/7 simulate drives: sound of 8 microphones, pictures, boxes',
        lambda: run_tool('dataset_converters/simulate_mavd.py', data, *simulate),
        **base,
    )
    prepare = ('--scale', 96, 96, '--modalities', 'rgb', '--audio', 'log_mel', '--workers', workers)
    steps.run(
        'prepare',
        '2/7 prepare: pictures at the size of the network, spectrograms',
        lambda: run_tool(
            'dataset_converters/prepare_mavd.py', data, store, *prepare, '--log-mel', 'reference=clip'
        ),
        **base,
    )
    counts = steps.run(
        'few',
        f'3/7 keep the labels of about {plan.few} frames, forget the others',
        lambda: pick_few(truth, plan.few, seed, few),
        **base,
    )
    print(f'    {counts["frames"]} of {counts["of_frames"]} frames keep their {counts["boxes"]} boxes')

    def train_step(
        key: str, title: str, config: str, ann: Path, iterations: int, extra: dict | None = None, **lane
    ) -> str:
        options = data_options(data, store, ann, seed) | schedule_options(iterations) | (extra or {})
        return steps.run(
            f'train_{key}', title, lambda: train(config, key, work_dir / key, options, **lane), **base
        )

    # Networks this small run no faster on more threads, so two of them train side by side.
    half = dict(threads=max(1, (os.cpu_count() or 2) // 2))
    by_ear, by_eye = dict(half, position=0), dict(half, position=1)

    def teach() -> tuple[str, dict]:
        title = '4/7 train the RGB detector on the few labels'
        rgb = train_step('rgb', title, RGB, few, plan.rgb_iterations, **by_eye)
        teacher = ('--teacher', 'rgb', work_dir / 'rgb/config.py', rgb, '--data-root', data)
        frames = ('--ann-file', 'annotations/train.json', '--keep-ann-file', few)

        def label() -> dict:
            run_tool(
                'dataset_converters/mavd_pseudo_labels.py',
                *(taught, *teacher, *frames, '--score-thr', plan.score_thr, '--nms-iou', plan.nms_iou),
                **half,
            )
            merged = load(taught)
            return dict(frames=len(merged['images']), boxes=len(merged['annotations']))

        return rgb, steps.run('label', '5/7 let it label the other frames', label, **base)

    def listen(key: str, title: str, *settings: object, **lane: object) -> Future:
        return pool.submit(train_step, key, f'6/7 train by sound {title}', *settings, plan.iterations, **lane)

    # The jobs start in this order: (a) needs no teacher, AVD takes longest.
    with ThreadPoolExecutor(2) as pool:
        teaching = pool.submit(teach)
        futures = dict(few=listen('few', '(a) from the few labels', AUDIO, few, **by_ear))
        rgb, labelled = teaching.result()
        print(f'    {labelled["boxes"]} boxes on {labelled["frames"]} frames, labels of the few among them')
        futures['avd'] = listen('avd', '(c) from all, by AVD', AVD, taught, extra=warm_start(rgb), **by_eye)
        futures['taught'] = listen('taught', '(b) from all labels', AUDIO, taught, **by_ear)
        checkpoints = {key: futures[key].result() for key in ('few', 'taught', 'avd')}
    results = {'floor': evaluate_mean_box(str(few), str(test_truth))}
    configs = {'few': AUDIO, 'taught': AUDIO, 'avd': AVD, 'rgb': RGB}
    for key, checkpoint in (checkpoints | {'rgb': rgb}).items():
        sense = 'pictures' if key == 'rgb' else 'sound'
        options = data_options(data, store, few, seed)
        options['test_evaluator.0.outfile_prefix'] = str(work_dir / key / 'test')
        results[key] = steps.run(
            f'test_{key}',
            f'7/7 test {key} by {sense} on held-out drives',
            lambda: test(configs[key], key, checkpoint, work_dir / key, options),  # noqa: B023
            **base,
        )
    stripped = work_dir / 'avd' / 'stripped.pth'
    steps.run(
        'strip',
        '7/7 strip the visual stream: the checkpoint that is deployed',
        lambda: run_tool('model_converters/strip_visual.py', checkpoints['avd'], stripped, '--force'),
        **base,
    )
    return dict(
        seed=seed,
        few=counts,
        labelled=labelled,
        seconds=steps.seconds,
        metrics=results,
        checkpoints=checkpoints,
        data=str(data),
    )


def main() -> None:
    """Run the demo and write its report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('--work-dir', type=Path, default=Path('work_dirs/demo'))
    parser.add_argument('--preset', choices=list(PLANS), default='demo')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--workers', type=int, default=2, help='processes that simulate')
    args = parser.parse_args()
    init_default_scope('mmdet')
    outcome = run_demo(args.work_dir, PLANS[args.preset], args.seed, args.workers)
    dump(outcome, args.work_dir / 'results.json', indent=2)
    write_demo_report(args.work_dir, outcome)


if __name__ == '__main__':
    main()
