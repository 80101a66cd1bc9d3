from .audio_visual_faster_rcnn import AudioVisualFasterRCNN

__all__ = ['AudioVisualFasterRCNN']
