"""Arrays whose sound pyroomacoustics made are found again."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_array import EXACT, labeled, source_places, tiny_rig

from mmav.calibration import ArrayPrior, calibrate, collect_frames, position_errors
from mmav.calibration.array_checks import label_findings
from mmav.simulation.drives.array_mismatch import mismatched_recording, perturb_rig


@pytest.fixture(scope='module')
def rig():
    return tiny_rig()


@pytest.fixture(scope='module')
def sounds(rig):
    torch.set_num_threads(1)
    return labeled(rig, source_places(30))


@pytest.fixture(scope='module')
def frames(rig, sounds):
    return collect_frames(rig, sounds, EXACT)


def rms(values):
    return float(np.sqrt(np.square(values).mean()))


def test_positions_off_by_10_cm_are_found_to_half_a_centimetre(rig, frames):
    rough = perturb_rig(rig, 0.10, seed=2)
    assert rms(position_errors(rough, rig)) > 0.05
    found = calibrate(rough, frames, ArrayPrior(0.10), EXACT, look_for_swapped=False)
    error = position_errors(found.rig, rig)
    assert rms(error) < 0.005
    # what the center's own error (3.5 cm) turns the places by is not in the standard deviations
    assert 0.2 < rms(error / found.position_std) < 4
    # the center stays where it was thought to be
    center = found.rig.microphone_positions.mean(0)
    np.testing.assert_allclose(center, rough.microphone_positions.mean(0), atol=1e-9)
    assert found.error_after < 0.05 < found.error_before
    assert found.determined == dict(x=True, y=True, z=True, gains=True) and not found.warnings
    assert json.loads(json.dumps(found.report()))['num_drives'] == 8


def test_wrong_boxes_lose_their_weight(rig, sounds):
    places = np.random.default_rng(0).permutation(len(sounds))[:5]
    mixed = [
        replace(sound, bboxes=sounds[(k + 11) % len(sounds)].bboxes) if k in places else sound
        for k, sound in enumerate(sounds)
    ]
    rough = perturb_rig(rig, 0.02, seed=1)
    found = calibrate(rough, collect_frames(rig, mixed, EXACT), ArrayPrior(0.02), EXACT, False)
    assert rms(position_errors(found.rig, rig)) < 0.005
    assert found.misfits == pytest.approx(5 / 30, abs=0.1)


def test_gains_delays_and_swapped_channels(rig, sounds):
    gains = np.array([1.0, -1.0, 0.5, 0, -0.5, 0, 2.0, -2.0])
    delays = np.array([30, -30, 0, 20, -20, 0, 10, -10]) * 1e-6
    changed = [
        replace(sound, waveform=mismatched_recording(sound.waveform, sound.sample_rate, gains, delays))
        for sound in sounds
    ]
    frames = collect_frames(rig, changed, EXACT)
    rough = perturb_rig(rig, swapped=(1, 6))
    found = calibrate(rough, frames, ArrayPrior(0.0, 1.0, 3e-5), EXACT)
    assert found.swapped == [(1, 6)]
    # the rows are those of the channels as they are recorded
    np.testing.assert_allclose(found.rig.microphone_positions, rig.microphone_positions)
    np.testing.assert_allclose(found.rig.microphone_gains, gains, atol=0.2)
    np.testing.assert_allclose(found.rig.microphone_delays, delays, atol=3e-6)
    assert found.determined == dict(gains=True, delays=True)


def test_says_when_the_data_cannot_tell(rig):
    few = labeled(rig, source_places(4, spread=1.0))
    found = calibrate(rig, collect_frames(rig, few, EXACT), ArrayPrior(0.02, 1.0, 3e-5), EXACT, False)
    text = '\n'.join(found.warnings)
    assert '4 frames of 1 drives are too few' in text and 'nearly one direction' in text
    assert not found.determined['x'] and 'the data cannot tell x' in text
    assert 'delays are nearly the same as positions' in text


def test_mirrored_and_swapped_rigs_are_reported(rig, frames):
    assert label_findings(rig, frames, places=EXACT) == []
    # a rig that puts x to the left
    positions = rig.microphone_positions * [-1, 1, 1]
    (line,) = label_findings(tiny_rig(microphone_positions=positions), frames, places=EXACT)
    assert 'left and right are mirrored' in line
    (line,) = label_findings(perturb_rig(rig, swapped=(0, 4)), frames, places=EXACT)
    assert 'channels 0 and 4 are swapped' in line
