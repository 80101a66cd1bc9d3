"""Vehicles by sound on a page in the browser: a simulated drive with video, while it runs.

    python tools/demos/demo_live.py                     # then open http://127.0.0.1:8000
    python tools/demos/demo_live.py --preset tiny       # every step in miniature, to see that all works

Simulates a drive with the sound of 8 microphones and camera images, ten a second, and runs detector (b) of
`make demo` on it, from sound alone, over and over until Control-C. Without the checkpoint of that demo a
detector is trained first, some minutes long, on simulated drives whose frames are all labeled.
"""

import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from common import ROOT, Steps, run_from_command_line
from common_data import data_options, make_data, schedule_options, store_of

CONFIG = 'avd/faster_rcnn_r18_sim_acoustic.py'
SIMULATE = 'dataset_converters/simulate_mavd.py'
# For cars that pass a standing camera: boxes of a near car overlap little from one result to the next, and
# boxes by sound are less steady than those by images.
TRACKER = ('init_score_thr=0.6', 'iou_thr=0.3', 'patience=5')
FIRST_IMAGE = 0.5  # seconds of sound before it


@dataclass(frozen=True)
class Plan:
    """Sizes of the demo.

    Args:
        simulator: Options of ``simulate_mavd.py`` for the drives to train with.
        iterations: Of the training.
        frames: Images of the drive that is shown, ten a second.
        vehicles: That pass in it.
    """

    simulator: tuple[str, ...]
    iterations: int
    frames: int
    vehicles: int


PLANS = {
    'demo': Plan(('--preset', 'demo', '--drives-per-split', '300', '1', '1'), 500, 200, 6),
    'tiny': Plan(('--preset', 'demo', '--drives-per-split', '4', '1', '1'), 4, 10, 1),
}


def drive_options(plan: Plan) -> tuple[object, ...]:
    """Options of ``simulate_mavd.py`` for the drive that is shown."""
    return (
        *('--preset', 'demo', '--drives-per-split', 0, 0, 1, '--seed', 31, '--modalities', 'rgb'),
        *('--frames-per-drive', plan.frames, '--frame-interval', 0.1, 0.1, '--margin', FIRST_IMAGE),
        *('--vehicles', plan.vehicles, plan.vehicles, '--speed', 3, 7, '--static-share', 1),
        *('--lane-change-share', 0, '--no-keep-in-view', '--audio-layout', 'drive'),
    )


def train_detector(steps: Steps, plan: Plan, workers: int) -> tuple[str, str]:
    """Train on simulated drives; returns config and checkpoint."""
    data, seed = steps.work_dir / 'data', steps.settings['seed']
    make_data(steps, data, plan.simulator, ('rgb',), workers, CONFIG, 'drives', kinds=('acoustic',))
    labels = data / 'annotations/train.json'
    options = data_options(data, store_of(data, 'acoustic'), labels, seed) | schedule_options(plan.iterations)
    checkpoint = steps.train('detector', 'train by sound', CONFIG, options)
    return str(steps.work_dir / 'detector' / 'config.py'), checkpoint


def run_demo(work_dir: Path, plan: Plan, seed: int, workers: int, demo: Path, host: str, port: int) -> dict:
    """Go through all steps; see :func:`common.run_from_command_line`. ``demo``: folder of `make demo`."""
    steps = Steps(work_dir, seed=seed, **asdict(plan))
    drive = work_dir / 'drive'
    title = 'simulate the drive that is shown'
    steps.tool('drive', title, SIMULATE, drive, *drive_options(plan), '--workers', 1, threads=1)
    trained = demo / 'taught' / 'last_checkpoint'
    if trained.exists():
        config, checkpoint = str(demo / 'taught' / 'config.py'), trained.read_text().strip()
        print(f'\n=== detector (b) of make demo: {checkpoint}')
    else:
        config, checkpoint = train_detector(steps, plan, workers)
    page = dict(host=host, port=port)
    return steps.outcome(drive=str(drive / 'test_0000'), config=config, checkpoint=checkpoint, **page)


def serve(work_dir: Path, outcome: dict) -> None:
    """Become the command that shows the page."""
    drive = Path(outcome['drive'])
    sound = (outcome['config'], outcome['checkpoint'], '--file', drive / 'audio/drive.wav', '--loop')
    camera = ('--camera', drive / 'fl_rgb', '--camera-fps', 10, '--camera-start', FIRST_IMAGE)
    options = ('--rig', drive.parent / 'rig.json', '--tracker', 'iou', '--tracker-options', *TRACKER)
    page = ('--host', outcome['host'], '--port', outcome['port'])
    tool = ROOT / 'tools' / 'live.py'
    command = [sys.executable, *map(str, (tool, *sound, *camera, *options, *page))]
    print('\n=== detect; Control-C ends it', flush=True)
    os.execv(sys.executable, command)


if __name__ == '__main__':
    further = {
        '--demo': dict(type=Path, default=Path('work_dirs/demo'), help='folder of `make demo`'),
        '--host': dict(default='127.0.0.1', help='others than 127.0.0.1 need MMAV_LIVE_TOKEN'),
        '--port': dict(type=int, default=8000, help='default: 8000'),
    }
    run_from_command_line(__doc__, 'work_dirs/demo_live', PLANS, run_demo, serve, further)
