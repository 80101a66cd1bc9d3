"""The inverse by sweeps against numpy's."""

import numpy as np
import pytest
import torch

from mmav.export.hermitian import HermitianInverse, gram_features
from mmav.models.layers.beamforming import hermitian_features


def factors(number: int, frames: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.standard_normal((50, number, frames)) + 1j * rng.standard_normal((50, number, frames))


@pytest.mark.parametrize('number', [1, 2, 3, 8, 16])
def test_inverse(number):
    root = factors(number, 2)
    matrices = root @ root.conj().transpose(0, 2, 1)
    matrices /= np.trace(matrices, axis1=1, axis2=2).real[:, None, None]
    matrices += 0.01 / number * np.eye(number)  # as the adaptive beamformer's loading
    expected = hermitian_features(torch.from_numpy(np.linalg.inv(matrices)))
    features = hermitian_features(torch.from_numpy(matrices)).float()
    found = HermitianInverse(number)(features.t()).t()
    torch.testing.assert_close(found.double(), expected, rtol=1e-4, atol=2e-5 * float(expected.max()))


def test_features_of_real_products():
    root = factors(5, 7)
    parts = np.concatenate([root.real, root.imag], axis=1)
    found = torch.from_numpy(parts @ parts.transpose(0, 2, 1)).flatten(1) @ gram_features(5).double()
    expected = hermitian_features(torch.from_numpy(root @ root.conj().transpose(0, 2, 1)))
    torch.testing.assert_close(found, expected)
