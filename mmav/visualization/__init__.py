from .local_visualizer import MAVDLocalVisualizer, crop_to_sample

__all__ = ['MAVDLocalVisualizer', 'crop_to_sample']
