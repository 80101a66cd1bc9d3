"""Microphone arrays calibrated by labeled frames: positions, gains, delays, exchanged channels."""

from .calibrate import Calibration, calibrate, position_errors
from .frames import CalibrationFrames, collect_frames, usable_frames
from .objective import ArrayPrior, explained_share, geman_mcclure
from .places import PlacePrior, box_azimuths

__all__ = [
    'ArrayPrior',
    'Calibration',
    'CalibrationFrames',
    'PlacePrior',
    'box_azimuths',
    'calibrate',
    'collect_frames',
    'explained_share',
    'geman_mcclure',
    'position_errors',
    'usable_frames',
]
