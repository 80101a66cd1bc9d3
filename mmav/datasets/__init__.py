from . import transforms
from .errors import SampleError
from .mavd import MAVDDataset
from .microphones import OCTAGON_POSITIONS, mirror_permutation

__all__ = ['OCTAGON_POSITIONS', 'MAVDDataset', 'SampleError', 'mirror_permutation', 'transforms']
