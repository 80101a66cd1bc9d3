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
    tracking_metrics,
)
from .metrics import CenterDistanceMetric, CIoUMetric, CountMetric, LLPMetric, MAVDMetric, TrackingMetric
from .offline import evaluate_detections, evaluate_mean_box

__all__ = [
    'CIoUMetric',
    'CenterDistanceMetric',
    'CountMetric',
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
    'tracking_metrics',
]
