"""The control without direction: does the detector hear where, or only that there is a vehicle?

    python tools/demos/direction_control.py            # about 10 minutes on 2 cores

Two data sets of the same drives, one with the demo's microphones (directed, ground reflection, one decibel
reference for all), one whose sound says nothing of direction: microphones that hear alike from everywhere,
no ground reflection, each microphone's own maximum as its reference. The same detector is trained by sound on
all labels of each. On the control it must stay at the floor: what its own boxes reach on another drive's
frame, which they cannot have heard. (Always giving the mean box reaches less: a detector gives many boxes.)
"""

import argparse
from pathlib import Path

import numpy as np
from common import JobPool, Steps
from common_data import data_options, schedule_options
from common_report import read_detections
from demo_avd import CONFIGS
from mmengine.fileio import dump, load
from mmengine.registry import init_default_scope

from mmav.evaluation import evaluate_detections, evaluate_mean_box
from mmav.utils.command_line import ToolParser

WORLDS = {
    'directed': dict(simulator=(), reference='clip'),
    'control': dict(simulator=('--microphones', 'omni', '--ground-reflection', 0), reference='channel'),
}


def run_control(work_dir: Path, drives: int, iterations: int, seed: int) -> dict:
    """Simulate ``drives`` of 4 frames, train and test in both worlds; metrics of floor and detectors."""
    steps = Steps(work_dir, drives=drives, iterations=iterations, seed=seed)
    test_drives = max(2, drives // 4)

    def world(name: str, threads: int, position: int) -> tuple[str, dict]:
        data, store = work_dir / name / 'data', work_dir / name / 'data_96'
        simulator, reference = WORLDS[name]['simulator'], WORLDS[name]['reference']
        simulate = ('--preset', 'demo', '--seed', seed, '--modalities', 'rgb', '--workers', threads)
        counts = ('--drives-per-split', drives, 1, test_drives)
        arguments = (data, *simulate, *counts, *simulator)
        tool = 'dataset_converters/simulate_mavd.py'
        steps.tool(f'{name}_data', f'{name}: simulate', tool, *arguments, threads=1)
        options = ('--scale', 96, 96, '--modalities', '--audio', 'log_mel', '--workers', threads)
        arguments = (data, store, *options, '--log-mel', f'reference={reference}')
        tool = 'dataset_converters/prepare_mavd.py'
        steps.tool(f'{name}_store', f'{name}: prepare', tool, *arguments)
        options = data_options(data, store, data / 'annotations/train.json', seed)
        options['model.data_preprocessor.log_mel.reference'] = reference
        options['test_evaluator.0.outfile_prefix'] = str(work_dir / name / 'test')
        options |= schedule_options(iterations)
        slot = dict(threads=threads, position=position)
        return steps.train(name, f'{name}: train by sound', CONFIGS['log_mel'], options, **slot), options

    with JobPool() as jobs:
        trained = {name: jobs.submit(world, name) for name in WORLDS}
    annotations = work_dir / 'control/data/annotations'
    results = {'floor': evaluate_mean_box(str(annotations / 'train.json'), str(annotations / 'test.json'))}
    for name, future in trained.items():
        checkpoint, options = future.result()
        results[name] = steps.test(name, f'{name}: test', CONFIGS['log_mel'], checkpoint, options)
        detections = work_dir / name / 'test.bbox.json'
        results[f'{name}, swapped'] = evaluate_swapped(detections, annotations / 'test.json')
    return results


def evaluate_swapped(detections: Path, truth: Path) -> dict[str, float]:
    """Evaluate each frame's COCO results on another drive's frame: what is left needs no audio."""
    ids = sorted(image['id'] for image in load(truth)['images'])
    found = read_detections(detections, 0)
    others = ids[len(ids) // 2 :] + ids[: len(ids) // 2]
    predictions = [
        np.array([[*one['bbox'], one['score'], 0] for one in found.get(image_id, ())]).reshape(-1, 6)
        for image_id in others
    ]
    return evaluate_detections(str(truth), predictions)


def main() -> None:
    """Run the control and print its table."""
    parser = ToolParser(__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_output('--work-dir', type=Path, default=Path('work_dirs/direction_control'))
    parser.add_argument('--drives', type=int, default=300, help='training drives of 4 frames')
    parser.add_argument('--iterations', type=int, default=900)
    parser.add_argument('--seed', type=int, default=0)
    args = parser.parse_args()
    init_default_scope('mmdet')
    results = run_control(args.work_dir, args.drives, args.iterations, args.seed)
    dump(results, args.work_dir / 'results.json', indent=2)
    print(f'\n{"":<20}{"mAP@0.5":>10}{"mAP@Avg":>10}{"CDx":>10}{"missed":>10}')
    for name, metrics in results.items():
        values = (metrics[f'mavd/{key}'] for key in ('mAP_50', 'mAP', 'CDx', 'miss_rate'))
        print(f'{name:<20}' + ''.join(f'{value:>10.1f}' for value in values))


if __name__ == '__main__':
    main()
