import copy
import json
import math

import numpy as np
import pyroomacoustics as pra
import pytest
import torch
from mmdet.registry import MODELS
from rigs import make_rig, turned_pose
from torch.func import functional_call

from mmav.models.layers import AcousticImage
from mmav.models.layers.acoustic_image import spatial_covariance, steered_power, steering_vectors
from mmav.models.layers.beamforming import mvdr_power
from mmav.simulation.drives.geometry import MicrophoneArray

SMALL = dict(grid=(6, 16), band_edges=(200, 800, 2000))
POINT_COLUMNS = 16


def noise(batch=1, num_mics=8, samples=44100, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(batch, num_mics, samples, generator=generator)


def room_sound(rig, point, reflection=0.7, seconds=1.0, rate=44100, seed=0):
    """White noise of a point source over a reflecting floor, by pyroomacoustics: (1, M, L)."""
    walls = dict.fromkeys(('east', 'west', 'north', 'south', 'ceiling'), pra.Material(1.0))
    materials = dict(walls, floor=pra.Material(1 - reflection**2))
    room = pra.ShoeBox([100, 100, 30], fs=rate, materials=materials, max_order=1)
    samples = round(seconds * rate)
    signal = np.random.default_rng(seed).standard_normal(samples + 8000)
    offset = np.array([50.0, 30.0, 0.0])
    room.add_source(offset + point, signal=signal)
    room.add_microphone_array(offset[:, None] + rig.microphone_positions.T)
    room.simulate()
    sound = room.mic_array.signals[:, 8000 : 8000 + samples]
    return torch.from_numpy(0.1 * sound / np.abs(sound).max()).float()[None]


@pytest.fixture(scope='module')
def symmetric_layer():
    """Array and camera are their own mirror images."""
    axes = MicrophoneArray().axes
    return AcousticImage(make_rig(microphone_axes=axes, directivity=0.6), **SMALL)


def test_default_shape_and_channels():
    layer = AcousticImage(make_rig())
    out = layer(noise(2))
    assert out.shape == (2, 35, 24, 48) and out.dtype == torch.float32 and layer.num_channels == 35
    assert out.isfinite().all()
    contrast, level, broadband = out.split([24, 8, 3], dim=1)
    assert (contrast < 0).all()  # a share of the power, in decibel
    assert (level == level[..., :1, :1]).all()
    assert (broadband.amin((2, 3)) == 0).all() and (broadband.amax((2, 3)) == 1).all()
    # The horizon is at row 30 of 80; from 1.6 m the ground is 40 m away at row 34: 10 of 24 rows are above.
    assert (out[:, :, :10] == out[:, :, :1]).all() and not (out[:, :, 10] == out[:, :, 9]).all()


def test_equals_the_equations_one_by_one():
    rig = make_rig()
    options = dict(windows=((0.1, 0.08), None), grid=(4, 8), band_edges=(300, 500, 900), hop_length=700)
    layer = AcousticImage(rig, **options, channels=('broadband', 'contrast', 'level'))
    waveform = noise(1, 8, 12000).double()
    window = np.hanning(2049)[:-1]
    starts = np.arange(0, 12000 - 2048 + 1, 700)
    frames = np.stack([waveform[0, :, start : start + 2048].numpy() * window for start in starts])
    spectrum = np.fft.rfft(frames).transpose(1, 2, 0) / np.sqrt((window**2).sum())
    triangle = np.maximum(1 - np.abs((starts + 1024) / 44100 - 0.1) / 0.08, 0)
    weights = np.stack([triangle / triangle.sum(), np.full(len(starts), 1 / len(starts))])
    frequencies = np.fft.rfftfreq(2048, 1 / 44100)

    rows, columns = np.meshgrid((np.arange(4) + 0.5) * 20, (np.arange(8) + 0.5) * 20, indexing='ij')
    points = rig.ground_points(np.stack([columns.ravel(), rows.ravel()], axis=1), 40.0)
    points[:, 2] = 0.5
    contrast, level = [], []
    for low, high in ((300, 500), (500, 900)):
        chosen = (frequencies >= low) & (frequencies < high)
        covariance = spatial_covariance(
            torch.from_numpy(spectrum[None][:, :, chosen]), torch.from_numpy(weights)
        )
        steering = steering_vectors(
            torch.from_numpy(points),
            torch.tensor(rig.microphone_positions),
            torch.from_numpy(frequencies[chosen]),
            ground_reflection=0.7,
        )
        contrast.append(steered_power(covariance, steering)[0].mean(1))
        level.append((np.abs(spectrum[:, chosen]) ** 2).mean())
    contrast = torch.stack(contrast, dim=1)  # window, band, point
    mean = contrast.mean(1)
    low, high = mean.amin(1, keepdim=True), mean.amax(1, keepdim=True)
    expected = torch.cat([(mean - low) / (high - low), 10 * contrast.log10().flatten(0, 1)]).view(-1, 4, 8)
    out = layer(waveform)[0]
    torch.testing.assert_close(out[:6].double(), expected, atol=2e-3, rtol=0)
    torch.testing.assert_close(out[6:, 0, 0].double(), 10 * torch.tensor(level).log10(), atol=1e-4, rtol=0)


@pytest.mark.parametrize('column, row', [(3, 4), (8, 3), (12, 5), (15, 4)])
def test_a_source_is_brightest_in_its_cell(column, row):
    """The sound is pyroomacoustics', of a point over a reflecting floor."""
    rig = make_rig()
    layer = AcousticImage(rig, **SMALL)
    pixel = ((column + 0.5) * 10, (row + 0.5) * 80 / 6)
    point = rig.ground_points([pixel])[0] + [0, 0, 0.5]
    out = layer(room_sound(rig, point))[0]
    for channel in out[[0, 1, 2, 3, 4, 5, 8, 9, 10]]:  # each band and window, and each broad band
        assert divmod(int(channel.argmax()), POINT_COLUMNS)[1] == column
    assert divmod(int(out[10].argmax()), POINT_COLUMNS) == (row, column)
    assert out[5, row, column] > -0.2  # decibel: nearly all of the sound comes from there


def test_a_tilted_turned_camera_sees_the_source_where_it_projects():
    rig = make_rig(camera_pose=turned_pose(5), distortion=(-0.1, 0.02, 0.0, 0.0))
    point = rig.ground_points([[102.5, 67.5]])[0] + [0, 0, 0.5]
    assert np.allclose(rig.project([point - [0, 0, 0.5]])[0], [102.5, 67.5], atol=1e-4)
    out = AcousticImage(rig, grid=(16, 32), channels=['broadband'])(room_sound(rig, point))[0, -1]
    assert divmod(int(out.argmax()), 32) == (13, 20)


def test_without_ground_the_array_hears_plane_waves():
    """A delayed copy for each microphone: the closed form of a plane wave."""
    rig = make_rig(ground=None)
    layer = AcousticImage(rig, grid=(8, 16), channels=('contrast',), windows=(None,), band_edges=(1000, 2000))
    ray = rig.pixel_rays([[105.0, 25.0]])[0]  # center of the cell in row 2, column 10
    spectrum = torch.fft.rfft(noise(1, 1)[0].double())
    frequencies = torch.fft.rfftfreq(44100, 1 / 44100, dtype=torch.float64)
    lead = torch.from_numpy(rig.microphone_positions @ ray / 343.0)
    waveform = torch.fft.irfft(spectrum * torch.exp(2j * math.pi * lead[:, None] * frequencies), 44100)
    out = layer(waveform[None])[0, 0]
    assert divmod(int(out.argmax()), 16) == (2, 10) and out.max() == pytest.approx(0, abs=0.02)


def test_a_mirrored_scene_gives_the_mirrored_image(symmetric_layer):
    waveform = noise(2, seed=3)
    mirrored = waveform.flip(1)  # microphone k is the mirror image of 7 - k
    torch.testing.assert_close(
        symmetric_layer(mirrored), symmetric_layer(waveform).flip(-1), atol=2e-4, rtol=0
    )


def test_volume_moves_the_level_alone(symmetric_layer):
    waveform = noise(2)
    quiet, loud = symmetric_layer(0.01 * waveform), symmetric_layer(waveform)
    torch.testing.assert_close(quiet[:, :6], loud[:, :6], atol=1e-4, rtol=0)
    torch.testing.assert_close(quiet[:, 6:8] + 40, loud[:, 6:8], atol=1e-3, rtol=0)
    torch.testing.assert_close(quiet[:, 8:], loud[:, 8:], atol=1e-4, rtol=0)


def test_level_of_white_noise_is_its_power(symmetric_layer):
    level = symmetric_layer(noise(1))[0, 6:8, 0, 0]
    torch.testing.assert_close(level, torch.full((2,), -20.0), atol=0.3, rtol=0)


@pytest.mark.parametrize('beamformer', ['bartlett', 'mvdr'])
def test_silence_is_even_and_finite(beamformer):
    waveform = torch.zeros(1, 8, 44100, requires_grad=True)
    out = AcousticImage(make_rig(), **SMALL, beamformer=beamformer)(waveform)
    torch.testing.assert_close(
        out[:, :6], torch.full((1, 6, 6, 16), 10 * math.log10(1 / 8)), atol=1e-4, rtol=0
    )
    assert (out[:, 6:8] == -120).all() and (out[:, 8:] < 0.1).all()
    out.sum().backward()
    assert waveform.grad.isfinite().all()


@pytest.mark.parametrize('ground', [dict(reflection=0.7), None])
@pytest.mark.parametrize('beamformer', ['bartlett', 'mvdr'])
@pytest.mark.parametrize('weighting', ['uniform', 'level', 'phat'])
def test_a_dead_microphone_is_as_an_array_without_it(ground, weighting, beamformer):
    options = dict(SMALL, weighting=weighting, beamformer=beamformer)
    axes = MicrophoneArray().axes
    rig = make_rig(microphone_axes=axes, directivity=0.6, ground=ground)
    kept = [0, 1, 3, 4, 5, 7]
    rest = make_rig(
        microphone_positions=rig.microphone_positions[kept],
        microphone_axes=axes[kept],
        directivity=0.6,
        ground=ground,
    )
    whole = AcousticImage(rig, **options)
    waveform = noise(3, seed=1)
    waveform[0, [2, 6]] = 0
    mask = torch.ones(3, 8, dtype=torch.bool)
    mask[1, [2, 6]] = False
    out = whole(waveform, mask)
    expected = AcousticImage(rest, **options)(waveform[:2, kept])
    torch.testing.assert_close(out[:2], expected, atol=2e-4, rtol=0)
    torch.testing.assert_close(out[2:], whole(waveform[2:]), atol=2e-4, rtol=0)


def test_options_replace_what_the_rig_says():
    axes = MicrophoneArray().axes
    full = make_rig(microphone_axes=axes, directivity=0.6)
    waveform = noise()
    free = AcousticImage(full, **SMALL, ground_reflection=0.0, directivity=None)(waveform)
    bare = AcousticImage(make_rig(ground=dict(reflection=0)), **SMALL)(waveform)
    torch.testing.assert_close(free, bare)
    other = AcousticImage(make_rig(microphone_axes=axes), **SMALL, directivity=0.6)(waveform)
    torch.testing.assert_close(other, AcousticImage(full, **SMALL)(waveform))
    assert (free - other).abs().max() > 0.1


@pytest.mark.parametrize('beamformer, power_of', [('bartlett', steered_power), ('mvdr', mvdr_power)])
@pytest.mark.parametrize('weighting', ['uniform', 'level', 'phat'])
def test_weightings_and_beamformers_follow_their_definition(weighting, beamformer, power_of):
    options = dict(weighting=weighting, beamformer=beamformer)
    layer = AcousticImage(make_rig(), grid=(2, 4), band_edges=(300, 1200), windows=(None,), **options)
    waveform = noise(1, 8, 20000)
    waveform = waveform + torch.sin(torch.arange(20000) * 0.08)  # a tone at 561 Hz, the same in all channels
    spectrum = layer.spectrum(waveform[0])[None].to(torch.complex128)
    if weighting == 'phat':
        spectrum = spectrum / spectrum.abs()
    covariance = spatial_covariance(spectrum, torch.full((1, spectrum.shape[-1]), 1 / spectrum.shape[-1]))
    steering = steering_vectors(
        layer.targets[layer.cells].double(),
        layer.microphone_positions.double(),
        layer.frequencies.double(),
        ground_reflection=0.7,
    )
    power = power_of(covariance, steering)[0, 0]  # (F, P)
    trace = covariance[0, 0].diagonal(dim1=-2, dim2=-1).real.sum(-1)
    weights = trace if weighting == 'level' else torch.ones_like(trace)
    expected = 10 * (weights[:, None] * power).sum(0).div(weights.sum()).log10()
    torch.testing.assert_close(layer(waveform)[0, 0].flatten().double(), expected, atol=2e-3, rtol=0)


@pytest.mark.parametrize('num_mics, rate', [(2, 16000), (4, 48000), (12, 22050)])
def test_any_array_and_rate(num_mics, rate):
    angle = np.linspace(0, 5, num_mics)
    positions = np.stack([0.2 * np.sin(angle), 0.2 * np.cos(angle), np.full(num_mics, 1.0)], axis=1)
    layer = AcousticImage(make_rig(microphone_positions=positions), rate, n_fft=1024, hop_length=256)
    out = layer(noise(2, num_mics, rate))
    assert out.shape == (2, 35, 24, 48) and out.isfinite().all()


def test_windows_tell_when_something_sounded():
    """Two sources one after the other: an early window shows the first, a late one the second."""
    rig = make_rig()
    layer = AcousticImage(rig, grid=(6, 16), windows=((0.25, 0.2), (0.75, 0.2)), channels=('broadband',))
    points = [rig.ground_points([[(column + 0.5) * 10, 60.0]])[0] + [0, 0, 0.5] for column in (3, 12)]
    first, second = (room_sound(rig, point, seed=k) for k, point in enumerate(points))
    out = layer(torch.cat([first[..., :22050], second[..., 22050:]], dim=-1))[0]
    assert [int(image.argmax()) % 16 for image in out] == [3, 12]


def test_fewer_bins_are_taken_evenly():
    layer = AcousticImage(make_rig(), **SMALL, max_bins=5)
    every = AcousticImage(make_rig(), **SMALL)
    assert layer.frequencies.shape == (10,) and set(layer.frequencies.tolist()) <= set(
        every.frequencies.tolist()
    )
    assert layer.frequencies[0] == every.frequencies[0] and layer.frequencies[-1] == every.frequencies[-1]
    assert (layer(noise()) - every(noise())).abs().median() < 1.0


def test_steering_that_is_not_kept_gives_the_same(monkeypatch, symmetric_layer):
    monkeypatch.setattr('mmav.models.layers.acoustic_image._MAX_KEPT_NUMBERS', 0)
    fresh = AcousticImage(symmetric_layer.rig, **SMALL)
    assert not any(name.startswith('steering') for name, _ in fresh.named_buffers())
    torch.testing.assert_close(fresh(noise()), symmetric_layer(noise()), atol=2e-2, rtol=0)


def test_gradient_of_learnable_microphones():
    layer = AcousticImage(
        make_rig(),
        grid=(2, 3),
        band_edges=(300, 360),
        windows=(None,),
        learnable=True,
        channels=('contrast',),
    ).double()
    waveform = noise(1, 8, 4096).double()
    names = ['microphone_positions', 'microphone_gains', 'microphone_delays']
    assert sorted(layer.state_dict()) == sorted(names)

    def image(positions, gains, delays):
        return functional_call(layer, dict(zip(names, (positions, gains, 1e-4 * delays))), (waveform,))

    values = [getattr(layer, name).detach().clone().requires_grad_() for name in names]
    assert torch.autograd.gradcheck(image, values)
    clip = waveform.clone().requires_grad_()
    layer(clip).sum().backward()
    assert clip.grad.isfinite().all() and clip.grad.abs().max() > 0


def test_learnable_microphones_start_as_the_rig_and_model_faults():
    rig = make_rig()
    layer, fixed = AcousticImage(rig, **SMALL, learnable=True), AcousticImage(rig, **SMALL)
    assert not list(fixed.parameters()) and not fixed.state_dict()
    point = rig.ground_points([[85.0, 60.0]])[0] + [0, 0, 0.5]
    sound = room_sound(rig, point)
    torch.testing.assert_close(layer(sound), fixed(sound), atol=2e-2, rtol=0)
    # channel 2 is recorded 60 microseconds late and 6 dB too loud
    spectrum = torch.fft.rfft(sound.double())
    frequencies = torch.fft.rfftfreq(44100, 1 / 44100, dtype=torch.float64)
    spectrum[:, 2] *= 2 * torch.exp(-2j * math.pi * 60e-6 * frequencies)
    faulty = torch.fft.irfft(spectrum, 44100)
    with torch.no_grad():
        layer.microphone_delays[2] = 60e-6
        layer.microphone_gains[2] = 20 * math.log10(2)
    peak = fixed(sound)[0, 5].max()
    assert fixed(faulty)[0, 5].max() < peak - 0.3
    assert layer(faulty).detach()[0, 5].max() == pytest.approx(float(peak), abs=0.02)

    # a rig that knows of them
    told = make_rig(microphone_delays=np.eye(8)[2] * 60e-6, microphone_gains=np.eye(8)[2] * 20 * np.log10(2))
    torch.testing.assert_close(
        AcousticImage(told, **SMALL)(faulty), layer(faulty).detach(), atol=2e-2, rtol=0
    )
    learnable = AcousticImage(told, **SMALL, learnable=True)
    torch.testing.assert_close(learnable.microphone_delays.detach(), layer.microphone_delays.detach())
    torch.testing.assert_close(learnable.microphone_gains.detach(), layer.microphone_gains.detach())


def test_autocast_changes_nothing(symmetric_layer):
    with torch.autocast('cpu', dtype=torch.bfloat16):
        out = symmetric_layer(noise())
    assert out.dtype == torch.float32 and torch.equal(out, symmetric_layer(noise()))


def test_is_built_of_plain_values(tmp_path):
    rig = make_rig(microphone_axes=MicrophoneArray().axes, directivity=0.6)
    layer = MODELS.build(dict(type='AcousticImage', rig=rig.to_dict(), **SMALL))
    settings = layer.settings()
    assert json.loads(json.dumps(settings)) == settings
    again = AcousticImage(**json.loads(json.dumps(settings)))
    assert again.settings() == settings and torch.equal(again(noise()), layer(noise()))
    (tmp_path / 'rig.json').write_text(json.dumps(rig.to_dict()))
    from_file = AcousticImage(str(tmp_path / 'rig.json'), **SMALL)
    assert from_file.settings() == settings and copy.deepcopy(layer).settings() == settings


@pytest.mark.parametrize(
    'options, message',
    [
        (
            dict(sample_rate=8000),
            r'the band 3600 to 5400 Hz reaches above half of the sample rate \(4000 Hz\)',
        ),
        (dict(band_edges=(100, 105)), 'the band 100 to 105 Hz holds no bin of n_fft=2048'),
        (dict(band_edges=(300, 200)), 'band_edges must be at least two increasing'),
        (dict(grid=(0, 48)), 'both sides of grid must be above 0'),
        (dict(windows=((0.5, 0),)), r'windows must be \(center, half width > 0\)'),
        (dict(windows=()), 'windows must be'),
        (dict(channels=('contrast', 'phase')), 'channels must be some of'),
        (dict(weighting='mvdr'), "weighting must be 'uniform', 'level' or 'phat'"),
        (dict(beamformer='music'), "beamformer must be 'bartlett' or 'mvdr'"),
        (dict(beamformer='mvdr', loading=0), 'loading above 0'),
        (dict(max_bins=0), 'max_distance and max_bins must be above 0'),
        (
            dict(rig=make_rig(ground=None), ground_reflection=0.5),
            'ground_reflection is 0.5, but the rig has no',
        ),
        (dict(directivity=0.5), 'directivity 0.5 needs microphone_axes'),
        (dict(directivity='heart'), "must be null or 'omni'"),
    ],
)
def test_bad_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        AcousticImage(**{'rig': make_rig(), **options})


def test_bad_waveforms_are_refused(symmetric_layer):
    with pytest.raises(ValueError, match=r'expected a waveform of shape \(B, 8, L\).*got \(1, 4, 44100\)'):
        symmetric_layer(noise(1, 4))
    with pytest.raises(TypeError, match='divide int16 by 32768'):
        symmetric_layer(torch.zeros(1, 8, 44100, dtype=torch.int16))
    with pytest.raises(ValueError, match='1000 samples are fewer than n_fft=2048'):
        symmetric_layer(noise(1, 8, 1000))
    with pytest.raises(ValueError, match=r'mask must be \(1, 8\), got \(2, 8\)'):
        symmetric_layer(noise(1), torch.ones(2, 8))
    with pytest.raises(ValueError, match=r'windows: \(0.53, 0.12\) .* holds no frame of a clip'):
        symmetric_layer(noise(1, 8, 10000))
