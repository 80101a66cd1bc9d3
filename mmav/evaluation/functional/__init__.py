from .center_distance import center_distance
from .mean_box import mean_box_predictions

__all__ = ['center_distance', 'mean_box_predictions']
