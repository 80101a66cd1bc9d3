from mmav.utils.errors import SampleError

from . import transforms
from .ave import AVE_CLASSES, AVEDataset
from .flickr_soundnet import FlickrSoundNetDataset
from .llp import LLP_CLASSES, LLPDataset
from .mavd import MAVDDataset
from .microphones import OCTAGON_POSITIONS, mirror_permutation
from .negative_sounds import NegativeSoundDataset
from .vggsound import VGGSoundDataset
from .vggss import VGGSSDataset

__all__ = [
    'AVE_CLASSES',
    'LLP_CLASSES',
    'OCTAGON_POSITIONS',
    'AVEDataset',
    'FlickrSoundNetDataset',
    'LLPDataset',
    'MAVDDataset',
    'NegativeSoundDataset',
    'SampleError',
    'VGGSSDataset',
    'VGGSoundDataset',
    'mirror_permutation',
    'transforms',
]
