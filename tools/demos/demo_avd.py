"""Pictures teach sound: simulated drives, a few labels, and a detector that needs no camera any more.

    python tools/demos/demo_avd.py                     # 19 minutes on 2 slow cores
    python tools/demos/demo_avd.py --preset tiny       # every step in miniature, to see that all works

Simulates drives; trains an RGB detector on a few labelled frames; lets it label the others; trains
detectors on sound alone (a) from the few labels, (b) from the few and the RGB detector's, (c) like (b) by
AVD, all on acoustic images, and (d) like (b) on spectrograms; tests them all by sound on drives that none
has seen. Leaves ``report.html``, ``results.json`` and the
checkpoints in the work folder. A stopped run carries on when called again.
"""

from concurrent.futures import Future
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
from demo_avd_report import write_demo_report

from mmav.evaluation import evaluate_mean_box

ACOUSTIC = 'avd/faster_rcnn_r18_sim_acoustic.py'
AVD = 'avd/av_faster_rcnn_r18_sim_acoustic.py'
LOG_MEL = 'avd/faster_rcnn_r18_sim_audio.py'
RGB = 'avd/faster_rcnn_r18_sim_rgb.py'


@dataclass(frozen=True)
class Plan:
    """Sizes of a demo.

    Args:
        few: Labelled frames.
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
    data, store, spectrograms = (work_dir / name for name in ('data', 'data_acoustic', 'data_log_mel'))
    few, taught = work_dir / 'few.json', work_dir / 'few_and_pseudo.json'
    truth, test_truth = data / 'annotations/train.json', data / 'annotations/test.json'
    base = dict(seed=seed, **asdict(plan))

    titles = (
        '1/7 simulate drives: sound of 8 microphones, images, boxes',
        '2/7 prepare: images at the size of the network, acoustic images',
    )
    make_data(
        steps,
        data,
        store,
        plan.simulator,
        ('rgb',),
        seed,
        workers,
        titles,
        base,
        sound=('acoustic_image', '--config', ROOT / 'configs' / ACOUSTIC),
    )
    prepare_spectrograms(steps, data, spectrograms, workers, '2/7 prepare: spectrograms', base)
    stores = dict(log_mel=spectrograms)
    counts = steps.run(
        'few',
        f'3/7 keep the labels of about {plan.few} frames, forget the others',
        lambda: pick_few(truth, plan.few, seed, few),
        **base,
    )
    print(f'    {counts["frames"]} of {counts["of_frames"]} frames keep their {counts["boxes"]} boxes')

    def train_step(
        key: str,
        title: str,
        config: str,
        ann: Path,
        iterations: int,
        extra: dict | None = None,
        patient: bool = False,
        **lane,
    ) -> str:
        options = data_options(data, stores.get(key, store), ann, seed) | schedule_options(iterations)
        options |= extra or {}
        lane['patient'] = patient
        return steps.run(
            f'train_{key}', title, lambda: train(config, key, work_dir / key, options, **lane), **base
        )

    def teach(**lane) -> tuple[str, dict]:
        title = '4/7 train the RGB detector on the few labels'
        rgb = train_step('rgb', title, RGB, few, plan.rgb_iterations, **lane)
        labelled = steps.run(
            'label',
            '5/7 let it label the other frames',
            lambda: label_others(
                taught,
                dict(rgb=(work_dir / 'rgb/config.py', rgb)),
                data,
                few,
                plan.score_thr,
                plan.nms_iou,
                lane['threads'],
            ),
            **base,
        )
        return rgb, labelled

    def listen(key: str, title: str, config: str, ann: Path, extra: dict | None = None) -> Future:
        title = f'6/7 train by sound {title}'
        # all wait for AVD in the end
        patient = key != 'avd'
        return lanes.submit(train_step, key, title, config, ann, plan.iterations, extra, patient)

    results = {'floor': evaluate_mean_box(str(few), str(test_truth))}
    configs = {'few': ACOUSTIC, 'taught': ACOUSTIC, 'avd': AVD, 'log_mel': LOG_MEL, 'rgb': RGB}
    checkpoints = {}

    def examine(key: str, checkpoint: str) -> None:
        checkpoints[key] = checkpoint
        sense = 'pictures' if key == 'rgb' else 'sound'
        options = data_options(data, stores.get(key, store), few, seed)
        options['test_evaluator.0.outfile_prefix'] = str(work_dir / key / 'test')
        results[key] = steps.run(
            f'test_{key}',
            f'7/7 test {key} by {sense} on held-out drives',
            lambda: test(configs[key], key, checkpoint, work_dir / key, options),
            **base,
        )

    # The jobs start in this order: (a) needs no teacher, AVD takes longest.
    with Lanes() as lanes:
        teaching = lanes.submit(teach)
        hears_few = listen('few', '(a) from the few labels', ACOUSTIC, few)
        rgb, labelled = teaching.result()
        print(f'    {labelled["boxes"]} boxes on {labelled["frames"]} frames, labels of the few among them')
        hears_avd = listen('avd', '(c) from all, by AVD', AVD, taught, warm_start(rgb))
        hears_taught = listen('taught', '(b) from all labels', ACOUSTIC, taught)
        hears_log_mel = listen('log_mel', '(d) from all labels, on spectrograms', LOG_MEL, taught)
        # tested while AVD still trains
        examine('taught', hears_taught.result())
        examine('few', hears_few.result())
        examine('rgb', rgb)
        examine('log_mel', hears_log_mel.result())
        examine('avd', hears_avd.result())
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
        total_seconds=steps.total_seconds(),
        metrics=results,
        checkpoints={key: checkpoints[key] for key in ('few', 'taught', 'avd', 'log_mel')},
        data=str(data),
    )


if __name__ == '__main__':
    run_from_command_line(__doc__, 'work_dirs/demo', PLANS, run_demo, write_demo_report)
