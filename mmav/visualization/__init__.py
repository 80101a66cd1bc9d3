from .acoustic_overlay import acoustic_map, draw_acoustic_image, draw_stored_acoustic_image
from .heatmap_visualizer import HeatmapLocalVisualizer, blend_heatmap
from .local_visualizer import MAVDLocalVisualizer, crop_to_sample
from .spectrogram_strip import draw_spectrogram_strip
from .timeline import EventBand, MapBand, ValueBand, draw_timeline
from .track_drawing import draw_tracks, track_color

track_colour = track_color  # the name of release 0.1

__all__ = [
    'EventBand',
    'HeatmapLocalVisualizer',
    'MAVDLocalVisualizer',
    'MapBand',
    'ValueBand',
    'acoustic_map',
    'blend_heatmap',
    'crop_to_sample',
    'draw_acoustic_image',
    'draw_spectrogram_strip',
    'draw_stored_acoustic_image',
    'draw_timeline',
    'draw_tracks',
    'track_color',
    'track_colour',
]
