from ..segment_models.dcmr import DCMR
from ..segment_models.dmin import DMIN

__all__ = ['DCMR', 'DMIN']
