from .atomic_checkpoint_hook import AtomicCheckpointHook
from .exact_resume_hook import ExactResumeHook

__all__ = ['AtomicCheckpointHook', 'ExactResumeHook']
