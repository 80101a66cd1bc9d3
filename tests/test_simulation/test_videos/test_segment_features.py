import numpy as np
import pytest

from mmav.simulation.videos.segment_features import class_prototypes, event_features


@pytest.mark.parametrize('likeness', [0.0, 0.5, 0.9])
def test_directions_are_of_length_one_and_as_alike_as_asked(likeness):
    prototypes = class_prototypes(np.random.default_rng(0), 30, 4000, likeness)
    cosines = prototypes @ prototypes.T
    np.testing.assert_allclose(np.diag(cosines), 1)
    others = cosines[~np.eye(30, dtype=bool)]
    np.testing.assert_allclose(others, likeness, atol=0.1)
    with pytest.raises(ValueError, match='likeness'):
        class_prototypes(np.random.default_rng(0), 3, 4, 1.0)


def test_features_are_the_events_directions_times_their_strength():
    prototypes = class_prototypes(np.random.default_rng(0), 3, 8)
    activity = np.zeros((4, 2, 3))
    activity[1, 0, 2] = 0.5
    activity[2, 1, :2] = 1, 2
    features = event_features(np.random.default_rng(1), activity, prototypes, variation=0, noise=0)
    assert features.shape == (4, 2, 8) and features.dtype == np.float32
    np.testing.assert_allclose(features[1, 0], 0.5 * prototypes[2], rtol=1e-6)
    np.testing.assert_allclose(features[2, 1], prototypes[0] + 2 * prototypes[1], rtol=1e-6)
    assert not features[[0, 3]].any()


def test_variation_is_the_same_in_all_seconds_and_noise_is_not():
    prototypes = class_prototypes(np.random.default_rng(0), 2, 5000)
    activity = np.tile([1.0, 0.0], (3, 1))
    varied = event_features(np.random.default_rng(1), activity, prototypes, variation=0.7, noise=0)
    np.testing.assert_array_equal(varied[0], varied[2])
    np.testing.assert_allclose(np.linalg.norm(varied[0] - prototypes[0]), 0.7, rtol=0.05)
    noisy = event_features(np.random.default_rng(1), activity, prototypes, variation=0, noise=0.4)
    np.testing.assert_allclose(np.linalg.norm(noisy - prototypes[0], axis=1), 0.4, rtol=0.05)
    assert abs(np.corrcoef(noisy[0] - prototypes[0], noisy[1] - prototypes[0])[0, 1]) < 0.1
