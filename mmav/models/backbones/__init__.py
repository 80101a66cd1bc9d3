from .audio_resnet import AudioResNet

__all__ = ['AudioResNet']
