"""Features of seconds of simulated videos: what a network might say of a sound or image in which events
happen.

Shapes: C classes, D channels, T seconds.
"""

import numpy as np


def class_prototypes(
    rng: np.random.Generator, num_classes: int, channels: int, likeness: float = 0.0
) -> np.ndarray:
    """A direction (C, D) float64, of length 1, for each class.

    ``likeness`` is the expected cosine of the directions of two classes, 0 up to but not 1 (else a
    ValueError).
    """
    if not 0 <= likeness < 1:
        raise ValueError(f'likeness must be 0 or more and below 1, got {likeness}')
    common, own = rng.standard_normal(channels), rng.standard_normal((num_classes, channels))
    prototypes = likeness**0.5 * common + (1 - likeness) ** 0.5 * own
    return prototypes / np.linalg.norm(prototypes, axis=1, keepdims=True)


def event_features(
    rng: np.random.Generator, activity: np.ndarray, prototypes: np.ndarray, variation: float, noise: float
) -> np.ndarray:
    """Features of one video.

    A second's feature is the sum of the directions of its events, each times its strength, plus noise. The
    same event looks and sounds a little different in every video, but alike in all its seconds.

    Args:
        rng: Gives variation and noise.
        activity: Strength of each event, (T, C) or (..., C), e.g. (T, H, W, C); 0 where it does not happen.
        prototypes: Directions of the classes, (C, D).
        variation: Length of what a video adds to the direction of each class, which has length 1.
        noise: Length of each second's noise.

    Returns:
        (T, D) or (..., D) float32.
    """
    channels = prototypes.shape[1]
    own = prototypes + variation / channels**0.5 * rng.standard_normal(prototypes.shape)
    features = activity @ own + noise / channels**0.5 * rng.standard_normal((*activity.shape[:-1], channels))
    return features.astype(np.float32)
