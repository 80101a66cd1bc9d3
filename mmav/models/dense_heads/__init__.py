from .efficientdet_head import EfficientDetHead
from .factor_anchor_generator import FactorAnchorGenerator

__all__ = ['EfficientDetHead', 'FactorAnchorGenerator']
