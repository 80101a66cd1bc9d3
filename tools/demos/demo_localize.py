"""Which pixels make the sound: AVC on simulated clips, without teachers, with either, and with both.

    python tools/demos/demo_localize.py                 # some 5 minutes on 2 cores
    python tools/demos/demo_localize.py --preset tiny   # every step in miniature, to see that all works

Simulates clips in the layout of VGG-Sound and VGG-SS: things with a sound each, silent things beside them,
sounds of things that are not in the image. Trains stand-ins for the teachers, a classifier of images and
one of sounds, on a labeled list of its own; stores what they say of the clips to learn from; trains the
localizer without teachers, with the one that hears, with the one that sees, and with both (the paper's Table
2); tests them, and the last one guided by the object teacher (OG-AVC), with the clips' own and with wrong
sounds. Leaves ``report.html``, ``results.json`` and the checkpoints in the work folder. A stopped run carries
on when called again.
"""

from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from common import ROOT, JobPool, Steps, epoch_options, run_from_command_line
from demo_localize_report import BASELINES, write_localize_report
from mmengine.config import Config
from mmengine.fileio import list_from_file, load
from sound_switching import switch_sounds

CONFIGS = {
    'none': 'avc/avc_r18_sim_no_teacher.py',
    'audio': 'avc/avc_r18_sim_audio_teacher.py',
    'visual': 'avc/avc_r18_sim_visual_teacher.py',
    'both': 'avc/avc_r18_sim.py',
}
GUIDED = 'avc/og_avc_r18_sim.py'
TEACHERS = {
    'teacher_audio': 'avc/teachers/classifier_r18_sim_audio.py',
    'teacher_visual': 'avc/teachers/classifier_r18_sim_visual.py',
}


@dataclass(frozen=True)
class Plan:
    """Sizes of a demo.

    Args:
        clips: To learn from, to validate, to test, and of the teachers' labeled list.
        epochs: Of each localizer.
        teacher_epochs: Of each teacher, by name.
        shown: Clips of the report.
        loaders: Processes that load for each network; 0: it does that itself.
    """

    clips: tuple[int, int, int, int]
    epochs: int
    teacher_epochs: dict[str, int]
    shown: int
    loaders: int


PLANS = {
    'demo': Plan(
        clips=(1200, 60, 340, 400),
        epochs=12,
        teacher_epochs=dict(teacher_audio=10, teacher_visual=12),
        shown=8,
        loaders=1,
    ),
    'tiny': Plan(
        clips=(32, 2, 12, 32),
        epochs=1,
        teacher_epochs=dict(teacher_audio=1, teacher_visual=1),
        shown=2,
        loaders=0,
    ),
}


def list_by_things(data: Path) -> dict[str, int]:
    """List the test clips with one thing, ``alone.txt``, and with a silent one, too, ``distracted.txt``."""
    tested = set(list_from_file(data / 'test.txt'))
    lists = defaultdict(list)
    for clip in load(data / 'truth.json'):
        if clip['file'] in tested:
            if not all(thing['sounding'] for thing in clip['objects']):
                lists['distracted'].append(clip['file'])
            elif len(clip['objects']) == 1:
                lists['alone'].append(clip['file'])
    for name, stems in lists.items():
        (data / f'{name}.txt').write_text(''.join(f'{stem}\n' for stem in stems))
    return {name: len(stems) for name, stems in lists.items()}


