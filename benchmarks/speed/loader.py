"""Benchmarks of the data loader: samples per second and bytes per sample against the usual way.

Both sides read RGB, thermal, depth and the sound of eight microphones from the same frames, and letterbox
the images into a square of 768 pixels. Ours hands uint8 images and int16 sound to the device, where the
data preprocessor makes the network's input of them; the usual way makes it in the loader. The case 'to the
network's input' therefore adds our preprocessor, on the CPU.
"""

import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.dataset import pseudo_collate
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from .mavd_files import write_mavd
from .pairs import Comparison, pinned_threads, time_pairs
from .published_loader import MEAN, STD, PublishedLoader

MODALITIES = ('rgb', 'thermal', 'depth')
ROUNDS_BY_WORKERS = 2
PREPARE_TOOL = Path(__file__).resolve().parents[2] / 'tools' / 'dataset_converters' / 'prepare_mavd.py'


def pipeline(size: int) -> list[dict]:
    """The loading pipeline of three modalities, letterboxed."""
    return [
        dict(type='LoadMultichannelAudio'),
        dict(type='LoadVisualModalities', modalities=MODALITIES),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='ResizeModalities', scale=(size, size), mode='letterbox'),
        dict(type='PackAudioVisualInputs'),
    ]


def build_dataset(root: Path | str, size: int, prepared: Path | str | None = None) -> Dataset:
    """Our data set over the frames of ``write_mavd``, from files or from a prepared store."""
    with redirect_stdout(io.StringIO()):  # pycocotools tells of its index
        return DATASETS.build(
            dict(
                type='MAVDDataset',
                data_root=str(root),
                ann_file='annotations/train.json',
                audio_ext='wav',
                modalities=MODALITIES,
                prepared=None if prepared is None else str(prepared),
                pipeline=pipeline(size),
            )
        )


def build_preprocessor(size: int) -> nn.Module:
    """Our data preprocessor with the usual way's normalization, on the CPU."""
    return MODELS.build(
        dict(
            type='AudioVisualDataPreprocessor',
            log_mel=dict(n_fft=1024, hop_length=256, n_mels=80, reference='channel'),
            audio_size=(size, size),
            modalities={
                name: dict(
                    mean=[255 * value for value in MEAN[name]],
                    std=[255 * value for value in STD[name]],
                    bgr_to_rgb=name != 'thermal',
                )
                for name in MODALITIES
            },
        )
    )


def check_same_input(dataset: Dataset, preprocessor: nn.Module, published: Dataset) -> str:
    """Make sure that both ways end in the same input of the network.

    Images may differ by what rounding to uint8 after resizing does, one gray level; ours pads before the
    normalization and the usual way after it, so only the content is compared.

    Raises:
        AssertionError: If they do not.
    """
    worst = dict.fromkeys((*MODALITIES, 'audio'), 0.0)
    for index in range(min(len(dataset), 2)):
        batch = preprocessor(pseudo_collate([dataset[index]]))
        reference = published[index]
        height, width = batch['data_samples'][0].img_shape
        for name in worst:
            mine, theirs = batch['inputs'][name][0], reference[name]
            assert mine.shape == theirs.shape, f'{name}: {tuple(mine.shape)} and {tuple(theirs.shape)}'
            if name == 'audio':
                difference, allowed = (mine - theirs).abs().max().item(), 1e-4
            else:
                # In gray levels.
                scale = 255 * torch.tensor(STD[name]).reshape(-1, 1, 1)
                difference = ((mine - theirs) * scale)[:, :height, :width].abs().max().item()
                allowed = 1.01
            assert difference <= allowed, f'{name} differs by {difference}, allowed are {allowed}'
            worst[name] = max(worst[name], difference)
    images = max(worst[name] for name in MODALITIES)
    return f'network inputs; images to {images:.2f} gray levels, spectrograms to {worst["audio"]:.0e} of 1'


def _read_all(dataset: Dataset) -> Callable[[], None]:
    def read() -> None:
        for index in range(len(dataset)):
            dataset[index]

    return read


def _read_and_prepare(dataset: Dataset, preprocessor: nn.Module) -> Callable[[], None]:
    def read() -> None:
        for index in range(len(dataset)):
            preprocessor(pseudo_collate([dataset[index]]))

    return read


def _read_by_workers(dataset: Dataset, workers: int) -> Callable[[], None]:
    # Workers that stay, and several rounds, since neither their start nor the first batch's wait is meant.
    loader = DataLoader(
        dataset,
        batch_size=2,
        sampler=list(range(len(dataset))) * ROUNDS_BY_WORKERS,
        num_workers=workers,
        collate_fn=pseudo_collate,
        persistent_workers=True,
    )

    def read() -> None:
        for _ in loader:
            pass

    return read


@contextmanager
def _frames(frames: int, thermal_bits: int) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix='mavd_bench_') as folder:
        root = Path(folder) / 'mavd'
        write_mavd(root, frames, thermal_bits)
        yield root


