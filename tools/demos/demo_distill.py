"""Three visual teachers, one audio student: MM-DistillNet on simulated drives.

    python tools/demos/demo_distill.py                 # minutes on 2 cores
    python tools/demos/demo_distill.py --preset tiny   # every step in miniature, to see that all works

Simulates drives with camera, thermal and depth images; trains a teacher on each from a few labeled frames;
fuses their boxes into labels of all other frames; trains a student that hears only (a) from the few labels,
(b) from these and the teachers' labels, (c) like (b) with the MTA loss, which makes its features like theirs;
tests all of them on drives that none has seen, and as trackers on longer ones. The students hear acoustic
images; one more is trained like (b) on spectrograms. Leaves ``report.html``,
``results.json`` and the checkpoints in the work folder. A stopped run carries on when called again.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from common import ROOT, JobPool, Steps, run_from_command_line, test
from common_data import Detectors, make_data, store_of
from demo_distill_report import write_distill_report
from mmengine.config import Config

from mmav.evaluation import evaluate_mean_box

TEACHERS = ('rgb', 'thermal', 'depth')
CONFIGS = {
    'few': 'avd/faster_rcnn_r18_sim_acoustic.py',
    'no_mta': 'avd/faster_rcnn_r18_sim_acoustic.py',
    'mta': 'mm_distillnet/distillnet_r18_sim_offline_acoustic.py',
    'log_mel': 'avd/faster_rcnn_r18_sim_audio.py',
    **{name: f'avd/faster_rcnn_r18_sim_{name}.py' for name in TEACHERS},
}
TRACKING = 'mm_distillnet/track_r18_sim.py'


@dataclass(frozen=True)
class Plan:
    """Sizes of a demo.

    Args:
        few: Labeled frames.
        iterations: Of each of the four students.
        teacher_iterations: Of each teacher.
        score_thr: Least score of a teacher's box that becomes a label.
        nms_iou: Overlap of two teachers' boxes above which the weaker one is no label. Below the paper's 0.5:
            detectors of few frames double their boxes, and vehicles seldom hide each other.
        simulator: Options of ``simulate_mavd.py`` for the drives to train with and to test on.
        tracks: Those for the drives to track in: ten images a second.
        maps: Frames of which activation maps are drawn.
    """

    few: int
    iterations: int
    teacher_iterations: int
    score_thr: float
    nms_iou: float
    simulator: tuple[str, ...]
    tracks: tuple[str, ...]
    maps: int


def _tracks(drives: str, frames: str) -> tuple[str, ...]:
    length = ('--frames-per-drive', frames, '--frame-interval', '0.1', '0.1')
    return ('--preset', 'demo', '--drives-per-split', '1', '1', drives, *length)


PLANS = {
    'demo': Plan(
        few=200,
        iterations=700,
        teacher_iterations=450,
        score_thr=0.5,
        nms_iou=0.3,
        simulator=('--preset', 'demo', '--drives-per-split', '300', '1', '50'),
        tracks=_tracks('12', '20'),
        maps=4,
    ),
    'tiny': Plan(
        few=8,
        iterations=4,
        teacher_iterations=4,
        score_thr=0.0,
        nms_iou=0.3,
        simulator=('--preset', 'demo', '--drives-per-split', '4', '1', '2'),
        tracks=_tracks('2', '4'),
        maps=1,
    ),
}


def track(detectors: Detectors, key: str, sense: str, checkpoint: str, drives: Path, tracker: dict) -> dict:
    """Test a detector as a tracker on the longer drives; its boxes go to ``<key>/drives.bbox.json``.

    The metrics are of the tracks alone: the frames of the drives are much alike.
    """
    truth, folder = str(drives / 'annotations/test.json'), detectors.steps.work_dir / key
    boxes = dict(type='MAVDMetric', ann_file=truth, metric='bbox', outfile_prefix=str(folder / 'drives'))
    options = {
        'randomness.seed': detectors.steps.settings['seed'],
        'test_dataloader.dataset.data_root': str(drives),
        'test_dataloader.dataset.prepared': str(
            store_of(drives, 'log_mel' if key == 'log_mel' else 'acoustic')
        ),
        'test_dataloader.dataset.ann_file': 'annotations/test.json',
        'test_evaluator': [boxes, dict(type='TrackingMetric', ann_file=truth, tracker=tracker)],
    }
    metrics = detectors.steps.run(
        f'track_{key}',
        f'7/7 test {key} by {sense} as a tracker on longer drives',
        lambda: test(detectors.configs[key], key, checkpoint, folder, options),
        tracker=tracker,
    )
    return {name: value for name, value in metrics.items() if name.startswith('tracking/')}


def run_demo(work_dir: Path, plan: Plan, seed: int, workers: int) -> dict:
    """Go through all steps; see :func:`common.run_from_command_line`."""
    steps = Steps(work_dir, seed=seed, **asdict(plan))
    detectors = Detectors(steps, CONFIGS, plan)
    data, drives, few, taught = detectors.data, work_dir / 'drives', detectors.few, detectors.taught
    short = 'drives: sound of 8 microphones, images of 3 kinds, boxes'
    make_data(steps, data, plan.simulator, TEACHERS, workers, CONFIGS['few'], short)
    longer = 'longer drives, to track in'
    make_data(steps, drives, plan.tracks, TEACHERS, workers, CONFIGS['few'], longer, '_tracks')
    counts = detectors.pick_few()
    metrics = {'floor': evaluate_mean_box(str(few), str(detectors.test_file))}
    tracker = Config.fromfile(ROOT / 'configs' / TRACKING).tracker.to_dict()

    # The jobs start in this order: (a) needs no teacher, and fills the time in which one slot is left over.
    with JobPool() as jobs:

        def start(key: str, title: str, labels: Path, iterations: int, extra: dict | None = None) -> None:
            low_priority = key in ('few', 'no_mta', 'log_mel')  # all wait for the student with the MTA loss
            arguments = (key, title, labels, iterations, extra)
            futures[key] = jobs.submit(detectors.train, *arguments, low_priority=low_priority)

        futures = {}
        for name in TEACHERS:
            start(name, f'4/7 train the {name} teacher on the few labels', few, plan.teacher_iterations)
        start('few', '6/7 train by sound (a) from the few labels', few, plan.iterations)
        teachers = {name: futures[name].result() for name in TEACHERS}
        title = '5/7 let the teachers label the other frames, together'
        labeled = detectors.label_others(title, teachers, jobs.threads)
        extra = {f'model.teachers.{name}.checkpoint': checkpoint for name, checkpoint in teachers.items()}
        for key, title, more in (
            ('mta', '(c) from all labels, with the MTA loss', extra),
            ('no_mta', '(b) from all labels', None),
            ('log_mel', '(d) from all labels, on spectrograms', None),
        ):
            start(key, f'6/7 train by sound {title}', taught, plan.iterations, more)
        # tested while the student with the MTA loss still trains
        for key in ('no_mta', 'few', *TEACHERS, 'log_mel', 'mta'):
            tested = (key, 'images' if key in TEACHERS else 'sound', futures[key].result())
            metrics[key] = detectors.test(*tested) | track(detectors, *tested, drives, tracker)
    checkpoints = {key: future.result() for key, future in futures.items()}
    student = (checkpoints['mta'], work_dir / 'mta/student.pth', '--config', work_dir / 'mta/config.py')
    title = '7/7 strip the teachers: the checkpoint that is deployed'
    steps.tool('strip', title, 'model_converters/strip_visual.py', *student, '--force')
    maps = work_dir / 'maps.png'
    networks = [
        part
        for name, key in (('RGB', 'rgb'), ('Thermal', 'thermal'), ('Depth', 'depth'), ('Student', 'mta'))
        for part in ('--network', name, work_dir / key / 'config.py', checkpoints[key])
    ]
    frames = ('--data-root', data, '--ann-file', 'annotations/test.json', '--number', plan.maps)
    # one level above P5, which has 3 x 3 cells here
    drawing = (maps, *networks, *frames, '--layer', 'backbone:1', '--force')
    steps.tool('maps', '7/7 see where teachers and student look', 'analysis/activation_map.py', *drawing)
    return steps.outcome(
        few=counts,
        labeled=labeled,
        metrics=metrics,
        checkpoints=checkpoints,
        data=str(data),
        drives=str(drives),
        tracker=tracker,
        maps=str(maps),
    )


if __name__ == '__main__':
    run_from_command_line(__doc__, 'work_dirs/demo_distill', PLANS, run_demo, write_distill_report)
