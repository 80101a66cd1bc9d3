"""Small jobs that write what must survive a kill: trainings, stores, features, labels, simulated data.

Each is a function of its inputs, made once, and of the folder that it writes, and goes on where it stopped
when it is called again.
"""

import hashlib
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmengine.runner.checkpoint import find_latest_checkpoint
from tiny_mavd import CROP, TinyMAVD
from tiny_teachers import TOOL as PSEUDO_LABELS
from tiny_teachers import arguments, write_frames, write_teacher
from toy_training import run_tool, toy_config

from mmav.datasets.stores.prepared_store_writer import StoreWriter
from mmav.features.image_networks import ImageFeature
from mmav.media.video_writer import write_video
from mmav.simulation import (
    make_clip_config,
    make_config,
    make_llp_config,
    simulate_clips,
    simulate_dataset,
    simulate_llp,
)
from mmav.simulation.videos.ave_dataset import simulate_ave
from mmav.simulation.videos.ave_videos import make_ave_config
from mmav.utils.checkpoint import read_checkpoint

ROOT = Path(__file__).parents[2]
# what of a checkpoint depends on neither the clock nor the folder
STATE = ('state_dict', 'optimizer', 'param_schedulers', 'ema_state_dict')
POSITION = ('epoch', 'iter', 'seed', 'data_position', 'accumulated_gradients', 'dataset_meta')


def train(by_epoch: bool, workers: int, **changes) -> Callable[[Path, Path], None]:
    """A training with a checkpoint every epoch, or every two iterations."""

    def job(inputs: Path, out: Path) -> None:
        config = inputs / 'toy.py'
        if not config.exists():
            config.write_text(toy_config(by_epoch, **changes))
        options = ['--cfg-options', f'train_dataloader.num_workers={workers}']
        run_tool('train', [config, '--work-dir', out, '--resume', *options])

    return job


def prepare_store(inputs: Path, out: Path, workers: int = 0) -> None:
    """A prepared store of 8 frames in shards of 2."""
    init_default_scope('mmdet')
    root = inputs / 'data'
    if not root.exists():
        root.mkdir()
        data = TinyMAVD(root)
        for number in range(8):
            data.add_frame(f'drive_{number // 4}')
        data.finish()
    source = dict(ann_file='annotations/train.json', data_root=str(root), crop=CROP)
    StoreWriter(str(out), [source], shard_size=2, resize=dict(scale=(96, 64))).write(workers)


def _colors(name: str, fps: int, maps: bool = False) -> ImageFeature:
    layers = [torch.nn.AdaptiveAvgPool2d(2 if maps else 1)] + ([] if maps else [torch.nn.Flatten()])
    scaled = ((0, 0, 0), (1 / 255,) * 3)
    net = torch.nn.Sequential(*layers)
    return ImageFeature(name, fps, 'mean', lambda: net, lambda p: p, '', normalization=scaled)


def extract_features(layout: str) -> Callable[[Path, Path], None]:
    """Mean colors of three videos, as a layout keeps features."""

    def job(inputs: Path, out: Path) -> None:
        videos = inputs / 'videos'
        if not videos.exists():
            for number in range(3):
                image = np.full((32, 32, 3), 40 + 40 * number, np.uint8)
                wave = np.random.default_rng(number).standard_normal(2 * 16000) * 0.1
                write_video(videos / f'video_{number}.mp4', [image] * 8, 4, wave, 16000, crf=0)
        tool = _load(ROOT / 'tools' / 'extract_features.py')
        ave = dict(visual=_colors('vgg19', 4, maps=True), audio=_colors('vggish', 1))
        tool.FEATURES = dict(ave=ave, llp=dict(audio=_colors('vggish', 1), visual=_colors('resnet152', 2)))
        networks = dict(ave=('vgg19', 'vggish'), llp=('vggish', 'resnet152'))[layout]
        common = (out, '--layout', layout, '--videos', videos, '--num-segments', 2, '--allow-untrained')
        tool.main([str(part) for part in (*common, '--weights', *(f'{name}=none' for name in networks))])

    return job


