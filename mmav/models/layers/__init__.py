from .audio_visual_pyramid import AudioVisualPyramid
from .log_mel_spectrogram import LogMelSpectrogram
from .log_spectrogram import LogSpectrogram
from .same_max_pool import SameMaxPool2d
from .separable_conv import SeparableConv

__all__ = ['AudioVisualPyramid', 'LogMelSpectrogram', 'LogSpectrogram', 'SameMaxPool2d', 'SeparableConv']
