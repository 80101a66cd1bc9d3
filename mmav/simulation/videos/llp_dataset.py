"""Write simulated videos in the layout in which LLP is published.

AVVP_train.csv, AVVP_val_pd.csv, AVVP_test_pd.csv   tab-separated: filename, event_labels
AVVP_eval_audio.csv, AVVP_eval_visual.csv           events of val and test: filename, onset, offset, class
pretrain.csv                                        names of clips for pretraining, without labels
pseudo_audio.tsv, pseudo_visual.tsv                 soft labels of the seconds of train, with errors: score
feats/{vggish,res152,r2plus1d_18}/<id>.npy          features
manifest.json                                       parameters
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from mmav.datasets.clip_names import YOUTUBE_ID
from mmav.datasets.llp import FEATURES
from mmav.utils.fileio import AtomicLocalBackend, whole_file

from ..resuming import open_data_set, sample_splits, write_missing
from .llp_videos import MODALITIES, SPLITS, LLPVideo, LLPVideoConfig, draw_pseudo_labels, sample_llp_video
from .segment_features import class_prototypes, event_features

FORMAT_VERSION = 1
LISTS = dict(train='AVVP_train.csv', val='AVVP_val_pd.csv', test='AVVP_test_pd.csv')


def simulate_llp(
    root: str | os.PathLike, config: LLPVideoConfig, workers: int = 1, progress: bool = True
) -> Path:
    """Make a data set, or go on with one that was interrupted.

    The bytes depend on the configuration alone, not on the number of processes or on interruptions.

    Args:
        root: Folder of the data set.
        config: Parameters.
        workers: Number of processes; 0 works in the calling process.
        progress: Whether to show a progress bar.

    Returns:
        The folder.

    Raises:
        OutputInUseError: Another process writes the folder.
        FileExistsError: The folder holds something else, or a set made with other parameters.
    """
    manifest = dict(format='mmav simulated LLP', format_version=FORMAT_VERSION, parameters=config.to_dict())
    with open_data_set(root, manifest) as root:
        drawn = sample_splits(sample_llp_video, config, SPLITS, config.videos)
        videos = [video for split in SPLITS for video in drawn[split]]
        write_missing(
            _write_features,
            root,
            config,
            videos,
            lambda video: _files(root, video).values(),
            workers,
            'video',
            progress,
        )
        _write_tables(root, config, videos)
    return root


def llp_features(video: LLPVideo, config: LLPVideoConfig) -> dict[str, np.ndarray]:
    """Features of a video, float32, of the widths that ``config`` says.

    ``audio`` and ``visual_st`` have T rows, ``visual`` has T * frames_per_second.
    """
    rng = np.random.default_rng((*video.seed, 0))
    features = {}
    for key, prototypes in _prototypes(config).items():
        activity = video.segments('audio' if key == 'audio' else 'visual', config)
        activity *= rng.uniform(*config.strength, activity.shape)
        if key == 'visual':
            activity = activity.repeat(config.frames_per_second, axis=0)
        features[key] = event_features(rng, activity, prototypes, config.variation, config.noise)
    return features


@functools.lru_cache(maxsize=1)
def _prototypes(config: LLPVideoConfig) -> dict[str, np.ndarray]:
    return {
        key: class_prototypes(
            np.random.default_rng((config.seed, len(SPLITS), number)),
            config.num_classes,
            getattr(config, f'{key}_channels'),
            config.likeness,
        )
        for number, key in enumerate(FEATURES)
    }


def _files(root: Path, video: LLPVideo) -> dict[str, Path]:
    return {key: root / folder / f'{video.video_id[:YOUTUBE_ID]}.npy' for key, folder in FEATURES.items()}


def _write_features(root: Path, config: LLPVideoConfig, video: LLPVideo) -> None:
    features = llp_features(video, config)
    for key, path in _files(root, video).items():
        with whole_file(path, flush=False) as temporary, open(temporary, 'wb') as file:
            np.save(file, features[key], allow_pickle=False)


def _write_tables(root: Path, config: LLPVideoConfig, videos: list[LLPVideo]) -> None:
    names = config.classes
    for split, file in LISTS.items():
        rows = [
            (video.video_id, ','.join(names[label] for label in video.labels))
            for video in videos
            if video.split == split
        ]
        _write_table(root / file, ('filename', 'event_labels'), rows)
    clips = [(video.video_id,) for video in videos if video.split == 'pretrain']
    _write_table(root / 'pretrain.csv', ('filename',), clips)
    columns = ('filename', 'onset', 'offset', 'event_labels')
    pseudo = [(video, draw_pseudo_labels(video, config)) for video in videos if video.split == 'train']
    for modality in MODALITIES:
        true = [
            (video.video_id, onset, offset, names[label])
            for video in videos
            if video.split in ('val', 'test')
            for label, onset, offset in video.events[modality]
        ]
        _write_table(root / f'AVVP_eval_{modality}.csv', columns, true)
        soft = [
            (video.video_id, onset, offset, names[label], score)
            for video, labels in pseudo
            for label, onset, offset, score in labels[modality]
        ]
        _write_table(root / f'pseudo_{modality}.tsv', (*columns, 'score'), soft)


def _write_table(path: Path, columns: Iterable[str], rows: Iterable[Iterable]) -> None:
    lines = ['\t'.join(map(str, row)) + '\n' for row in (columns, *rows)]
    AtomicLocalBackend().put_text(''.join(lines), path)
