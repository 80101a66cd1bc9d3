from .local_visualizer import MAVDLocalVisualizer, crop_to_sample
from .spectrogram_strip import draw_spectrogram_strip

__all__ = ['MAVDLocalVisualizer', 'crop_to_sample', 'draw_spectrogram_strip']
