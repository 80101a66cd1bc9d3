import lazy_loader
from mmdet.registry import MODELS

from ...compat import register_lazily

# AudioClassifier is mmpretrain's ImageClassifier, which is imported with it alone
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={'audio_classifier': ['AudioClassifier']}
)
register_lazily(MODELS, 'AudioClassifier', f'{__name__}.audio_classifier')
