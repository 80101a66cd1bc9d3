"""Parse videos into events that are heard, seen, or both: HAN and what was added to it, on simulated videos.

    python tools/demos/demo_parse.py                 # some 5 minutes on 2 cores
    python tools/demos/demo_parse.py --preset tiny   # one of each kind in miniature, to see that all works

Simulates videos in LLP's layout, of which only the set of events is known; trains HAN, each addition of the
second paper (Base, GCAA, Adv+Skip, all), all of it on representations that were pretrained by audio-visual
grounding (unimodal, cross-modal, multimodal), and HAN with soft labels of seconds; tests all of them, and
draws what they find. Leaves ``report.html``, ``results.json`` and the checkpoints in the work folder. A
stopped run carries on when called again.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from common import Lanes, Steps, run_from_command_line, run_tool, test, train
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


def loader_options(data: Path, seed: int, splits: tuple[str, ...]) -> dict:
    """Overrides that point a config at the demo's data; its small files need no processes to load them."""
    options = {'randomness.seed': seed}
    for split in splits:
        loader = f'{split}_dataloader'
        options |= {
            f'{loader}.dataset.data_root': str(data),
            f'{loader}.num_workers': 0,
            f'{loader}.persistent_workers': False,
        }
    return options


def parser_options(data: Path, seed: int, epochs: int) -> dict:
    """Overrides for a parser: data, and a schedule without validation."""
    return loader_options(data, seed, ('train', 'val', 'test')) | {
        'train_cfg.max_epochs': epochs,
        'train_cfg.val_interval': epochs + 1,
        'param_scheduler.0.step_size': max(1, epochs // 4),
        'default_hooks.checkpoint.interval': epochs,
        'default_hooks.logger.interval': 5 if epochs > 1 else 1,
    }


def pretrain_options(data: Path, seed: int, epochs: int, clips: int) -> dict:
    """Overrides for a grounding model."""
    return loader_options(data, seed, ('train',)) | {
        'train_cfg.max_epochs': epochs,
        'train_dataloader.batch_size': min(32, clips),
        'param_scheduler.1.end': epochs,
        'param_scheduler.1.T_max': epochs,
        'default_hooks.checkpoint.interval': epochs,
        'default_hooks.logger.interval': 5 if epochs > 1 else 1,
    }


def run_demo(work_dir: Path, plan: Plan, seed: int, workers: int) -> dict:
    """Go through all steps.

    Args:
        work_dir: Folder of everything the demo writes.
        plan: Sizes.
        seed: Of the simulation and of all trainings.
        workers: Processes that simulate.

    Returns:
        Metrics by parser, and what the report needs to know about the run.
    """
    steps = Steps(work_dir)
    data = work_dir / 'data'
    base = dict(seed=seed, **asdict(plan))
    simulate = ('--seed', seed, '--workers', workers, *plan.simulator)
    steps.run(
        'simulate',
        '1/4 simulate videos: features of their sound and image, sets of events',
        lambda: run_tool('dataset_converters/simulate_llp.py', data, *simulate, threads=1),
        **base,
    )
    clips = len((data / 'pretrain.csv').read_text().splitlines()) - 1

    def train_parser(key: str, title: str, **lane) -> str:
        config, changes = config_of(key)
        options = parser_options(data, seed, plan.epochs) | changes
        return steps.run(
            f'train_{key}',
            f'3/4 train {title}',
            lambda: train(config, key, work_dir / key, options, **lane),
            **base,
        )

    def pretrain(objective: str, **lane) -> str:
        key = f'avg_{objective}'
        config, changes = config_of(key)
        options = pretrain_options(data, seed, plan.pretrain_epochs, clips) | changes
        return steps.run(
            f'train_{key}',
            f'2/4 pretrain by audio-visual grounding, {OBJECTIVES[objective]}, without labels',
            lambda: train(config, key, work_dir / key, options, **lane),
            **base,
        )

    def represent(objective: str, checkpoint: str, threads: int) -> None:
        key = f'avg_{objective}'
        folders = (data / 'feats', data / f'feats_{key}')
        steps.run(
            f'represent_{objective}',
            f'2/4 write the representations of {key}',
            lambda: run_tool(
                'write_avg_representations.py',
                *(work_dir / key / 'config.py', checkpoint, *folders),
                threads=threads,
            ),
            **base,
        )

    metrics = {}

    def examine(key: str, checkpoint: str) -> None:
        config, changes = config_of(key)
        options = parser_options(data, seed, plan.epochs) | changes
        metrics[key] = steps.run(
            f'test_{key}',
            f'4/4 test {key}',
            lambda: test(config, key, checkpoint, work_dir / key, options),
            **base,
        )

    names = {key: VARIANTS[key] for key in plan.variants}
    names |= {f'pretrain_{key}': f'Pretrain ({key})' for key in plan.objectives}
    with Lanes() as lanes:
        pretrained = {objective: lanes.submit(pretrain, objective) for objective in plan.objectives}
        futures = {key: lanes.submit(train_parser, key, names[key]) for key in plan.variants}
        for objective, future in pretrained.items():
            represent(objective, future.result(), lanes.threads)
            key = f'pretrain_{objective}'
            futures[key] = lanes.submit(train_parser, key, names[key])
        for key, future in futures.items():
            examine(key, future.result())
    return dict(
        seed=seed,
        seconds=steps.seconds,
        total_seconds=steps.total_seconds(),
        metrics={key: metrics[key] for key in names},
        names=names,
        checkpoints={key: future.result() for key, future in futures.items()}
        | {f'avg_{key}': future.result() for key, future in pretrained.items()},
        data=str(data),
        timelines=plan.timelines,
    )


if __name__ == '__main__':
    run_from_command_line(__doc__, 'work_dirs/demo_parse', PLANS, run_demo, write_parse_report)
