from .audio_efficientnet import AudioEfficientNet
from .audio_resnet import AudioResNet
from .cnn14 import CNN14
from .detr_features import DETRFeatures
from .vggish import VGGish

__all__ = ['CNN14', 'AudioEfficientNet', 'AudioResNet', 'DETRFeatures', 'VGGish']
