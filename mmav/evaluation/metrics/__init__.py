from .center_distance_metric import CenterDistanceMetric
from .count_metric import CountMetric
from .mavd_metric import MAVDMetric
from .tracking_metric import TrackingMetric

__all__ = ['CenterDistanceMetric', 'CountMetric', 'MAVDMetric', 'TrackingMetric']
