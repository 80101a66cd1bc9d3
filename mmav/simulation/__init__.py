"""Simulators: drives in MAVD's layout (scenes, sound, images, truth), clips of things that sound, and
videos with events in LLP's layout.
"""

from .clips.clips import CLIP_PRESETS, ClipConfig, make_clip_config, sample_clip
from .clips.clips_dataset import simulate_clips
from .drives.config import PRESETS, SimulationConfig, make_config
from .drives.dataset import make_manifest, simulate_dataset
from .drives.geometry import MicrophoneArray, PinholeCamera
from .drives.recording import render_recording
from .drives.rendering import DriveRenderer
from .drives.sampling import sample_drive
from .drives.scene import DriveScene, Road, Scenery, Vehicle, mirror_scene
from .drives.truth import view_vehicles
from .videos.llp_dataset import simulate_llp
from .videos.llp_videos import LLP_PRESETS, LLPVideoConfig, make_llp_config, sample_llp_video

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
