from .bifpn import BiFPN
from .context_fpn import ContextFPN

__all__ = ['BiFPN', 'ContextFPN']
