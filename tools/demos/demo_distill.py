"""Three teachers that see, one student that hears: MM-DistillNet on simulated drives.

    python tools/demos/demo_distill.py                 # minutes on 2 cores
    python tools/demos/demo_distill.py --preset tiny   # every step in miniature, to see that all works

Simulates drives with camera, thermal and depth images; trains a teacher on each from a few labelled frames;
fuses their boxes into labels of all other frames; trains a student that hears only (a) from the few labels,
(b) from these and the teachers' labels, (c) like (b) with the MTA loss, which makes its features like theirs;
tests all of them on drives that none has seen, and as trackers on longer ones. The students hear acoustic
images; one more is trained like (b) on spectrograms. Leaves ``report.html``,
``results.json`` and the checkpoints in the work folder. A stopped run carries on when called again.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from common import ROOT, Lanes, Steps, run_from_command_line, run_tool, test, train
from common_data import (
    data_options,
    label_others,
    make_data,
    pick_few,
    prepare_spectrograms,
    schedule_options,
)
from demo_distill_report import write_distill_report
from mmengine.config import Config

from mmav.evaluation import evaluate_mean_box

TEACHERS = ('rgb', 'thermal', 'depth')
# Configs by network; which labels they learn is an option (data_options).
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
        few: Labelled frames.
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


def tracking_options(data: Path, store: Path, tracker: dict, out: Path) -> dict:
    """Overrides that test a config on the drives to track in.

    Args:
        data: Root of these drives.
        store: Prepared store of them.
        tracker: Config of the tracker.
        out: Start of the names of the files with the detections.

    Returns:
        Keys and values.
    """
    truth = str(data / 'annotations/test.json')
    return {
        'test_dataloader.dataset.data_root': str(data),
        'test_dataloader.dataset.prepared': str(store),
        'test_dataloader.dataset.ann_file': 'annotations/test.json',
        'test_evaluator': [
            dict(type='MAVDMetric', ann_file=truth, metric='bbox', outfile_prefix=str(out)),
            dict(type='TrackingMetric', ann_file=truth, tracker=tracker),
        ],
    }


def deploy_and_look(
    steps: Steps, work_dir: Path, checkpoints: dict[str, str], data: Path, maps: Path, base: dict
) -> None:
    """Strip the teachers from the student's checkpoint, and draw activation maps of all.

    Args:
        steps: The demo's steps.
        work_dir: Folder of the demo.
        checkpoints: Of each network.
        data: Root of the simulated data.
        maps: Image to write.
        base: All that the results depend on.
    """
    student = work_dir / 'mta' / 'student.pth'
    steps.run(
        'strip',
        '7/7 strip the teachers: the checkpoint that is deployed',
        lambda: run_tool(
            'model_converters/strip_visual.py',
            *(checkpoints['mta'], student, '--config', work_dir / 'mta/config.py', '--force'),
        ),
        **base,
    )
    networks = [
        part
        for name, key in (('RGB', 'rgb'), ('Thermal', 'thermal'), ('Depth', 'depth'), ('Student', 'mta'))
        for part in ('--network', name, work_dir / key / 'config.py', checkpoints[key])
    ]
    frames = ('--data-root', data, '--ann-file', 'annotations/test.json', '--number', base['maps'])
    steps.run(
        'maps',
        '7/7 see where teachers and student look',
        # one level above P5, which has 3 x 3 cells here
        lambda: run_tool(
            'analysis/activation_map.py', maps, *networks, *frames, '--layer', 'backbone:1', '--force'
        ),
        **base,
    )


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
    data, store = work_dir / 'data', work_dir / 'data_acoustic'
    drives, drives_store = work_dir / 'drives', work_dir / 'drives_acoustic'
    spectrograms, drives_spectrograms = work_dir / 'data_log_mel', work_dir / 'drives_log_mel'
    few, taught = work_dir / 'few.json', work_dir / 'few_and_pseudo.json'
    truth, test_truth = data / 'annotations/train.json', data / 'annotations/test.json'
    base = dict(seed=seed, **asdict(plan))

    sound = ('acoustic_image', '--config', ROOT / 'configs' / CONFIGS['few'])
    short = 'drives: sound of 8 microphones, images of 3 kinds, boxes'
    for name, root, prepared, log_mel, simulator, what in (
        ('', data, store, spectrograms, plan.simulator, short),
        ('_tracks', drives, drives_store, drives_spectrograms, plan.tracks, 'longer drives, to track in'),
    ):
        titles = (f'1/7 simulate {what}', '2/7 prepare: images at the size of the network, acoustic images')
        make_data(steps, root, prepared, simulator, TEACHERS, seed, workers, titles, base, name, sound)
        prepare_spectrograms(steps, root, log_mel, workers, '2/7 prepare: spectrograms', base, name)
    counts = steps.run(
        'few',
        f'3/7 keep the labels of about {plan.few} frames, forget the others',
        lambda: pick_few(truth, plan.few, seed, few),
        **base,
    )
    print(f'    {counts["frames"]} of {counts["of_frames"]} frames keep their {counts["boxes"]} boxes')

    def train_step(
        key: str, title: str, ann: Path, iterations: int, extra: dict | None = None, **lane
    ) -> str:
        lane['patient'] = key in ('few', 'no_mta', 'log_mel')  # all wait for the student with the MTA loss
        prepared = spectrograms if key == 'log_mel' else store
        options = data_options(data, prepared, ann, seed) | schedule_options(iterations) | (extra or {})
        return steps.run(
            f'train_{key}', title, lambda: train(CONFIGS[key], key, work_dir / key, options, **lane), **base
        )

    results = {'floor': evaluate_mean_box(str(few), str(test_truth))}
    tracker = Config.fromfile(ROOT / 'configs' / TRACKING).tracker.to_dict()

    def examine(key: str, checkpoint: str) -> None:
        sense = 'pictures' if key in TEACHERS else 'sound'
        prepared = (spectrograms, drives_spectrograms) if key == 'log_mel' else (store, drives_store)
        options = data_options(data, prepared[0], few, seed)
        options['test_evaluator.0.outfile_prefix'] = str(work_dir / key / 'test')
        results[key] = steps.run(
            f'test_{key}',
            f'7/7 test {key} by {sense} on held-out drives',
            lambda: test(CONFIGS[key], key, checkpoint, work_dir / key, options),
            **base,
        )
        longer = tracking_options(drives, prepared[1], tracker, work_dir / key / 'drives')
        tracked = steps.run(
            f'track_{key}',
            f'7/7 test {key} by {sense} as a tracker on longer drives',
            lambda: test(CONFIGS[key], key, checkpoint, work_dir / key, {'randomness.seed': seed, **longer}),
            tracker=tracker,
            **base,
        )
        # of the longer drives the tracks alone: their frames are much alike
        results[key] |= {name: value for name, value in tracked.items() if name.startswith('tracking/')}

    # The jobs start in this order: (a) needs no teacher, and fills the time in which one lane is left over.
    with Lanes() as lanes:
        futures = {
            name: lanes.submit(
                train_step,
                name,
                f'4/7 train the {name} teacher on the few labels',
                few,
                plan.teacher_iterations,
            )
            for name in TEACHERS
        }
        title = '6/7 train by sound (a) from the few labels'
        futures['few'] = lanes.submit(train_step, 'few', title, few, plan.iterations)
        teachers = {name: futures[name].result() for name in TEACHERS}
        labelled = steps.run(
            'label',
            '5/7 let the teachers label the other frames, together',
            lambda: label_others(
                taught,
                {name: (work_dir / name / 'config.py', checkpoint) for name, checkpoint in teachers.items()},
                data,
                few,
                plan.score_thr,
                plan.nms_iou,
                lanes.threads,
            ),
            **base,
        )
        print(f'    {labelled["boxes"]} boxes on {labelled["frames"]} frames, labels of the few among them')
        extra = {f'model.teachers.{name}.checkpoint': checkpoint for name, checkpoint in teachers.items()}
        for key, title, more in (
            ('mta', '(c) from all labels, with the MTA loss', extra),
            ('no_mta', '(b) from all labels', None),
            ('log_mel', '(d) from all labels, on spectrograms', None),
        ):
            futures[key] = lanes.submit(
                train_step, key, f'6/7 train by sound {title}', taught, plan.iterations, more
            )
        # tested while the student with the MTA loss still trains
        for key in ('no_mta', 'few', *TEACHERS, 'log_mel', 'mta'):
            examine(key, futures[key].result())
    checkpoints = {key: future.result() for key, future in futures.items()}
    maps = work_dir / 'maps.png'
    deploy_and_look(steps, work_dir, checkpoints, data, maps, base)
    return dict(
        seed=seed,
        few=counts,
        labelled=labelled,
        seconds=steps.seconds,
        total_seconds=steps.total_seconds(),
        metrics=results,
        checkpoints=checkpoints,
        data=str(data),
        drives=str(drives),
        tracker=tracker,
        maps=str(maps),
    )


if __name__ == '__main__':
    run_from_command_line(__doc__, 'work_dirs/demo_distill', PLANS, run_demo, write_distill_report)
