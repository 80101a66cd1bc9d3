"""The drive simulator: scenes, sound, pictures and truth in MAVD's layout."""

from .config import PRESETS, SimulationConfig, make_config
from .dataset import make_manifest, simulate_dataset
from .geometry import MicrophoneArray, PinholeCamera
from .recording import render_recording
from .rendering import DriveRenderer
from .sampling import sample_drive
from .scene import DriveScene, Road, Scenery, Vehicle, mirror_scene
from .truth import view_vehicles

__all__ = [
    'PRESETS',
    'DriveRenderer',
    'DriveScene',
    'MicrophoneArray',
    'PinholeCamera',
    'Road',
    'Scenery',
    'SimulationConfig',
    'Vehicle',
    'make_config',
    'make_manifest',
    'mirror_scene',
    'render_recording',
    'sample_drive',
    'simulate_dataset',
    'view_vehicles',
]
