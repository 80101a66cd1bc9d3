"""Geometry of the microphone array, as far as the data needs it."""

import numpy as np

_AZIMUTHS = np.deg2rad((np.arange(8) + 0.5) * 45.0)

OCTAGON_POSITIONS = tuple(
    (round(float(0.3 * np.sin(a)), 6), round(float(0.3 * np.cos(a)), 6), 0.0) for a in _AZIMUTHS
)
"""Default array: microphone k at azimuth (k + 0.5) * 45 degrees, clockwise seen from above, from the
driving direction; radius 0.3 m; x to the right, y forward, z up, in metres."""


def mirror_permutation(positions: np.ndarray, tolerance: float = 0.01) -> np.ndarray:
    """Order in which a left-right mirrored array hears.

    A scene mirrored at the plane x = 0 is heard by microphone k as the original scene is heard by
    the microphone that sits at k's mirror image. So ``mirrored = audio[mirror_permutation(positions)]``.

    Args:
        positions: (M, 3) or (M, 2) microphone positions in metres, x to the right.
        tolerance: How far, in metres, a microphone may be from the mirror image of its partner.

    Returns:
        (M,) indices, an involution.

    Raises:
        ValueError: If the array is not mirror symmetric.
    """
    positions = np.asarray(positions, dtype=np.float64)
    if positions.ndim != 2 or positions.shape[1] not in (2, 3):
        raise ValueError(f'microphone_positions must have shape (M, 3), got {positions.shape}')
    mirrored = positions.copy()
    mirrored[:, 0] *= -1
    distance = np.linalg.norm(mirrored[:, None] - positions[None], axis=-1)
    permutation = distance.argmin(axis=1)
    worst = distance.min(axis=1).max()
    if worst > tolerance or len(set(permutation.tolist())) != len(positions):
        raise ValueError(
            f'the microphone array is not mirror symmetric (a microphone is {worst:.3f} m from the '
            f'mirror image of the nearest other one; tolerance {tolerance} m), so a mirrored flip '
            'would be wrong: leave MirrorFlip out, or correct metainfo.microphone_positions'
        )
    return permutation
