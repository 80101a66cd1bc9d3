"""Measure what sound alone reaches with acoustic images, beside spectrograms and the camera.

    python benchmarks/study.py --list                                  the tables and their trainings
    python benchmarks/study.py --tables demo --seeds 0 1 2             hours; a stopped run carries on
    python benchmarks/study.py --preset tiny --work-dir work_dirs/tiny every step in miniature

Simulates drives, trains stock configs and tests them on drives that none has seen. What is done stands in
``<work-dir>/results.json`` after each step, and as tables in ``<work-dir>/report.md``; ``--known FILE`` takes
results of an earlier run that need not be computed again.
"""

from __future__ import annotations

import argparse
import sys
from collections import defaultdict
from concurrent.futures import Future
from dataclasses import fields
from pathlib import Path
from threading import Lock

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / 'tools' / 'demos'))  # its steps, trainings and tests

from common import JobPool, Steps, run_tool, test, train  # noqa: E402
from common_data import data_options, label_others, pick_few, schedule_options  # noqa: E402
from demo_avd import warm_start  # noqa: E402
from direction_control import evaluate_swapped  # noqa: E402
from mmengine.fileio import load  # noqa: E402
from mmengine.registry import init_default_scope  # noqa: E402
from study_data import change_data_set, copy_with_changes  # noqa: E402
from study_hearing import kinds_apart, pairs_apart  # noqa: E402
from study_plan import DATA_SETS, INPUTS, TABLES, TRACKERS, TRIALS, Trial  # noqa: E402
from study_report import write_report  # noqa: E402
from study_scenes import known_at_most, precision_by_angle  # noqa: E402

from mmav.structures import Rig  # noqa: E402
from mmav.structures.rig import RIG_FILE  # noqa: E402
from mmav.utils.command_line import ToolParser  # noqa: E402
from mmav.utils.fileio import write_json  # noqa: E402

SCORE_THR, NMS_IOU = 0.5, 0.3  # of RGB boxes that become labels, as in demo_avd.py


