from .audio_classifier import AudioClassifier

__all__ = ['AudioClassifier']
