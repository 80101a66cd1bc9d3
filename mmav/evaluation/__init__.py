from .functional import center_distance, mean_box_predictions
from .metrics import CenterDistanceMetric, MAVDMetric
from .offline import evaluate_detections, evaluate_mean_box

__all__ = [
    'CenterDistanceMetric',
    'MAVDMetric',
    'center_distance',
    'evaluate_detections',
    'evaluate_mean_box',
    'mean_box_predictions',
]
