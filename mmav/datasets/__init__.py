from . import transforms
from .errors import SampleError
from .flickr_soundnet import FlickrSoundNetDataset
from .mavd import MAVDDataset
from .microphones import OCTAGON_POSITIONS, mirror_permutation
from .negative_sounds import NegativeSoundDataset
from .vggsound import VGGSoundDataset
from .vggss import VGGSSDataset

__all__ = [
    'OCTAGON_POSITIONS',
    'FlickrSoundNetDataset',
    'MAVDDataset',
    'NegativeSoundDataset',
    'SampleError',
    'VGGSSDataset',
    'VGGSoundDataset',
    'mirror_permutation',
    'transforms',
]
