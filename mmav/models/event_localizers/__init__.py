from .dcmr import DCMR
from .dmin import DMIN

__all__ = ['DCMR', 'DMIN']
