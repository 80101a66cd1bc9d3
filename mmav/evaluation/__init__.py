from .functional import (
    center_distance,
    count_scores,
    hota,
    hota_counts,
    mean_box_predictions,
    tracking_metrics,
)
from .metrics import CenterDistanceMetric, CountMetric, MAVDMetric, TrackingMetric
from .offline import evaluate_detections, evaluate_mean_box

__all__ = [
    'CenterDistanceMetric',
    'CountMetric',
    'MAVDMetric',
    'TrackingMetric',
    'center_distance',
    'count_scores',
    'evaluate_detections',
    'evaluate_mean_box',
    'hota',
    'hota_counts',
    'mean_box_predictions',
    'tracking_metrics',
]
