from .atomic_checkpoint_hook import AtomicCheckpointHook
from .exact_resume_hook import ExactResumeHook
from .progress_bar_hook import ProgressBarHook
from .rig_check_hook import RigCheckHook

__all__ = ['AtomicCheckpointHook', 'ExactResumeHook', 'ProgressBarHook', 'RigCheckHook']