def prepare_store(root: Path, size: int) -> Path:
    """Make a prepared store of the frames with ``prepare_mavd.py`` and return its folder.

    Raises:
        RuntimeError: With the tool's output, if it fails.
    """
    store = root.parent / 'store'
    options = f'--splits train --scale {size} {size} --mode letterbox --dataset audio_ext=wav'.split()
    command = [sys.executable, str(PREPARE_TOOL), str(root), str(store), *options]
    finished = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if finished.returncode:
        raise RuntimeError(f'{PREPARE_TOOL.name} failed:\n{finished.stdout}')
    return store


def loader(size: int = 768, frames: int = 12, repeats: int = 7, workers: int = 2) -> list[Comparison]:
    """Seconds a sample of our loader against the usual way's.

    Args:
        size: Side of the network's square input in pixels.
        frames: Frames of the temporary data set; both ways read all of them for one figure.
        repeats: Pairs.
        workers: Worker processes of the cases that have them.

    Returns:
        From files, from a prepared store, by workers, and up to the network's input.
    """
    results = []

    def compare(
        case: str,
        ours: Callable[[], None],
        reference: Callable[[], None],
        checked: str,
        target: float | None = None,
        rounds: int = 1,
        thermal: str = 'jpg',
    ) -> None:
        mine, theirs = time_pairs(ours, reference, repeats)
        results.append(
            Comparison(
                'loader',
                f'a sample {case}',
                'MAVDDataset and pipeline',
                'float images, spectrograms from pickles, resized',
                'gain',
                target=target,
                ours_values=[value / frames / rounds for value in mine],
                reference_values=[value / frames / rounds for value in theirs],
                settings=dict(size=size, frames=frames, thermal=thermal),
                checked=checked,
            )
        )

    preprocessor = build_preprocessor(size)
    with _frames(frames, thermal_bits=8) as root, pinned_threads(1), torch.inference_mode():
        published, files = PublishedLoader(root, size), build_dataset(root, size)
        prepared = build_dataset(root, size, prepare_store(root, size))
        equal = check_same_input(files, preprocessor, published)
        same = check_same_values(files, prepared)

        usual = _read_all(published)
        compare('from files, one process', _read_all(files), usual, equal, 3.0)
        compare('from the prepared store, one process', _read_all(prepared), usual, same, 15.0)
        ready = "to the network's input on the CPU"
        compare(f'from files {ready}', _read_and_prepare(files, preprocessor), usual, equal)
        compare(f'from the prepared store {ready}', _read_and_prepare(prepared, preprocessor), usual, same)
        usual = _read_by_workers(published, workers)
        for source, dataset, checked in (('files', files, equal), ('the prepared store', prepared, same)):
            ours = _read_by_workers(dataset, workers)
            compare(f'from {source}, {workers} workers', ours, usual, checked, rounds=ROUNDS_BY_WORKERS)
    # Inflating the png takes most of the time, ours and theirs.
    with _frames(frames, thermal_bits=16) as root, pinned_threads(1), torch.inference_mode():
        published, files = PublishedLoader(root, size), build_dataset(root, size)
        equal = check_same_input(files, preprocessor, published)
        compare(
            'from files, one process', _read_all(files), _read_all(published), equal, thermal='16-bit png'
        )
    return results


def check_same_values(files: Dataset, prepared: Dataset) -> str:
    """Make sure that the prepared store gives what the files give, bit for bit.

    Raises:
        AssertionError: If not.
    """
    for index in range(min(len(files), 2)):
        mine, theirs = prepared[index]['inputs'], files[index]['inputs']
        assert mine.keys() == theirs.keys()
        for name, value in theirs.items():
            torch.testing.assert_close(mine[name], value, rtol=0, atol=0)
    return 'both give the same, bit for bit'


def bytes_per_sample(size: int = 768, frames: int = 1) -> list[Comparison]:
    """Bytes that a sample hands to the device.

    Args:
        size: Side of the network's square input in pixels.
        frames: Frames of the temporary data set; all samples are equal.

    Returns:
        With three images, and for sound alone.
    """
    with _frames(frames, 8) as root:
        ours = build_dataset(root, size)[0]['inputs']
        published = PublishedLoader(root, size)[0]
    results = []
    for case, names in (('sound and three images', ('audio', *MODALITIES)), ('sound alone', ('audio',))):
        results.append(
            Comparison(
                'bytes',
                f'handed to the device per sample: {case}',
                'int16 sound, uint8 images' if len(names) > 1 else 'int16 sound',
                'float32 network inputs',
                'gain',
                unit='bytes',
                ours_values=[float(_bytes(ours, names))],
                reference_values=[float(_bytes(published, names))],
                settings=dict(size=size),
            )
        )
    return results


def _bytes(tensors: dict[str, Tensor], names: tuple[str, ...]) -> int:
    return sum(tensors[name].numel() * tensors[name].element_size() for name in names)
