from .audio_visual_faster_rcnn import VISUAL_PREFIXES, AudioVisualFasterRCNN

__all__ = ['VISUAL_PREFIXES', 'AudioVisualFasterRCNN']
