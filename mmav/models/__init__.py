from . import (
    backbones,
    classifiers,
    data_preprocessors,
    dense_heads,
    detectors,
    layers,
    losses,
    necks,
    roi_heads,
    strict_pretrained,
    trackers,
)

__all__ = [
    'backbones',
    'classifiers',
    'data_preprocessors',
    'dense_heads',
    'detectors',
    'layers',
    'losses',
    'necks',
    'roi_heads',
    'strict_pretrained',
    'trackers',
]
