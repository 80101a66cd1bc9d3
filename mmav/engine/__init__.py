from .atomic_backend import AtomicLocalBackend
from .distributed import close_launcher, join_launcher, open_gloo, prepare_launcher
from .hooks import AtomicCheckpointHook, ExactResumeHook, ProgressBarHook
from .runner import StrictRunner

__all__ = [
    'AtomicCheckpointHook',
    'AtomicLocalBackend',
    'ExactResumeHook',
    'ProgressBarHook',
    'StrictRunner',
    'close_launcher',
    'join_launcher',
    'open_gloo',
    'prepare_launcher',
]
