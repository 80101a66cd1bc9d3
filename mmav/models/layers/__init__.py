from .attentive_mmil_pooling import AttentiveMMILPooling, attentive_mmil_pooling
from .audio_visual_pyramid import AudioVisualPyramid
from .global_context_attention import GlobalContextAttention, SegmentAttention
from .gradient_reversal import GradientReversal, reverse_gradient
from .hybrid_attention import HybridAttentionLayer
from .log_mel_spectrogram import LogMelSpectrogram
from .log_spectrogram import LogSpectrogram
from .modality_discriminator import ModalityDiscriminator
from .same_max_pool import SameMaxPool2d
from .separable_conv import SeparableConv

__all__ = [
    'AttentiveMMILPooling',
    'AudioVisualPyramid',
    'GlobalContextAttention',
    'GradientReversal',
    'HybridAttentionLayer',
    'LogMelSpectrogram',
    'LogSpectrogram',
    'ModalityDiscriminator',
    'SameMaxPool2d',
    'SegmentAttention',
    'SeparableConv',
    'attentive_mmil_pooling',
    'reverse_gradient',
]
