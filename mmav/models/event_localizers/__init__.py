from .dcmr import DCMR
from .dmin import DMIN
from .segment_model import SegmentModel

__all__ = ['DCMR', 'DMIN', 'SegmentModel']
