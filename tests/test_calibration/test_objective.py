"""What is maximized, and how certain it is, against numpy and plain derivatives."""

import numpy as np
import pytest
import torch
from rigs import make_rig
from tiny_array import EXACT, tiny_rig

from mmav.calibration import ArrayPrior, CalibrationFrames, PlacePrior, explained_share, geman_mcclure
from mmav.calibration.fit import Fit, energies
from mmav.calibration.objective import ArrayModel
from mmav.calibration.uncertainty import posterior_covariance
from mmav.models.layers.beamforming import steered_power, unit_length


def random_complex(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.complex128, generator=generator)


def random_covariance(*shape):
    root = random_complex(*shape, shape[-1])
    covariance = root @ root.mH
    return covariance / covariance.diagonal(dim1=-2, dim2=-1).real.sum(-1)[..., None, None]


def test_one_vector_explains_its_steered_power():
    covariance, vectors = random_covariance(3, 5, 4), unit_length(random_complex(3, 1, 5, 4, seed=1))
    share = explained_share(covariance, vectors)
    expected = torch.stack(
        [steered_power(covariance[None, n : n + 1], vectors[n])[0, 0, :, 0] for n in range(3)]
    )
    torch.testing.assert_close(share, expected)


def test_two_vectors_explain_what_their_span_holds():
    covariance, vectors = random_covariance(2, 3, 6), unit_length(random_complex(2, 2, 3, 6, seed=1))
    share = explained_share(covariance, vectors)
    for n in range(2):
        for f in range(3):
            basis, _ = np.linalg.qr(vectors[n, :, f].T.numpy())
            expected = np.trace(basis.conj().T @ covariance[n, f].numpy() @ basis).real
            assert float(share[n, f]) == pytest.approx(expected, abs=2e-3)
    # the same place twice is one place
    twice = vectors[:, :1].expand(-1, 2, -1, -1)
    torch.testing.assert_close(
        explained_share(covariance, twice), explained_share(covariance, vectors[:, :1])
    )


def test_geman_mcclure_has_its_limits():
    error = torch.tensor([0.0, 1e-6, 0.1, 1e9], dtype=torch.float64)
    torch.testing.assert_close(
        geman_mcclure(error, 0.1), error.new_tensor([0, 1e-6, 0.05, 0.1]), rtol=1e-4, atol=0
    )


def test_bad_priors():
    with pytest.raises(ValueError, match='gain_std must be 0 or more'):
        ArrayPrior(gain_std=-1.0)


def test_places_of_boxes():
    rig = make_rig()
    # row 50 is 8 m away at the principal column: camera height x focal length / (row - horizon)
    places = PlacePrior(depth=2.0).box_places(rig, [[70, 30, 90, 50]])
    np.testing.assert_allclose(places, [[0, 10, 0.5]], atol=1e-9)
    # a car of 4 m along the road 2 m to the right, its near end 8 m away: between both ends' columns
    column = 80 + 100 * (2 / 8 + 2 / 12) / 2
    placed = PlacePrior(depth=2.0).box_places(rig, [[column - 9, 30, column + 9, 50]])[0]
    assert placed[0] == pytest.approx(2.0, abs=0.02)
    free = PlacePrior(far_distance=20.0).box_places(make_rig(ground=None), [[70, 20, 90, 40]])
    np.testing.assert_allclose(free, [[0, 20, 1.6]], atol=1e-9)


def test_offsets_turn_stretch_and_lift():
    prior = PlacePrior(azimuth_std=2.0, distance_std=0.1, height_std=0.5)
    place = torch.tensor([[[3.0, 9.0, 0.5]]], dtype=torch.float64)
    camera = torch.tensor([1.0, -1.0, 1.6], dtype=torch.float64)
    offsets = torch.tensor([[[1.0, 2.0, -1.0]]], dtype=torch.float64)
    (x, y, z) = prior.moved(place, camera, offsets)[0, 0].tolist()
    azimuth = np.degrees(np.arctan2(2, 10)) + 2.0
    assert np.degrees(np.arctan2(x - 1, y + 1)) == pytest.approx(azimuth)
    assert np.hypot(x - 1, y + 1) == pytest.approx(np.hypot(2, 10) * np.exp(0.2))
    assert z == pytest.approx(0.5 * np.exp(-0.5))


def tiny_problem():
    rig = tiny_rig(microphone_positions=[[-0.3, 0, 1.7], [0.3, 0.1, 1.7], [0, 0.3, 1.8]])
    generator = torch.Generator().manual_seed(0)
    places = torch.tensor([[[1.0, 8, 0.5], [0, 0, 0]], [[-2.0, 7, 0.5], [2.0, 9, 0.5]]], dtype=torch.float64)
    frames = CalibrationFrames(
        covariance=random_covariance(2, 2, 3),
        frequencies=torch.tensor([200.0, 300.0], dtype=torch.float64),
        places=places,
        num_boxes=torch.tensor([1, 2]),
        total=torch.ones(2, 2, dtype=torch.float64),
        weights=torch.rand(2, 2, dtype=torch.float64, generator=generator),
        drives=torch.tensor([0, 1]),
        azimuths=np.array([7.0, -16.0]),
        left_out={},
        sample_rate=44100,
    )
    model = ArrayModel(rig, ArrayPrior(0.01, 0.5, 1e-5), EXACT)
    array = 0.1 * torch.randn(15, dtype=torch.float64, generator=generator)
    offsets = 0.1 * torch.randn(2, 2, 3, dtype=torch.float64, generator=generator)
    return model, frames, Fit(array, offsets, 100.0, 0.0)


def test_laplace_covariance_is_the_array_part_of_the_inverse_hessian():
    model, frames, fit = tiny_problem()

    def half_energy(values):
        array, offsets = values[:15], values[15:].reshape(2, 2, 3)
        return 0.5 * (energies(model, frames, array, offsets, fit.scale).sum() + array.square().sum())

    values = torch.cat((fit.array, fit.offsets.flatten()))
    hessian = torch.autograd.functional.hessian(half_energy, values).numpy()
    counted = np.r_[0:18, 21:27]  # the second place of the first frame does not count
    laplace = np.linalg.inv(hessian[np.ix_(counted, counted)])[:15, :15]
    found = posterior_covariance(model, frames, fit).diagonal().numpy()
    # never below it; these frames hardly tell anything, so that it is the prior's
    assert (found >= laplace.diagonal() - 1e-3).all()
    np.testing.assert_allclose(found, laplace.diagonal(), rtol=0.1)


def test_the_center_and_common_gains_stay():
    model, _, fit = tiny_problem()
    positions, gains, delays = model.split(model.corrections(fit.array))
    for values in (positions, gains[:, None], delays[:, None]):
        assert values.mean(0).abs().max() < 1e-12
    rig = model.calibrated(fit.array)
    center = model.rig.microphone_positions.mean(0)
    np.testing.assert_allclose(rig.microphone_positions.mean(0), center, atol=1e-12)
    assert rig.microphone_delays is not None and rig.crop == model.rig.crop
