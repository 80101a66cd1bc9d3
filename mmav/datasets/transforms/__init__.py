from .background_mix import BackgroundMix, mix_at_snr
from .count_instances import CountInstances
from .load_audio_segment import LoadAudioSegment
from .load_clip_frame import LoadClipFrame
from .load_multichannel_audio import LoadMultichannelAudio
from .load_teacher_embeddings import LoadTeacherEmbeddings
from .load_visual_modalities import LoadVisualModalities
from .microphone_dropout import MicrophoneDropout
from .mirror_flip import MirrorFlip
from .pack_audio_visual_inputs import PackAudioVisualInputs
from .pack_class_inputs import PackClassInputs
from .pack_localization_inputs import PackLocalizationInputs
from .pack_segment_inputs import PackSegmentInputs
from .random_gain import RandomGain
from .replace_audio import ReplaceAudio
from .resize_modalities import ResizeModalities
from .spec_augment import SpecAugment, mask_spectrogram

__all__ = [
    'BackgroundMix',
    'CountInstances',
    'LoadAudioSegment',
    'LoadClipFrame',
    'LoadMultichannelAudio',
    'LoadTeacherEmbeddings',
    'LoadVisualModalities',
    'MicrophoneDropout',
    'MirrorFlip',
    'PackAudioVisualInputs',
    'PackClassInputs',
    'PackLocalizationInputs',
    'PackSegmentInputs',
    'RandomGain',
    'ReplaceAudio',
    'ResizeModalities',
    'SpecAugment',
    'mask_spectrogram',
    'mix_at_snr',
]
