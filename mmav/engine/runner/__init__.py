from .counted_data import CountedDataset, CountedSampler, count_samples
from .loops import ResumableEpochTrainLoop
from .strict_runner import StrictRunner

__all__ = ['CountedDataset', 'CountedSampler', 'ResumableEpochTrainLoop', 'StrictRunner', 'count_samples']