class Study:
    """Trials of one seed, with all that they need.

    Args:
        work_dir: Folder of everything that is written.
        seed: Of the simulation, of the choice of labeled frames, and of all trainings.
        tiny: Whether in miniature.
        workers: Processes that simulate and prepare.
    """

    def __init__(self, work_dir: Path, seed: int, tiny: bool, workers: int) -> None:
        self.folder = work_dir / f'seed_{seed}'
        self.seed, self.tiny, self.workers = seed, tiny, workers
        self.steps = Steps(self.folder)
        self._locks: defaultdict[str, Lock] = defaultdict(Lock)  # trials share steps: one of them takes each

    def run(self, name: str, **slot: int) -> dict[str, float]:
        """Train and test a trial.

        Args:
            name: Its name in :data:`TRIALS`.
            **slot: See :meth:`common.JobPool.submit`.

        Returns:
            Its metrics.
        """
        trial = TRIALS[name]
        annotations = self.data(trial.data) / 'annotations'
        if trial.untrained:
            return self._step(f'test_{name}', lambda: self._untrained(trial), trial)
        trained = name if trial.tests is None else trial.tests
        checkpoint = self.checkpoint(trained, **slot)
        if trial.swapped:
            self.run(trained, **slot)
            detections = self.folder / trained / 'test.bbox.json'
            truth = annotations / 'test.json'
            return self._step(f'test_{name}', lambda: evaluate_swapped(detections, truth), trial)
        data = self.data(trial.test_data or trial.data)
        truth = data / 'annotations/test.json'
        options = self._options(trial, data, self._labels(trial, **slot))
        prefix = str(self.folder / name / 'test')
        options['test_evaluator.0.outfile_prefix'] = prefix
        if trial.trackers:
            options = {key: value for key, value in options.items() if not key.startswith('test_evaluator')}
            options['test_evaluator'] = [
                dict(type='MAVDMetric', ann_file=str(truth), metric='bbox', outfile_prefix=prefix),
                *(
                    dict(type='TrackingMetric', ann_file=str(truth), tracker=tracker, prefix=key)
                    for key, tracker in TRACKERS.items()
                ),
            ]

        def test_it() -> dict[str, float]:
            metrics = test(trial.config, name, checkpoint, self.folder / name, options)
            return metrics | precision_by_angle(Path(f'{prefix}.bbox.json'), truth)

        return self._step(f'test_{name}', test_it, trial)

    def _untrained(self, trial: Trial) -> dict[str, float]:
        root = self.data(trial.data)
        if trial.pairs_by:
            return pairs_apart(root, trial.pairs_by)
        if trial.kind_by:
            return kinds_apart(root, trial.kind_by, self.seed)
        files = root / 'annotations/train.json', root / 'annotations/test.json'
        return known_at_most(*files, trial.known, self.seed)

    def checkpoint(self, name: str, **slot: int) -> str:
        """Train a trial's detector; see :meth:`run`."""
        trial = TRIALS[name]
        data = self.data(trial.data)
        options = self._options(trial, data, self._labels(trial, **slot))
        options |= schedule_options(4 if self.tiny else trial.iterations)
        if trial.warm_start is not None:
            options |= warm_start(self.checkpoint(trial.warm_start, **slot))
        options |= trial.overrides
        return self._step(
            f'train_{name}', lambda: train(trial.config, name, self.folder / name, options, **slot), trial
        )

    def data(self, name: str) -> Path:
        """Root of a data set, which is made if it is not there."""
        wanted = DATA_SETS[name]
        root = self.folder / 'data' / name
        source = None if wanted.source is None else self.data(wanted.source)

        def make() -> str:
            if wanted.calibrated:
                file = root.with_name(f'{name}_rig.json')
                run_tool('analysis/calibrate_array.py', source, '--out', file, '--force')
                copy_with_changes(source, root, Rig.from_file(file))
                return str(root)
            if source is not None:
                change_data_set(source, root, self.seed, **wanted.change)
                return str(root)
            options = ('--seed', self.seed, '--workers', self.workers, '--modalities', 'rgb')
            size = wanted.tiny if self.tiny else ()
            run_tool(
                'dataset_converters/simulate_mavd.py', root, *options, *wanted.simulator, *size, threads=1
            )
            return str(root)

        return Path(self._step(f'data_{name}', make, wanted))

    def _store(self, data: Path, name: str) -> Path:
        wanted = INPUTS[name]
        store = self.folder / 'stores' / f'{data.name}_{name}'
        number = len(Rig.from_file(data / RIG_FILE).microphone_positions)
        microphones = ('--dataset', f'num_microphones={number}', '--load-audio', f'num_channels={number}')
        arguments = ('--scale', 96, 96, '--workers', self.workers, *microphones, *wanted.store)

        def make() -> str:
            run_tool('dataset_converters/prepare_mavd.py', data, store, *arguments)
            return str(store)

        return Path(self._step(f'store_{data.name}_{name}', make, wanted))

    def _options(self, trial: Trial, data: Path, labels: Path) -> dict:
        options = data_options(data, self._store(data, trial.input), labels, self.seed)
        if trial.input.startswith('acoustic'):
            rig = Rig.from_file(data / RIG_FILE)
            options['model.data_preprocessor.acoustic_image.rig'] = rig.to_dict()
            for stage in ('train', 'val', 'test'):
                options[f'{stage}_dataloader.dataset.num_microphones'] = len(rig.microphone_positions)
        return options | INPUTS[trial.input].overrides

    def _labels(self, trial: Trial, **slot: int) -> Path:
        """COCO json of the training frames with the labels that a trial may see."""
        data = self.data(trial.data)
        truth = data / 'annotations/train.json'
        if trial.labels == 'full':
            return truth
        wanted = DATA_SETS[trial.data]
        few = self.folder / f'{trial.data}_few.json'
        count = 8 if self.tiny else wanted.few
        self._step(f'few_{trial.data}', lambda: pick_few(truth, count, self.seed, few), wanted)
        if trial.labels == 'few':
            return few
        taught, teacher = self.folder / f'{trial.data}_taught.json', f'{trial.data}/few/rgb'
        checkpoint = self.checkpoint(teacher, **slot)
        teachers = dict(rgb=(self.folder / teacher / 'config.py', checkpoint))
        limits = (0.0 if self.tiny else SCORE_THR, NMS_IOU)
        self._step(
            f'label_{trial.data}',
            lambda: label_others(taught, teachers, data, few, *limits, slot.get('threads')),
            TRIALS[teacher],
        )
        return taught

    def _step(self, name: str, function, settings: object) -> object:
        # only what differs from the defaults, so that a new option leaves what is done as it is
        given = {
            field.name: getattr(settings, field.name)
            for field in fields(settings)
            if getattr(settings, field.name) != getattr(type(settings)(), field.name)
        }
        settings = dict(seed=self.seed, tiny=self.tiny, settings=repr(given))
        name = name.replace('/', '_')
        with self._locks[name]:
            return self.steps.run(name, f'seed {self.seed}: {name}', function, **settings)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    parser.add_output('--work-dir', type=Path, default=Path('work_dirs/study'))
    parser.add_argument('--tables', nargs='+', choices=list(TABLES), default=list(TABLES))
    parser.add_argument('--trials', nargs='+', choices=list(TRIALS), help='these alone')
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    parser.add_argument('--preset', choices=['full', 'tiny'], default='full')
    parser.add_argument('--known', type=Path, help='results.json of an earlier run')
    parser.add_argument('--parallel', type=int, default=2, help='trainings at a time')
    parser.add_argument('--workers', type=int, default=2, help='processes that simulate')
    parser.add_argument('--list', action='store_true', help='name tables and trials, and end')
    return parser.parse_args()


def main() -> None:
    """Run what the command line asks for."""
    args = parse_args()
    names = args.trials or list(dict.fromkeys(name for table in args.tables for name in TABLES[table].trials))
    if args.list:
        for table in args.tables:
            print(f'{table}: {", ".join(TABLES[table].trials)}')
        return
    init_default_scope('mmdet')
    results_file = args.work_dir / 'results.json'
    results = {}
    for file in (args.known, results_file):
        if file is not None and file.exists():
            results |= load(file)
    with JobPool(args.parallel) as pool:
        jobs: list[tuple[str, Future]] = []
        for seed in args.seeds:
            study = Study(args.work_dir, seed, args.preset == 'tiny', args.workers)
            for name in names:
                if f'{name}@{seed}' not in results:
                    jobs.append((f'{name}@{seed}', pool.submit(study.run, name)))
        shown = {metric for table in TABLES.values() for metric in table.columns.values()}
        for key, job in jobs:
            results[key] = {name: round(value, 2) for name, value in job.result().items() if name in shown}
            write_json(results_file, results, indent=1)
            write_report(args.work_dir / 'report.md', results)
    write_report(args.work_dir / 'report.md', results)
    print(f'{args.work_dir / "report.md"} holds the tables')


if __name__ == '__main__':
    main()
