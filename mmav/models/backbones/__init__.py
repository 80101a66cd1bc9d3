from .audio_efficientnet import AudioEfficientNet
from .audio_resnet import AudioResNet
from .cnn14 import CNN14

__all__ = ['AudioEfficientNet', 'AudioResNet', 'CNN14']
