"""Camera images supervise audio: simulated drives, a few labels, and a detector that needs no camera.

    python tools/demos/demo_avd.py                     # 19 minutes on 2 slow cores
    python tools/demos/demo_avd.py --preset tiny       # every step in miniature, to see that all works

Simulates drives; trains an RGB detector on a few labeled frames; lets it label the others; trains
detectors on sound alone (a) from the few labels, (b) from the few and the RGB detector's, (c) like (b) by
AVD, all on acoustic images, and (d) like (b) on spectrograms; tests them all by sound on drives that none
has seen. Leaves ``report.html``, ``results.json`` and the checkpoints in the work folder. A stopped run
carries on when called again.
"""

from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path

from common import JobPool, Steps, run_from_command_line
from common_data import Detectors, make_data
from demo_avd_report import write_demo_report

from mmav.evaluation import evaluate_mean_box

CONFIGS = {
    'few': 'avd/faster_rcnn_r18_sim_acoustic.py',
    'taught': 'avd/faster_rcnn_r18_sim_acoustic.py',
    'avd': 'avd/av_faster_rcnn_r18_sim_acoustic.py',
    'log_mel': 'avd/faster_rcnn_r18_sim_audio.py',
    'rgb': 'avd/faster_rcnn_r18_sim_rgb.py',
}


@dataclass(frozen=True)
class Plan:
    """Sizes of a demo.

    Args:
        few: Labeled frames.
        iterations: Of each of the four detectors by sound.
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
        iterations=700,
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


def warm_start(checkpoint: str) -> dict:
    """Overrides that give AVD the RGB detector as its visual stream."""
    parts = {
        'visual_streams.rgb.backbone': 'backbone',
        'visual_streams.rgb.neck': 'neck',
        'roi_head.visual_bbox_head': 'roi_head.bbox_head',
    }
    return {'model.init_cfg': dict(type='StrictPretrained', checkpoint=checkpoint, submodules=parts)}


def run_demo(work_dir: Path, plan: Plan, seed: int, workers: int) -> dict:
    """Go through all steps; see :func:`common.run_from_command_line`."""
    steps = Steps(work_dir, seed=seed, **asdict(plan))
    detectors = Detectors(steps, CONFIGS, plan)
    few, taught = detectors.few, detectors.taught
    what = 'drives: sound of 8 microphones, images, boxes'
    make_data(steps, detectors.data, plan.simulator, ('rgb',), workers, CONFIGS['few'], what)
    counts = detectors.pick_few()

    def train_teacher(**slot) -> tuple[str, dict]:
        title = '4/7 train the RGB detector on the few labels'
        rgb = detectors.train('rgb', title, few, plan.rgb_iterations, **slot)
        title = '5/7 let it label the other frames'
        return rgb, detectors.label_others(title, dict(rgb=rgb), slot['threads'])

    def train_by_sound(key: str, title: str, labels: Path, extra: dict | None = None) -> Future:
        # all wait for AVD in the end
        arguments = (key, f'6/7 train by sound {title}', labels, plan.iterations, extra)
        return jobs.submit(detectors.train, *arguments, low_priority=key != 'avd')

    # The jobs start in this order: (a) needs no teacher, AVD takes longest.
    with JobPool() as jobs:
        teacher = jobs.submit(train_teacher)
        futures = {'few': train_by_sound('few', '(a) from the few labels', few)}
        rgb, labeled = teacher.result()
        futures['avd'] = train_by_sound('avd', '(c) from all, by AVD', taught, warm_start(rgb))
        futures['taught'] = train_by_sound('taught', '(b) from all labels', taught)
        futures['log_mel'] = train_by_sound('log_mel', '(d) from all labels, on spectrograms', taught)
        metrics = {'floor': evaluate_mean_box(str(few), str(detectors.test_file))}
        # tested while AVD still trains
        for key in ('taught', 'few', 'rgb', 'log_mel', 'avd'):
            checkpoint = rgb if key == 'rgb' else futures[key].result()
            metrics[key] = detectors.test(key, 'images' if key == 'rgb' else 'sound', checkpoint)
    checkpoints = {key: future.result() for key, future in futures.items()}
    title = '7/7 strip the visual stream: the checkpoint that is deployed'
    files = (checkpoints['avd'], work_dir / 'avd' / 'stripped.pth', '--force')
    steps.tool('strip', title, 'model_converters/strip_visual.py', *files)
    return steps.outcome(
        few=counts, labeled=labeled, metrics=metrics, checkpoints=checkpoints, data=str(detectors.data)
    )


if __name__ == '__main__':
    run_from_command_line(__doc__, 'work_dirs/demo', PLANS, run_demo, write_demo_report)
