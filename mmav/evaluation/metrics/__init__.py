from .center_distance_metric import CenterDistanceMetric
from .ciou_metric import CIoUMetric
from .count_metric import CountMetric
from .llp_metric import LLPMetric
from .mavd_metric import MAVDMetric
from .tracking_metric import TrackingMetric

__all__ = ['CIoUMetric', 'CenterDistanceMetric', 'CountMetric', 'LLPMetric', 'MAVDMetric', 'TrackingMetric']
