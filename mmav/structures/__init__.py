from .directivity import Directivity
from .rig import GroundPlane, Rig
from .segment_data_sample import SegmentDataSample

__all__ = ['Directivity', 'GroundPlane', 'Rig', 'SegmentDataSample']
