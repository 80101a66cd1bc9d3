from .context_fpn import ContextFPN

__all__ = ['ContextFPN']
