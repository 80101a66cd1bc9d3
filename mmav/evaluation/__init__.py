from .functional import center_distance, hota, hota_counts, mean_box_predictions, tracking_metrics
from .metrics import CenterDistanceMetric, MAVDMetric, TrackingMetric
from .offline import evaluate_detections, evaluate_mean_box

__all__ = [
    'CenterDistanceMetric',
    'MAVDMetric',
    'TrackingMetric',
    'center_distance',
    'evaluate_detections',
    'evaluate_mean_box',
    'hota',
    'hota_counts',
    'mean_box_predictions',
    'tracking_metrics',
]
