from .avg_pretrainer import AVGPretrainer
from .hybrid_attention_parser import HybridAttentionParser

__all__ = ['AVGPretrainer', 'HybridAttentionParser']