def label(inputs: Path, out: Path) -> None:
    """Pseudo labels of two detectors, in shards of 2 frames."""
    init_default_scope('mmdet')
    if not (inputs / 'few.json').exists():
        write_frames(inputs)
    names = dict(rgb=1, thermal=2)
    teachers = {
        name: (str(inputs / f'{name}.py'), str(inputs / f'{name}.pth'))
        if (inputs / f'{name}.pth').exists()
        else write_teacher(inputs, name, seed)
        for name, seed in names.items()
    }
    tool = _load(PSEUDO_LABELS)
    tool.main(arguments(out / 'pseudo.json', inputs, teachers, '--shard-frames', 2))


def simulate(kind: str, workers: int = 0) -> Callable[[Path, Path], None]:
    """A few drives, clips or videos."""

    def job(inputs: Path, out: Path) -> None:
        options = dict(workers=workers, progress=False)
        if kind == 'drives':
            config = make_config('demo', drives=(2, 1, 1), frames_per_drive=2, frame_interval=(0.3, 0.4))
            simulate_dataset(out, config, **options)
        elif kind == 'clips':
            simulate_clips(
                out, make_clip_config('small', clips=(6, 3, 6, 3), picture=(40, 60), duration=0.5), **options
            )
        elif kind == 'ave':
            simulate_ave(out, make_ave_config('tiny', seed=3), progress=False)
        else:
            simulate_llp(out, make_llp_config('tiny', videos=(5, 2, 3, 2)), **options)

    return job


def _load(path: Path):
    if path.stem not in sys.modules:
        spec = importlib.util.spec_from_file_location(path.stem, path)
        sys.modules[path.stem] = importlib.util.module_from_spec(spec)  # dataclasses look their module up
        spec.loader.exec_module(sys.modules[path.stem])
    return sys.modules[path.stem]


EMA = [dict(type='ToyRecorder'), dict(type='EMAHook', momentum=0.1)]
ACCUMULATING = dict(optimizer=dict(type='SGD', lr=0.1, momentum=0.9), accumulative_counts=3)
JOBS: dict[str, Callable[[Path, Path], None]] = dict(
    train_epochs=train(True, 0),
    train_epochs_workers=train(True, 2, custom_hooks=EMA),
    train_iterations=train(False, 0, optim_wrapper=ACCUMULATING),
    train_iterations_workers=train(False, 1),
    store=prepare_store,
    features_ave=extract_features('ave'),
    features_llp=extract_features('llp'),
    pseudo_labels=label,
    drives=simulate('drives'),
    drives_workers=simulate('drives', 2),
    clips=simulate('clips'),
    clips_workers=simulate('clips', 2),
    ave=simulate('ave'),
    llp=simulate('llp'),
)


def snapshot(job: str, out: Path) -> dict[str, object]:
    """What a finished job has written, as values that two runs have alike."""
    files = sorted(path for path in out.rglob('*') if path.is_file())
    if not job.startswith('train'):
        return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    found: dict[str, object] = {path.name: _state(path) for path in out.glob('*.pth')}
    found['last_checkpoint'] = Path((out / 'last_checkpoint').read_text()).name
    found['steps'] = _steps(out)
    found['others'] = sorted(path.name for path in out.glob('.*'))
    return found


def _state(path: Path) -> str:
    checkpoint = read_checkpoint(str(path))
    digest = hashlib.sha256()
    _add(digest, {key: checkpoint.get(key) for key in STATE})
    _add(digest, {key: checkpoint['meta'].get(key) for key in POSITION})
    return digest.hexdigest()


def _add(digest, value: object) -> None:
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            digest.update(str(key).encode())
            _add(digest, value[key])
    elif isinstance(value, (list, tuple)):
        for item in value:
            _add(digest, item)
    elif isinstance(value, torch.Tensor):
        digest.update(value.numpy().tobytes())
    else:
        digest.update(repr(value).encode())


def _steps(out: Path) -> dict[int, dict]:
    steps = {}
    for line in (out / 'steps.0.jsonl').read_text().splitlines():
        try:
            step = json.loads(line)
        except json.JSONDecodeError:
            continue  # half a line of the killed run; the step is made again
        steps[step['iter']] = step
    return steps


def position(job: str, out: Path) -> int:
    """How far a killed job has come: iteration of its newest checkpoint, whole files of others.

    Raises:
        ValueError: Something that has a checkpoint's name is none.
    """
    if not job.startswith('train'):
        return 0
    for path in out.glob('*.pth'):
        read_checkpoint(str(path))
    latest = find_latest_checkpoint(str(out)) if out.exists() else None
    return 0 if latest is None else read_checkpoint(latest)['meta']['iter']
