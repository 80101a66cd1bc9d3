from .audio_visual_pyramid import AudioVisualPyramid
from .log_mel_spectrogram import LogMelSpectrogram

__all__ = ['AudioVisualPyramid', 'LogMelSpectrogram']
