from .heatmap_visualizer import HeatmapLocalVisualizer, blend_heatmap
from .local_visualizer import MAVDLocalVisualizer, crop_to_sample
from .spectrogram_strip import draw_spectrogram_strip
from .timeline import EventBand, MapBand, ValueBand, draw_timeline
from .track_video import VideoWriter, draw_tracks, track_colour

__all__ = [
    'EventBand',
    'HeatmapLocalVisualizer',
    'MAVDLocalVisualizer',
    'MapBand',
    'ValueBand',
    'VideoWriter',
    'blend_heatmap',
    'crop_to_sample',
    'draw_spectrogram_strip',
    'draw_timeline',
    'draw_tracks',
    'track_colour',
]
