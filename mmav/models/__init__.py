from . import (
    backbones,
    classifiers,
    data_preprocessors,
    dense_heads,
    detectors,
    event_localizers,
    layers,
    localizers,
    losses,
    necks,
    parsers,
    roi_heads,
    trackers,
)
from .utils import strict_pretrained

__all__ = [
    'backbones',
    'classifiers',
    'data_preprocessors',
    'dense_heads',
    'detectors',
    'event_localizers',
    'layers',
    'localizers',
    'losses',
    'necks',
    'parsers',
    'roi_heads',
    'strict_pretrained',
    'trackers',
]
