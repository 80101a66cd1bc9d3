from .camera import Camera, open_camera
from .session import LiveSession

__all__ = ['Camera', 'LiveSession', 'open_camera']
