from .ave_metric import AVEMetric
from .center_distance_metric import CenterDistanceMetric
from .ciou_metric import CIoUMetric
from .count_metric import CountMetric
from .cross_modality_metric import CrossModalityMetric
from .llp_metric import LLPMetric
from .mavd_metric import MAVDMetric
from .tracking_metric import TrackingMetric

__all__ = [
    'AVEMetric',
    'CIoUMetric',
    'CenterDistanceMetric',
    'CountMetric',
    'CrossModalityMetric',
    'LLPMetric',
    'MAVDMetric',
    'TrackingMetric',
]
