import lazy_loader

from .functional import (
    center_distance,
    ciou,
    ciou_at_thresholds,
    count_scores,
    hota,
    hota_counts,
    llp_counts,
    llp_f1,
    mean_box_predictions,
    segment_accuracy,
    segment_counts,
    tracking_metrics,
    window_accuracy,
    window_chance,
)
from .metrics import (
    AVEMetric,
    CenterDistanceMetric,
    CIoUMetric,
    CrossModalityMetric,
    LLPMetric,
    MAVDMetric,
    TrackingMetric,
)
from .offline import evaluate_detections, evaluate_mean_box

__all__ = [
    'AVEMetric',
    'CIoUMetric',
    'CenterDistanceMetric',
    'CountMetric',
    'CrossModalityMetric',
    'LLPMetric',
    'MAVDMetric',
    'TrackingMetric',
    'center_distance',
    'ciou',
    'ciou_at_thresholds',
    'count_scores',
    'evaluate_detections',
    'evaluate_mean_box',
    'hota',
    'hota_counts',
    'llp_counts',
    'llp_f1',
    'mean_box_predictions',
    'segment_accuracy',
    'segment_counts',
    'tracking_metrics',
    'window_accuracy',
    'window_chance',
]

__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs={'metrics': ['CountMetric']})
