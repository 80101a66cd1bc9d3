"""Audio-visual events in time: DMIN fully and weakly supervised, and DCMR both ways, on simulated videos.

    python tools/demos/demo_events.py                 # a minute on 2 cores
    python tools/demos/demo_events.py --preset tiny   # every step in miniature, to see that all works

Simulates videos in AVE's layout, each with a thing that is seen and heard at once for some seconds, among
others that are only seen or only heard; trains DMIN from labels of seconds and from labels of videos, without
AGTA, without DIMA and with dot products, and DCMR, which searches images for a sound and sounds for a
image; tests all of them, and draws what they find. Leaves ``report.html``, ``results.json`` and the
checkpoints in the work folder. A stopped run carries on when called again.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

from common import JobPool, Steps, epoch_options, run_from_command_line
from demo_events_report import EVENTS, SEARCHES, write_events_report
from mmengine.fileio import load

# Config and what it is changed in.
CONFIGS = {
    'fully': ('dmin/dmin_sim.py', {}),
    'weakly': ('dmin/dmin_sim_weakly.py', {}),
    'no_agta': ('dmin/dmin_sim.py', {'model.use_agta': False}),
    'no_dima': ('dmin/dmin_sim.py', {'model.use_dima': False}),
    'dot_product': ('dmin/dmin_sim.py', {'model.dima': dict(own_score='dot', other_score='dot')}),
    'a2v': ('dmin/dcmr_sim_a2v.py', {}),
    'v2a': ('dmin/dcmr_sim_v2a.py', {}),
}


@dataclass(frozen=True)
class Plan:
    """Sizes of a demo.

    Args:
        epochs: Of each training.
        learning_rate: Halfway and at four fifths it falls to 0.3 of what it was.
        simulator: Options of ``simulate_ave.py``.
        timelines: Test videos that the report draws.
    """

    epochs: int
    learning_rate: float
    simulator: tuple[str, ...]
    timelines: int


PLANS = {
    'demo': Plan(
        epochs=10,
        learning_rate=0.002,
        simulator=('--preset', 'demo', '--videos', '480', '60', '300', '60'),
        timelines=8,
    ),
    'tiny': Plan(epochs=1, learning_rate=0.002, simulator=('--preset', 'tiny'), timelines=2),
}


def config_options(data: Path, seed: int, plan: Plan) -> dict:
    """Overrides that point a config at the demo's data."""
    simulated = load(data / 'manifest.json')['parameters']
    epochs = plan.epochs
    return {
        'model.visual_channels': simulated['visual_channels'],
        'model.audio_channels': simulated['audio_channels'],
        'optim_wrapper.optimizer.lr': plan.learning_rate,
        'param_scheduler.0.milestones': [max(1, epochs // 2), max(2, epochs * 4 // 5)],
    } | epoch_options(data, seed, epochs)


def run_demo(work_dir: Path, plan: Plan, seed: int, workers: int) -> dict:
    """Go through all steps; see :func:`common.run_from_command_line`. The simulation takes seconds."""
    steps = Steps(work_dir, seed=seed, **asdict(plan))
    data = work_dir / 'data'
    title = '1/3 simulate videos: features of their sound and image, labels'
    simulate = ('dataset_converters/simulate_ave.py', data, '--seed', seed, *plan.simulator)
    steps.tool('simulate', title, *simulate, threads=1)
    options = config_options(data, seed, plan)
    names = EVENTS | SEARCHES
    metrics = {}
    with JobPool() as jobs:
        # the long ones first
        futures = {
            key: jobs.submit(steps.train, key, f'2/3 train {names[key][0]}', config, options | changes)
            for key, (config, changes) in CONFIGS.items()
        }
        for key, (config, changes) in CONFIGS.items():
            title, checkpoint = f'3/3 test {names[key][0]}', futures[key].result()
            metrics[key] = steps.test(key, title, config, checkpoint, options | changes)
    return steps.outcome(
        metrics=metrics,
        checkpoints={key: future.result() for key, future in futures.items()},
        data=str(data),
        timelines=plan.timelines,
    )


if __name__ == '__main__':
    run_from_command_line(__doc__, 'work_dirs/demo_events', PLANS, run_demo, write_events_report)
