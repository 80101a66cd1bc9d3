from ..segment_models.avg_pretrainer import AVGPretrainer
from ..segment_models.hybrid_attention_parser import HybridAttentionParser

__all__ = ['AVGPretrainer', 'HybridAttentionParser']
