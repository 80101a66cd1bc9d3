from .center_distance_metric import CenterDistanceMetric
from .mavd_metric import MAVDMetric

__all__ = ['CenterDistanceMetric', 'MAVDMetric']
