from .audio_visual_faster_rcnn import VISUAL_PREFIXES, AudioVisualFasterRCNN
from .multi_teacher_distiller import MultiTeacherDistiller

__all__ = ['VISUAL_PREFIXES', 'AudioVisualFasterRCNN', 'MultiTeacherDistiller']
