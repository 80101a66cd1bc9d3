"""AVE as published: written here by hand, 64-bit features, as the files have them."""

from pathlib import Path

import h5py
import numpy as np

VIDEOS, SEGMENTS, CLASSES = 6, 4, 29
# Category, onset, offset of each row.
EVENTS = [(3, 0, 4), (0, 1, 3), (27, 2, 4), (3, 0, 1), (5, 1, 2), (5, 0, 4)]
ORDERS = dict(train=[4, 0, 2], val=[1], test=[5, 3])


def write(path: Path, values, key: str = 'avadataset') -> None:
    with h5py.File(path, 'w') as file:
        file[key] = np.asarray(values)


def write_ave(root: Path) -> Path:
    """A folder in the published layout; its features are random, of 64 bits."""
    rng = np.random.default_rng(0)
    labels = np.zeros((VIDEOS, SEGMENTS, CLASSES), np.int64)
    labels[..., 28] = 1
    for row, (category, onset, offset) in enumerate(EVENTS):
        labels[row, onset:offset] = np.eye(CLASSES)[category]
    write(root / 'visual_feature.h5', rng.normal(size=(VIDEOS, SEGMENTS, 2, 2, 5)))
    write(root / 'visual_feature_vec.h5', rng.normal(size=(VIDEOS, SEGMENTS, 5)))
    write(root / 'audio_feature.h5', rng.normal(size=(VIDEOS, SEGMENTS, 3)))
    write(root / 'labels.h5', labels)
    write(root / 'labels_closs.h5', 1 - labels[..., 28])
    write(root / 'mil_labels.h5', np.eye(CLASSES)[[event[0] for event in EVENTS]])
    write(root / 'visual_feature_noisy.h5', rng.normal(size=(2, SEGMENTS, 2, 2, 5)))
    write(root / 'audio_feature_noisy.h5', rng.normal(size=(2, SEGMENTS, 3)))
    write(root / 'labels_noisy.h5', np.eye(CLASSES)[[28, 28]])
    for split, rows in ORDERS.items():
        write(root / f'{split}_order.h5', rows, 'order')
        short = [row for row in rows if EVENTS[row][2] - EVENTS[row][1] < SEGMENTS]
        write(root / f'{split}_order_match.h5', short, 'order')
    return root
