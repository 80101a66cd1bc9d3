"""Simulators: drives in MAVD's layout (scenes, sound, pictures, truth), clips of things that sound, and
videos with events in LLP's layout.
"""

from .clips import CLIP_PRESETS, ClipConfig, make_clip_config, sample_clip
from .clips_dataset import simulate_clips
from .config import PRESETS, SimulationConfig, make_config
from .dataset import make_manifest, simulate_dataset
from .geometry import MicrophoneArray, PinholeCamera
from .llp_dataset import simulate_llp
from .llp_videos import LLP_PRESETS, LLPVideoConfig, make_llp_config, sample_llp_video
from .recording import render_recording
from .rendering import DriveRenderer
from .sampling import sample_drive
from .scene import DriveScene, Road, Scenery, Vehicle, mirror_scene
from .truth import view_vehicles

__all__ = [
    'CLIP_PRESETS',
    'LLP_PRESETS',
    'PRESETS',
    'ClipConfig',
    'DriveRenderer',
    'DriveScene',
    'LLPVideoConfig',
    'MicrophoneArray',
    'PinholeCamera',
    'Road',
    'Scenery',
    'SimulationConfig',
    'Vehicle',
    'make_clip_config',
    'make_config',
    'make_llp_config',
    'make_manifest',
    'mirror_scene',
    'render_recording',
    'sample_clip',
    'sample_drive',
    'sample_llp_video',
    'simulate_clips',
    'simulate_dataset',
    'simulate_llp',
    'view_vehicles',
]
