from mmav.utils.fileio import AtomicLocalBackend

from .backends import RemoteBackend, RetryingHTTPBackend, S3Backend
from .distributed import close_launcher, is_main_of, join_launcher, open_gloo, prepare_launcher
from .hooks import AtomicCheckpointHook, ExactResumeHook, ProgressBarHook, RigCheckHook
from .runner import StrictRunner

__all__ = [
    'AtomicCheckpointHook',
    'AtomicLocalBackend',
    'ExactResumeHook',
    'ProgressBarHook',
    'RemoteBackend',
    'RetryingHTTPBackend',
    'RigCheckHook',
    'S3Backend',
    'StrictRunner',
    'close_launcher',
    'is_main_of',
    'join_launcher',
    'open_gloo',
    'prepare_launcher',
]
