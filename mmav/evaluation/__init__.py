from .functional import (
    center_distance,
    ciou,
    ciou_at_thresholds,
    count_scores,
    hota,
    hota_counts,
    mean_box_predictions,
    tracking_metrics,
)
from .metrics import CenterDistanceMetric, CIoUMetric, CountMetric, MAVDMetric, TrackingMetric
from .offline import evaluate_detections, evaluate_mean_box

__all__ = [
    'CIoUMetric',
    'CenterDistanceMetric',
    'CountMetric',
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
    'mean_box_predictions',
    'tracking_metrics',
]
