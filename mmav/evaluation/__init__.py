from .functional import center_distance, mean_box_predictions
from .metrics import CenterDistanceMetric, MAVDMetric

__all__ = ['CenterDistanceMetric', 'MAVDMetric', 'center_distance', 'mean_box_predictions']
