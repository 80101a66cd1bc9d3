"""Write simulated videos in the layout in which AVE is published.

visual_feature.h5, audio_feature.h5       features, (N, T, H, W, D) and (N, T, D), under the key 'avadataset'
visual_feature_vec.h5                     means over H and W, (N, T, D)
labels.h5                                 of segments, (N, T, 29), background last
labels_closs.h5                           whether the event is there, (N, T)
mil_labels.h5                             categories of the videos, (N, 29)
{visual,audio}_feature_noisy.h5, labels_noisy.h5   videos that hold nothing but background
{train,val,test}_order.h5                 rows of each split, key 'order'
{train,val,test}_order_match.h5           those whose event does not last all the time
Annotations.txt                           names of the rows, categories, times
manifest.json                             parameters
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmav.datasets.ave import AVE_CLASSES, ORDER_KEY
from mmav.datasets.clip_names import H5_KEY
from mmav.media.h5_array import write_h5_array
from mmav.utils.fileio import AtomicLocalBackend

from ..resuming import open_data_set, sample_splits
from .ave_videos import SPLITS, AVEVideo, AVEVideoConfig, sample_ave_video
from .segment_features import class_prototypes, event_features

FORMAT_VERSION = 1


def simulate_ave(root: str | os.PathLike, config: AVEVideoConfig, progress: bool = True) -> Path:
    """Make a data set, or go on with one that was interrupted.

    The values depend on the configuration alone; each file is whole or absent.

    Args:
        root: Folder of the data set.
        config: Parameters.
        progress: Whether to show a progress bar.

    Returns:
        The folder.

    Raises:
        OutputInUseError: Another process writes the folder.
        FileExistsError: The folder holds something else, or a set made with other parameters.
    """
    manifest = dict(format='mmav simulated AVE', format_version=FORMAT_VERSION, parameters=config.to_dict())
    with open_data_set(root, manifest) as root:
        drawn = sample_splits(sample_ave_video, config, SPLITS, config.videos)
        videos = [video for split in SPLITS[:-1] for video in drawn[split]]
        _write_lists(root, videos)
        _write_labels(root, videos, drawn['background'])
        files: list[tuple[str, Callable, list[AVEVideo]]] = []
        for suffix, chosen in (('', videos), ('_noisy', drawn['background'])):
            files.append((f'visual_feature{suffix}.h5', visual_features, chosen))
            files.append((f'audio_feature{suffix}.h5', audio_features, chosen))
        files.append(('visual_feature_vec.h5', _pooled_features, videos))
        todo = [(name, make, chosen) for name, make, chosen in files if not (root / name).is_file()]
        total = sum(len(chosen) for _, _, chosen in todo)
        with tqdm(total=total, desc='simulate', unit='video', disable=not progress) as bar:
            for name, make, chosen in todo:
                _write_features(root / name, config, chosen, make, bar)
    return root


def audio_features(video: AVEVideo, config: AVEVideoConfig) -> np.ndarray:
    """Features of the sound of a video, (T, D) float32."""
    return _features(video, config, video.heard, 'audio')


def visual_features(video: AVEVideo, config: AVEVideoConfig) -> np.ndarray:
    """Features of the images of a video, (T, H, W, D) float32."""
    return _features(video, config, video.seen, 'visual')


def _pooled_features(video: AVEVideo, config: AVEVideoConfig) -> np.ndarray:
    return visual_features(video, config).mean((1, 2))


def _features(video: AVEVideo, config: AVEVideoConfig, activity: np.ndarray, modality: str) -> np.ndarray:
    number = ('audio', 'visual').index(modality)
    rng = np.random.default_rng((*video.seed, number))
    return event_features(rng, activity, _prototypes(config)[number], config.variation, config.noise)


@functools.lru_cache(maxsize=1)
def _prototypes(config: AVEVideoConfig) -> tuple[np.ndarray, ...]:
    return tuple(
        class_prototypes(
            np.random.default_rng((config.seed, len(SPLITS), number)),
            config.num_classes,
            channels,
            config.likeness,
        )
        for number, channels in enumerate((config.audio_channels, config.visual_channels))
    )


def _write_features(
    path: Path, config: AVEVideoConfig, videos: list[AVEVideo], make: Callable, bar: tqdm
) -> None:
    def rows() -> Iterator[np.ndarray]:
        for video in videos:
            yield make(video, config)
            bar.update()

    write_h5_array(path, H5_KEY, rows(), len(videos), config.dtype, flush=False)


def _write_labels(root: Path, videos: list[AVEVideo], background: list[AVEVideo]) -> None:
    classes, segments = len(AVE_CLASSES) + 1, len(videos[0].heard)
    labels = np.zeros((len(videos), segments, classes))
    labels[..., -1] = 1
    for row, video in enumerate(videos):
        labels[row, video.onset : video.offset, video.category] = 1
        labels[row, video.onset : video.offset, -1] = 0
    relevant = labels[..., :-1].max(-1) > 0
    of_videos = labels.max(1)
    of_videos[:, -1] = 0
    nothing = np.zeros((len(background), classes))
    nothing[:, -1] = 1
    arrays = {
        'labels.h5': labels,
        'labels_closs.h5': relevant.astype(float),
        'mil_labels.h5': of_videos,
        'labels_noisy.h5': nothing,
    }
    rows = np.arange(len(videos))
    splits = np.array([video.split for video in videos])
    for name, values in arrays.items():
        write_h5_array(root / name, H5_KEY, values, flush=False)
    for split in SPLITS[:-1]:
        chosen = rows[splits == split]
        short = chosen[~relevant[chosen].all(1)]
        for name, values in ((f'{split}_order.h5', chosen), (f'{split}_order_match.h5', short)):
            write_h5_array(root / name, ORDER_KEY, values, flush=False)


def _write_lists(root: Path, videos: list[AVEVideo]) -> None:
    lines = ['Category&VideoID&Quality&StartTime&EndTime']
    lines += [
        f'{AVE_CLASSES[video.category]}&{video.video_id}&good&{video.onset}&{video.offset}'
        for video in videos
        if video.category is not None
    ]
    AtomicLocalBackend().put_text('\n'.join(lines) + '\n', root / 'Annotations.txt')
