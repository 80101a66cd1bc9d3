from .local_visualizer import MAVDLocalVisualizer, crop_to_sample
from .spectrogram_strip import draw_spectrogram_strip
from .track_video import VideoWriter, draw_tracks, track_colour

__all__ = [
    'MAVDLocalVisualizer',
    'VideoWriter',
    'crop_to_sample',
    'draw_spectrogram_strip',
    'draw_tracks',
    'track_colour',
]
