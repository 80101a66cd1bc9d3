from .atomic_backend import AtomicLocalBackend
from .distributed import prepare_launcher
from .hooks import AtomicCheckpointHook, ExactResumeHook
from .runner import StrictRunner

__all__ = [
    'AtomicCheckpointHook',
    'AtomicLocalBackend',
    'ExactResumeHook',
    'StrictRunner',
    'prepare_launcher',
]
