"""Oracles: pyroomacoustics' SRP-PHAT and image sources, closed forms, plain loops."""

import math

import numpy as np
import pyroomacoustics as pra
import pytest
import torch
from scipy.optimize import minimize

from mmav.models.layers.acoustic_image import spatial_covariance, steered_power, steering_vectors
from mmav.models.layers.beamforming import first_order_gains, mvdr_power, plane_wave_vectors
from mmav.simulation.drives.geometry import MicrophoneArray

ARRAY = torch.tensor(MicrophoneArray().positions)


def random_covariance(*shape, rank=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    columns = torch.randn(*shape, rank, dtype=torch.complex128, generator=generator)
    return columns @ columns.mH


def test_steered_power_equals_pyroomacoustics():
    """A Bartlett beamformer over spectra of magnitude 1 is SRP-PHAT, whose sum over pairs leaves a factor."""
    rng = np.random.default_rng(0)
    rate, n_fft, frames, num_mics = 16000, 256, 12, len(ARRAY)
    azimuth, colatitude = rng.uniform(-np.pi, np.pi, 50), rng.uniform(0, np.pi, 50)
    spectrum = np.exp(2j * np.pi * rng.random((num_mics, n_fft // 2 + 1, frames)))
    bins = np.arange(4, 100, 7)
    srp = pra.doa.SRP(ARRAY.numpy().T, rate, n_fft, c=343.0, dim=3, azimuth=azimuth, colatitude=colatitude)
    srp.locate_sources(spectrum, freq_bins=bins)
    factor = num_mics**2 / (num_mics * (num_mics - 1) / 2)

    towards = np.stack([srp.grid.x, srp.grid.y, srp.grid.z], axis=1)
    steering = plane_wave_vectors(torch.from_numpy(towards), ARRAY, torch.from_numpy(bins * rate / n_fft))
    covariance = spatial_covariance(torch.from_numpy(spectrum[None][:, :, bins]), torch.ones(1, frames))
    power = steered_power(covariance, steering)[0, 0].mean(0)
    np.testing.assert_allclose(power * factor, srp.grid.values, rtol=1e-9)


def test_steering_vectors_equal_the_responses_of_image_sources():
    """A box of which the floor alone reflects, by pyroomacoustics' image source method."""
    rate, reflection = 48000, 0.7
    walls = dict.fromkeys(('east', 'west', 'north', 'south', 'ceiling'), pra.Material(1.0))
    materials = dict(walls, floor=pra.Material(1 - reflection**2))
    room = pra.ShoeBox([60, 60, 30], fs=rate, materials=materials, max_order=1)
    offset = np.array([30.0, 20.0, 0.0])
    points = np.array([[3.0, 10.0, 0.5], [-4.0, 6.0, 0.5], [0.0, 15.0, 0.8]])
    for point in points:
        room.add_source(offset + point)
    room.add_microphone_array(offset[:, None] + ARRAY.numpy().T)
    room.compute_rir()
    frequencies = np.array([200.0, 700.0, 1500.0, 3100.0, 6000.0])
    arguments = [torch.from_numpy(points), ARRAY, torch.from_numpy(frequencies), room.c]
    modeled, free = (steering_vectors(*arguments, coefficient).numpy() for coefficient in (reflection, 0.0))
    theirs = np.empty_like(modeled)
    for source, k, microphone in np.ndindex(theirs.shape):
        response = room.rir[microphone][source]
        wave = np.exp(-2j * np.pi * frequencies[k] * np.arange(len(response)) / rate)
        theirs[source, k, microphone] = response @ wave
    theirs /= np.linalg.norm(theirs, axis=-1, keepdims=True)
    # they share a delay, which the scalar product takes out
    np.testing.assert_allclose(np.abs((theirs.conj() * modeled).sum(-1)), 1, atol=1e-4)
    assert np.abs((theirs.conj() * free).sum(-1)).min() < 0.97


def test_steering_vectors_follow_their_formula():
    points, reflection, speed = torch.tensor([[2.0, 8.0, 0.5]], dtype=torch.float64), 0.6, 340.0
    frequencies = torch.tensor([321.0, 4000.0], dtype=torch.float64)
    out = steering_vectors(points, ARRAY, frequencies, speed, reflection)[0].numpy()
    for f, row in zip(frequencies.tolist(), out):
        expected = []
        for x, y, z in ARRAY.tolist():
            direct = math.sqrt((2 - x) ** 2 + (8 - y) ** 2 + (0.5 - z) ** 2)
            mirrored = math.sqrt((2 - x) ** 2 + (8 - y) ** 2 + (-0.5 - z) ** 2)
            wave = -2j * np.pi * f / speed
            expected.append(np.exp(wave * direct) / direct + reflection * np.exp(wave * mirrored) / mirrored)
        np.testing.assert_allclose(row, expected / np.linalg.norm(expected), rtol=1e-9)


def test_without_reflection_there_is_the_free_field():
    points = torch.tensor([[2.0, 8.0, 0.5], [-1.0, 20.0, 0.5]], dtype=torch.float64)
    frequencies = torch.tensor([250.0, 2500.0], dtype=torch.float64)
    distance = torch.cdist(points, ARRAY)[:, None]
    free = torch.exp(-2j * math.pi * frequencies[:, None] * distance / 343.0) / distance
    free = free / free.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(steering_vectors(points, ARRAY, frequencies), free)
    # a source on the ground is its own mirror image: two equal paths, scaled away
    low = points * torch.tensor([1.0, 1.0, 0.0])
    torch.testing.assert_close(
        steering_vectors(low, ARRAY, frequencies, ground_reflection=0.7),
        steering_vectors(low, ARRAY, frequencies),
    )


def test_far_points_send_plane_waves():
    direction = torch.nn.functional.normalize(
        torch.tensor([[0.3, 0.9, -0.1], [-1.0, 0.2, 0.4]]).double(), dim=1
    )
    frequencies = torch.tensor([200.0, 3000.0], dtype=torch.float64)

    def gains(towards, frequencies):
        axes = torch.from_numpy(MicrophoneArray().axes)
        return first_order_gains(towards, axes, torch.tensor([0.5, 0.7], dtype=torch.float64))

    near = steering_vectors(1e5 * direction, ARRAY, frequencies, directivity=gains)
    far = plane_wave_vectors(direction, ARRAY, frequencies, directivity=gains)
    torch.testing.assert_close(
        (near.conj() * far).sum(-1).abs(), torch.ones(2, 2).double(), atol=1e-6, rtol=0
    )


def test_two_microphones_have_the_closed_form_of_a_plane_wave():
    """cos^2(pi f d (sin a - sin b) / c) of a wave from azimuth b steered at azimuth a."""
    spacing, true, frequency = 0.2, 0.4, 1300.0
    microphones = torch.tensor([[-spacing / 2, 0, 0], [spacing / 2, 0, 0]], dtype=torch.float64)
    azimuth = torch.linspace(-1.5, 1.5, 31, dtype=torch.float64)
    towards = torch.stack([azimuth.sin(), azimuth.cos(), torch.zeros(31)], dim=1)
    # the wave reaches the right microphone first
    delay = -spacing * math.sin(true) / 343.0 / 2 * torch.tensor([-1.0, 1.0], dtype=torch.float64)
    time = torch.arange(4096, dtype=torch.float64) / 16000
    signal = torch.sin(2 * math.pi * frequency * (time - delay[:, None])) * torch.hann_window(4096).double()
    exact = frequency * 4096 / 16000
    spectrum = torch.fft.rfft(signal)[:, round(exact)]
    covariance = spatial_covariance(spectrum[None, :, None, None], torch.ones(1, 1))
    steering = plane_wave_vectors(towards, microphones, torch.tensor([frequency], dtype=torch.float64))
    power = steered_power(covariance, steering)[0, 0, 0]
    phase = math.pi * frequency * spacing * (azimuth.sin() - math.sin(true)) / 343.0
    torch.testing.assert_close(power, phase.cos().square(), atol=1e-5, rtol=0)


def test_covariance_and_power_equal_plain_loops():
    generator = torch.Generator().manual_seed(1)
    spectrum = torch.randn(2, 4, 3, 5, dtype=torch.complex128, generator=generator)
    weights = torch.rand(2, 5, dtype=torch.float64, generator=generator)
    covariance = spatial_covariance(spectrum, weights)
    assert covariance.shape == (2, 2, 3, 4, 4)
    for b, s, f in np.ndindex(2, 2, 3):
        frames = [weights[s, t] * torch.outer(x, x.conj()) for t, x in enumerate(spectrum[b, :, f].T)]
        torch.testing.assert_close(covariance[b, s, f], sum(frames))
    steering = torch.randn(6, 3, 4, dtype=torch.complex128, generator=generator)
    steering = steering / steering.norm(dim=-1, keepdim=True)
    power = steered_power(covariance, steering)
    for b, s, f, p in np.ndindex(2, 2, 3, 6):
        matrix, g = covariance[b, s, f], steering[p, f]
        torch.testing.assert_close(power[b, s, f, p], (g.conj() @ matrix @ g / matrix.trace()).real)


def test_power_is_a_share():
    steering = plane_wave_vectors(torch.eye(3).double(), ARRAY, torch.tensor([800.0]).double())
    alone = steering[1, :, :, None] * steering[1, :, None, :].conj()
    power = steered_power(alone[None, None], steering)[0, 0, 0]
    assert power[1] == pytest.approx(1) and power[0] < 0.9 and power[2] < 0.9
    unrelated = torch.eye(8, dtype=torch.complex128).expand(1, 1, 1, 8, 8)
    for matrix in (unrelated, 0 * unrelated):
        torch.testing.assert_close(steered_power(matrix, steering), torch.full((1, 1, 1, 3), 1 / 8).double())
    louder = steered_power(1e-9 * random_covariance(1, 1, 1, 8), steering)
    torch.testing.assert_close(louder, steered_power(random_covariance(1, 1, 1, 8), steering))


def random_steering(*shape, seed=3):
    generator = torch.Generator().manual_seed(seed)
    steering = torch.randn(*shape, dtype=torch.complex128, generator=generator)
    return steering / steering.norm(dim=-1, keepdim=True)


def test_mvdr_power_is_the_least_that_weights_let_pass():
    """Capon's problem, solved by scipy: minimize w^H C w where w^H g = 1."""
    covariance, steering, loading = random_covariance(1, 1, 1, 3), random_steering(1, 1, 3), 0.05
    matrix = covariance[0, 0, 0] / covariance[0, 0, 0].trace()
    matrix = ((matrix + loading / 3 * torch.eye(3)) / (1 + loading)).numpy()
    g = steering[0, 0].numpy()

    def passed(values):
        weights = values[:3] + 1j * values[3:]
        return (weights.conj() @ matrix @ weights).real

    def distortion(values):
        response = (values[:3] + 1j * values[3:]).conj() @ g - 1
        return [response.real, response.imag]

    start = np.concatenate([g.real, g.imag])
    best = minimize(passed, start, constraints=dict(type='eq', fun=distortion), tol=1e-12)
    assert best.success
    assert mvdr_power(covariance, steering, loading).item() == pytest.approx(best.fun, rel=1e-5)


def test_mvdr_power_is_never_above_bartletts_and_becomes_it():
    covariance, steering = random_covariance(2, 1, 3, 5, rank=4), random_steering(7, 3, 5)
    bartlett = steered_power(covariance, steering)
    # of the loaded covariance, whose Bartlett power is known
    assert (mvdr_power(covariance, steering, 0.1) <= (bartlett + 0.1 / 5) / 1.1 + 1e-12).all()
    # under heavy loading nothing is left to adapt to
    loading = 1e4
    heavy = mvdr_power(covariance, steering, loading) * (1 + loading) - loading / 5
    torch.testing.assert_close(heavy, bartlett, atol=1e-3, rtol=0)


def test_mvdr_power_parts_what_bartletts_beam_joins():
    """Two sources 18 degrees apart at 1,200 Hz: two peaks, where the conventional beam has one."""
    angles = np.deg2rad(np.arange(-45, 46, 1.5))
    directions = torch.from_numpy(np.stack([np.sin(angles), np.cos(angles), 0 * angles], axis=1))
    steering = plane_wave_vectors(directions, ARRAY, torch.tensor([1200.0]).double())
    pair = [24, 36]  # -9 and 9 degrees
    covariance = sum(steering[k, 0, :, None] * steering[k, 0, None, :].conj() for k in pair)[None, None, None]
    covariance = covariance + 0.01 * torch.eye(8)

    def peaks(power):
        inner = power[1:-1]
        return (np.flatnonzero((inner > power[:-2]) & (inner > power[2:])) + 1).tolist()

    assert peaks(mvdr_power(covariance, steering)[0, 0, 0].numpy()) == pair
    assert peaks(steered_power(covariance, steering)[0, 0, 0].numpy()) != pair


def test_mvdr_power_of_silence_and_of_unrelated_sound():
    steering = random_steering(4, 1, 8)
    unrelated = torch.eye(8, dtype=torch.complex128).expand(1, 1, 1, 8, 8)
    for matrix in (unrelated, 1e-9 * unrelated, 0 * unrelated):
        torch.testing.assert_close(mvdr_power(matrix, steering), torch.full((1, 1, 1, 4), 1 / 8).double())


@pytest.mark.parametrize('reflection', [0.0, 0.7])
def test_gradients(reflection):
    points = torch.tensor([[1.0, 5.0, 0.5], [-2.0, 7.0, 0.5]], dtype=torch.float64, requires_grad=True)
    microphones = ARRAY[:3].clone().requires_grad_()
    frequencies = torch.tensor([180.0, 950.0], dtype=torch.float64)
    axes = torch.from_numpy(MicrophoneArray().axes[:3])
    alpha = torch.tensor([0.3, 0.6], dtype=torch.float64)
    covariance = random_covariance(1, 2, 2, 3)

    def near(points, microphones):
        def gains(towards, _):
            return first_order_gains(towards, axes, alpha)

        vectors = steering_vectors(points, microphones, frequencies, 343.0, reflection, gains)
        return steered_power(covariance, vectors)

    def far(directions, microphones):
        return steered_power(covariance, plane_wave_vectors(directions, microphones, frequencies))

    def adaptive(directions, microphones, columns):
        vectors = plane_wave_vectors(directions, microphones, frequencies)
        return mvdr_power(columns @ columns.mH, vectors)

    assert torch.autograd.gradcheck(near, (points, microphones))
    assert torch.autograd.gradcheck(far, (points, microphones))
    columns = torch.randn(1, 1, 2, 3, 4, dtype=torch.complex128, requires_grad=True)
    assert torch.autograd.gradcheck(adaptive, (points, microphones, columns))
    spectrum = torch.randn(1, 2, 2, 4, dtype=torch.complex128, requires_grad=True)
    weights = torch.rand(2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(spatial_covariance, (spectrum, weights))
