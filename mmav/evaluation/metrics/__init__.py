import lazy_loader
from mmdet.registry import METRICS

from ...compat import register_lazily
from .ave_metric import AVEMetric
from .center_distance_metric import CenterDistanceMetric
from .ciou_metric import CIoUMetric
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

# CountMetric is mmpretrain's ConfusionMatrix, which is imported with it alone
__getattr__, __dir__, _ = lazy_loader.attach(__name__, submod_attrs={'count_metric': ['CountMetric']})
register_lazily(METRICS, 'CountMetric', f'{__name__}.count_metric')
