from .avc_localizer import AVCLocalizer

__all__ = ['AVCLocalizer']
