from .acoustic_image import AcousticImage
from .attentive_mmil_pooling import AttentiveMMILPooling, attentive_mmil_pooling
from .audio_guided_triplet_attention import AudioGuidedTripletAttention, factorized_bilinear_pooling
from .audio_visual_fusion import AudioVisualFusion
from .audio_visual_pyramid import AudioVisualPyramid
from .beamforming import spatial_covariance, steered_power, steering_vectors
from .dense_fusion_attention import dense_fusion_attention
from .dense_inter_modality_attention import DenseInterModalityAttention, DIMALayer
from .dense_modality_interaction import DenseModalityInteraction
from .global_context_attention import GlobalContextAttention, SegmentAttention
from .gradient_reversal import GradientReversal, reverse_gradient
from .hybrid_attention import HybridAttentionLayer
from .log_mel_spectrogram import LogMelSpectrogram
from .log_spectrogram import LogSpectrogram
from .modality_discriminator import ModalityDiscriminator
from .query_matching import gather_query, match_cumulatively, match_windows, sum_windows
from .same_max_pool import SameMaxPool2d
from .separable_conv import SeparableConv
from .vggish_log_mel import VGGishLogMel

__all__ = [
    'AcousticImage',
    'AttentiveMMILPooling',
    'AudioGuidedTripletAttention',
    'AudioVisualFusion',
    'AudioVisualPyramid',
    'DIMALayer',
    'DenseInterModalityAttention',
    'DenseModalityInteraction',
    'GlobalContextAttention',
    'GradientReversal',
    'HybridAttentionLayer',
    'LogMelSpectrogram',
    'LogSpectrogram',
    'ModalityDiscriminator',
    'SameMaxPool2d',
    'SegmentAttention',
    'SeparableConv',
    'VGGishLogMel',
    'attentive_mmil_pooling',
    'dense_fusion_attention',
    'factorized_bilinear_pooling',
    'gather_query',
    'match_cumulatively',
    'match_windows',
    'reverse_gradient',
    'spatial_covariance',
    'steered_power',
    'steering_vectors',
    'sum_windows',
]
