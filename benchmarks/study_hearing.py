"""What can be heard before anything is learned of boxes: where two vehicles are, and of which kind one is.

Shapes: N frames, D numbers known of each, L samples, M microphones, K bands.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.fileio import load
from scipy.signal import find_peaks
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from study_scenes import ANGLES

from mmav.datasets.labeled_sound import labeled_sound_dataset, labeled_sounds
from mmav.models.layers.acoustic_image import AcousticImage
from mmav.models.layers.acoustic_options import (
    BAND_EDGES,
    MODULATION_BAND,
    MODULATION_EDGES,
    SPECTRUM_EDGES,
)
from mmav.models.layers.sound_spectra import band_spectrum, modulation_spectrum
from mmav.simulation.drives.geometry import SAMPLE_RATE
from mmav.structures.rig import RIG_FILE

TOLERANCE = 0.04  # of the image's width between a peak and a vehicle's center


def _sounds(root: Path, split: str, vehicles: int) -> Iterator[tuple[torch.Tensor, np.ndarray, list[dict]]]:
    """Frames of so many vehicles.

    Yields:
        Waveform (1, M, L), centers of the boxes in 0..1 of the width, annotations.
    """
    truth = load(root / f'annotations/{split}.json')
    annotations: dict[tuple, list[dict]] = {}
    images = {image['id']: image for image in truth['images']}
    for ann in truth['annotations']:
        image = images[ann['image_id']]
        annotations.setdefault((image['drive'], image['frame_id']), []).append(ann)
    dataset = labeled_sound_dataset(f'annotations/{split}.json', str(root))
    for sound in labeled_sounds(dataset):
        found = annotations.get((sound.drive, sound.frame_id), [])
        if len(found) == vehicles:
            width = truth['images'][0]['width']
            centers = np.array([(ann['bbox'][0] + ann['bbox'][2] / 2) / width for ann in found])
            yield torch.from_numpy(sound.waveform)[None], centers, found


def pairs_apart(root: Path, options: Mapping[str, Any]) -> dict[str, float]:
    """Share of the test frames of two vehicles in which the two highest peaks are where the vehicles are.

    Peaks along the columns of an acoustic image of 0.5 s around the frame, mean over bands and rows.

    Args:
        root: Of the data set.
        options: Of :class:`AcousticImage`, without its rig, windows and channels.

    Returns:
        ``pairs/<low>-<high>/heard`` in percent by the angle between them in degrees, and ``.../frames``.
    """
    layer = AcousticImage(root / RIG_FILE, windows=((0.53, 0.25),), channels=('contrast',), **options)
    heard: dict[str, list[bool]] = {f'{low:g}-{high:g}': [] for low, high in pairwise(ANGLES)}
    for waveform, centers, vehicles in _sounds(root, 'test', vehicles=2):
        with torch.no_grad():
            columns = layer(waveform).mean((0, 1, 2)).numpy()
        peaks, _ = find_peaks(np.pad(columns, 1, constant_values=-np.inf))
        peaks -= 1
        highest = peaks[np.argsort(columns[peaks])[-2:]]
        places = np.sort((highest + 0.5) / len(columns))
        angle = abs(vehicles[0]['azimuth'] - vehicles[1]['azimuth'])
        both = len(places) == 2 and bool((abs(places - np.sort(centers)) <= TOLERANCE).all())
        for low, high in pairwise(ANGLES):
            if low <= angle < high:
                heard[f'{low:g}-{high:g}'].append(both)
    results = {f'pairs/{name}/frames': len(values) for name, values in heard.items()}
    return results | {
        f'pairs/{name}/heard': 100 * float(np.mean(values)) for name, values in heard.items() if values
    }


def kinds_apart(root: Path, channels: Sequence[str], seed: int = 0) -> dict[str, float]:
    """How well the sound of one vehicle tells a motorcycle from others, its place known.

    Args:
        root: Of the data set.
        channels: Of the clip: 'level', 'spectrum' and 'modulation' as in :class:`AcousticImage`.
        seed: Of the trees.

    Returns:
        Area under the ROC curve on the test frames in percent, ``kind/trees`` (extremely randomized trees)
        and ``kind/logistic`` (logistic regression), and the numbers of frames.
    """
    (inputs, targets), (test_inputs, test_targets) = (
        _kinds(root, split, channels) for split in ('train', 'test')
    )
    results = {'kind/frames': len(test_targets), 'kind/motorcycles': int(test_targets.sum())}
    if len(set(targets)) < 2 or len(set(test_targets)) < 2:
        return results  # a miniature may hold one kind alone
    models = dict(
        trees=ExtraTreesClassifier(300, min_samples_leaf=2, random_state=seed, n_jobs=1),
        logistic=make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000)),
    )
    for name, model in models.items():
        scores = model.fit(inputs, targets).predict_proba(test_inputs)[:, 1]
        results[f'kind/{name}'] = 100 * float(roc_auc_score(test_targets, scores))
    return results


def _kinds(root: Path, split: str, channels: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """What is known (N, D), and whether it is a motorcycle (N,)."""
    rows, motorcycles = [], []
    for waveform, _, (ann,) in _sounds(root, split, vehicles=1):
        heard = [_of_clip(waveform, name)[0].numpy() for name in channels]
        rows.append(np.concatenate([*heard, [ann['azimuth'], ann['distance']]]))
        motorcycles.append(ann['kind'] == 'motorcycle')
    return np.array(rows), np.array(motorcycles, dtype=int)


def _of_clip(waveform: torch.Tensor, channel: str) -> torch.Tensor:
    """A channel of :class:`AcousticImage` that is constant over the image: (1, K)."""
    live = torch.ones(waveform.shape[:2], dtype=torch.bool)
    if channel == 'modulation':
        return modulation_spectrum(waveform, SAMPLE_RATE, MODULATION_BAND, MODULATION_EDGES, live)
    edges = dict(level=BAND_EDGES, spectrum=SPECTRUM_EDGES)[channel]
    return band_spectrum(waveform, SAMPLE_RATE, edges, live)
