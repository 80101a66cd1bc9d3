from .audio_efficientnet import AudioEfficientNet
from .audio_resnet import AudioResNet

__all__ = ['AudioEfficientNet', 'AudioResNet']
