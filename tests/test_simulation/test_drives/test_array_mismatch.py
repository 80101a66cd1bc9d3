import numpy as np
import pytest
from rigs import make_rig

from mmav.simulation.drives.array_mismatch import mismatched_recording, perturb_rig


def test_rigs_are_off_by_what_is_asked_for():
    rig = make_rig()
    assert perturb_rig(rig) == rig
    moves = [
        perturb_rig(rig, 0.02, seed=seed).microphone_positions - rig.microphone_positions
        for seed in range(40)
    ]
    assert np.std(moves) == pytest.approx(0.02, rel=0.1)
    rough = perturb_rig(rig, 0.02, gain_std=1.0, delay_std=3e-5, seed=3)
    np.testing.assert_allclose(rough.microphone_positions - rig.microphone_positions, moves[3])
    assert rough == perturb_rig(rig, 0.02, gain_std=1.0, delay_std=3e-5, seed=3)
    assert rough.microphone_gains.std() < 3 and 1e-6 < rough.microphone_delays.std() < 1e-4


def test_swapped_rows():
    rig = make_rig(microphone_axes=np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]], directivity=0.6)
    rough = perturb_rig(rig, swapped=(1, 5))
    order = [0, 5, 2, 3, 4, 1, 6, 7]
    np.testing.assert_array_equal(rough.microphone_positions, rig.microphone_positions[order])
    np.testing.assert_array_equal(rough.microphone_axes, rig.microphone_axes[order])
    for pair in ((1, 1), (0, 8), (0, 1, 2)):
        with pytest.raises(ValueError, match='swapped must be two different microphones'):
            perturb_rig(rig, swapped=pair)


def test_a_late_and_loud_sine():
    rate, frequency, delay = 8000, 200.0, 37e-6
    times = np.arange(4000) / rate  # whole periods
    wave = np.stack([np.sin(2 * np.pi * frequency * times)] * 2)
    out = mismatched_recording(wave, rate, np.array([0.0, 6.0]), np.array([0.0, delay]))
    np.testing.assert_allclose(out[0], wave[0], atol=1e-12)
    expected = 10 ** (6 / 20) * np.sin(2 * np.pi * frequency * (times - delay))
    np.testing.assert_allclose(out[1], expected, atol=1e-9)
    assert mismatched_recording(wave.astype(np.float32), rate, None, None).dtype == np.float32
    with pytest.raises(ValueError, match='floating-point'):
        mismatched_recording(wave.astype(np.int16), rate, None, None)
    with pytest.raises(ValueError, match='delays must have shape'):
        mismatched_recording(wave, rate, None, np.zeros(3))