def config_options(config: str, data: Path, store: Path, seed: int, epochs: int, loaders: int) -> dict:
    """Overrides that point a config at the demo's clips and at the store of the teachers' embeddings."""
    pipeline = Config.fromfile(ROOT / 'configs' / config).train_dataloader.dataset.pipeline
    stores = {
        f'train_dataloader.dataset.pipeline.{place}.store': str(store)
        for place, step in enumerate(pipeline)
        if step['type'] == 'LoadTeacherEmbeddings'
    }
    options = epoch_options(data, seed, epochs, loaders=loaders) | stores
    return options | {
        'param_scheduler.1.T_max': epochs,
        'default_hooks.checkpoint.interval': max(1, epochs // 3),
    }


def test_options(config: str, data: Path) -> dict:
    """Overrides that test with own and wrong sounds, and with clips that do not show what sounds."""
    own = Config.fromfile(ROOT / 'configs' / config).test_dataloader.dataset.to_dict()
    own.update(data_root=str(data), split_file='test.txt')
    offscreen = dict(
        type='VGGSoundDataset',
        data_root=str(data),
        split_file='offscreen.txt',
        test_mode=True,
        pipeline=own['pipeline'],
    )
    both = [dict(type='NegativeSoundDataset', dataset=own), offscreen]
    dataset = dict(_delete_=True, type='ConcatDataset', ignore_keys=['classes'], datasets=both)
    return {'test_dataloader.dataset': dataset}


def run_demo(work_dir: Path, plan: Plan, seed: int, workers: int) -> dict:
    """Go through all steps; see :func:`common.run_from_command_line`."""
    steps = Steps(work_dir, seed=seed, **asdict(plan))
    data, store = (work_dir / 'data').resolve(), (work_dir / 'teachers').resolve()
    simulate = (data, '--preset', 'small', '--seed', seed, '--workers', workers, '--clips', *plan.clips)
    title = '1/6 simulate clips: images, sounds, boxes of what sounds'
    steps.tool('simulate', title, 'dataset_converters/simulate_clips.py', *simulate)
    counts = steps.run('lists', '1/6 list what the test clips show', lambda: list_by_things(data))
    metrics = {}

    def options_of(config: str, epochs: int = plan.epochs) -> dict:
        return config_options(config, data, store, seed, epochs, plan.loaders)

    def test_localizer(key: str, config: str, checkpoint: str, extra: dict) -> None:
        title, options = f'5/6 test {key}: with own sounds and wrong ones', options_of(config)
        options |= test_options(config, data) | extra
        metrics[key] = steps.test(key, title, config, checkpoint, options)
        arguments = (config, checkpoint, extra, data, work_dir / key / 'maps.npz', plan.shown)
        title = f'6/6 let {key} hear the thing that is silent'
        metrics[key] |= steps.run(f'switch_{key}', title, lambda: switch_sounds(*arguments))

    with JobPool() as jobs:

        def start(key: str, title: str, config: str, epochs: int = plan.epochs) -> None:
            futures[key] = jobs.submit(steps.train, key, title, config, options_of(config, epochs))

        futures, title = {}, '4/6 train the localizer with {}'
        for name, config in TEACHERS.items():
            start(name, f'2/6 train {name} on the labeled list', config, plan.teacher_epochs[name])
        start('none', title.format('no teacher'), CONFIGS['none'])
        teachers = {name: futures[name].result() for name in TEACHERS}
        weights = (f'teachers.{name[8:]}.init_cfg.checkpoint={teachers[name]}' for name in TEACHERS)
        steps.tool(
            'extract',
            '3/6 store what the teachers say of the clips to learn from',
            'extract_teacher_embeddings.py',
            *(ROOT / 'configs' / CONFIGS['both'], store, '--num-workers', plan.loaders),
            *('--cfg-options', *weights, f'train_dataloader.dataset.data_root={data}'),
            threads=jobs.threads,
        )
        for key in ('audio', 'visual', 'both'):
            start(key, title.format('both teachers' if key == 'both' else f'the {key} teacher'), CONFIGS[key])
        # tested while others still train
        for name, shown in (('teacher_audio', 'test.txt'), ('teacher_visual', 'alone.txt')):
            options = options_of(TEACHERS[name]) | {'test_dataloader.dataset.split_file': shown}
            title = f'5/6 test {name} on {shown}'
            metrics[name] = steps.test(name, title, TEACHERS[name], teachers[name], options)
        for key, config in CONFIGS.items():
            test_localizer(key, config, futures[key].result(), {})
    checkpoints = {key: future.result() for key, future in futures.items()}
    guide = {'model.object_model.checkpoint': teachers['teacher_visual']}
    test_localizer('guided', GUIDED, checkpoints['both'], guide)
    for name in BASELINES:  # the metric makes them beside each model's figures
        start_of = f'ciou/{name}/'
        metrics[name] = {
            key.replace(start_of, 'ciou/'): value
            for key, value in metrics['none'].items()
            if key.startswith(start_of)
        }
    return steps.outcome(
        clips=plan.clips,
        shown=plan.shown,
        counts=counts,
        metrics=metrics,
        checkpoints=checkpoints,
        data=str(data),
    )


if __name__ == '__main__':
    run_from_command_line(__doc__, 'work_dirs/demo_localize', PLANS, run_demo, write_localize_report)
