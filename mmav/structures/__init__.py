from .segment_data_sample import SegmentDataSample

__all__ = ['SegmentDataSample']
