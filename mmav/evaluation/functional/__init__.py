from .center_distance import center_distance
from .count_scores import count_scores
from .hota import hota, hota_counts
from .mean_box import mean_box_predictions
from .tracking import tracking_metrics

__all__ = [
    'center_distance',
    'count_scores',
    'hota',
    'hota_counts',
    'mean_box_predictions',
    'tracking_metrics',
]
