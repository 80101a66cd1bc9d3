from .center_distance_metric import CenterDistanceMetric
from .mavd_metric import MAVDMetric
from .tracking_metric import TrackingMetric

__all__ = ['CenterDistanceMetric', 'MAVDMetric', 'TrackingMetric']
