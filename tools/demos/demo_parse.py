"""Parse videos into events that are heard, seen, or both: HAN and what was added to it, on simulated videos.

    python tools/demos/demo_parse.py                 # some 5 minutes on 2 cores
    python tools/demos/demo_parse.py --preset tiny   # one of each kind in miniature, to see that all works

Simulates videos in LLP's layout, of which only the set of events is known; trains HAN, each addition of the
second paper (Base, GCAA, Adv+Skip, all), all of it on representations that were pretrained by audio-visual
grounding (unimodal, cross-modal, multimodal), and HAN with soft labels of seconds; tests all of them, and
draws what they find. Leaves ``report.html``, ``results.json`` and the checkpoints in the work folder. A
stopped run carries on when called again.
"""

from concurrent.futures import Future
from dataclasses import asdict, dataclass
from pathlib import Path

from common import JobPool, Steps, epoch_options, run_from_command_line
from demo_parse_report import write_parse_report

VARIANTS = {
    'han': 'HAN',
    'base': 'Base',
    'gcaa': 'Base + GCAA',
    'adv_skip': 'Base + Adv+Skip',
    'adv_skip_gcaa': 'Base + Adv+Skip+GCAA',
    'han_pseudo': 'HAN with labels of seconds',
}
OBJECTIVES = {'uni': 'unimodal', 'cross': 'cross-modal', 'multi': 'multimodal'}
# Config below configs/avvp and what it is changed in; of other networks the config has their name.
CONFIGS = {
    'gcaa': ('base_sim.py', {'model.gcaa': True}),
    'adv_skip': ('adv_skip_gcaa_sim.py', {'model.gcaa': False}),
    **{f'avg_{key}': ('avg_multi_sim.py', {'model.loss.objective': key}) for key in OBJECTIVES},
}


@dataclass(frozen=True)
class Plan:
    """Sizes of a demo.

    Args:
        epochs: Of each parser.
        pretrain_epochs: Of each grounding model.
        simulator: Options of ``simulate_llp.py``.
        timelines: Test videos that the report draws.
        variants: Parsers of ``VARIANTS`` to train.
        objectives: Of ``OBJECTIVES`` to pretrain with.
    """

    epochs: int
    pretrain_epochs: int
    simulator: tuple[str, ...]
    timelines: int
    variants: tuple[str, ...] = tuple(VARIANTS)
    objectives: tuple[str, ...] = tuple(OBJECTIVES)


PLANS = {
    'demo': Plan(
        epochs=16,
        pretrain_epochs=20,
        simulator=('--preset', 'demo', '--videos', '960', '1', '400', '640'),
        timelines=8,
    ),
    'tiny': Plan(
        epochs=1,
        pretrain_epochs=1,
        simulator=('--preset', 'tiny'),
        timelines=2,
        variants=('han', 'han_pseudo'),
        objectives=('multi',),
    ),
}


def config_of(key: str) -> tuple[str, dict]:
    """Path below ``configs/`` of a network's config, and what it is changed in."""
    name, changes = CONFIGS.get(key, (f'{key}_sim.py', {}))
    return f'avvp/{name}', changes


def parser_options(data: Path, seed: int, epochs: int) -> dict:
    """Overrides for a parser."""
    return epoch_options(data, seed, epochs) | {
        'param_scheduler.0.step_size': max(1, epochs // 4),
        'default_hooks.logger.interval': 5 if epochs > 1 else 1,
    }


def pretrain_options(data: Path, seed: int, epochs: int) -> dict:
    """Overrides for a grounding model."""
    clips = len((data / 'pretrain.csv').read_text().splitlines()) - 1
    return epoch_options(data, seed, epochs, ('train',)) | {
        'train_dataloader.batch_size': min(32, clips),
        'param_scheduler.1.end': epochs,
        'param_scheduler.1.T_max': epochs,
        'default_hooks.logger.interval': 5 if epochs > 1 else 1,
    }


def run_demo(work_dir: Path, plan: Plan, seed: int, workers: int) -> dict:
    """Go through all steps; see :func:`common.run_from_command_line`."""
    steps = Steps(work_dir, seed=seed, **asdict(plan))
    data = work_dir / 'data'
    title = '1/4 simulate videos: features of their sound and image, sets of events'
    simulate = ('--seed', seed, '--workers', workers, *plan.simulator)
    steps.tool('simulate', title, 'dataset_converters/simulate_llp.py', data, *simulate, threads=1)
    metrics = {}
    names = {key: VARIANTS[key] for key in plan.variants}
    names |= {f'pretrain_{key}': f'Pretrain ({key})' for key in plan.objectives}

    with JobPool() as jobs:

        def start(key: str, title: str, options: dict) -> Future:
            config, changes = config_of(key)
            return jobs.submit(steps.train, key, title, config, options | changes)

        def start_parser(key: str) -> None:
            options = parser_options(data, seed, plan.epochs)
            futures[key] = start(key, f'3/4 train {names[key]}', options)

        title, futures = '2/4 pretrain by audio-visual grounding, {}, without labels', {}
        options = pretrain_options(data, seed, plan.pretrain_epochs)
        pretrained = {
            key: start(f'avg_{key}', title.format(OBJECTIVES[key]), options) for key in plan.objectives
        }
        for key in plan.variants:
            start_parser(key)
        for objective, future in pretrained.items():
            key = f'avg_{objective}'
            files = (work_dir / key / 'config.py', future.result(), data / 'feats', data / f'feats_{key}')
            title, tool = f'2/4 write the representations of {key}', 'write_avg_representations.py'
            steps.tool(f'represent_{objective}', title, tool, *files, threads=jobs.threads)
            start_parser(f'pretrain_{objective}')
        for key, future in futures.items():
            config, changes = config_of(key)
            options = parser_options(data, seed, plan.epochs) | changes
            metrics[key] = steps.test(key, f'4/4 test {key}', config, future.result(), options)
    return steps.outcome(
        metrics={key: metrics[key] for key in names},
        names=names,
        checkpoints={key: future.result() for key, future in futures.items()}
        | {f'avg_{key}': future.result() for key, future in pretrained.items()},
        data=str(data),
        timelines=plan.timelines,
    )


if __name__ == '__main__':
    run_from_command_line(__doc__, 'work_dirs/demo_parse', PLANS, run_demo, write_parse_report)
