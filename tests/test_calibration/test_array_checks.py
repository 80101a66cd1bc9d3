import numpy as np
from rigs import LEVEL_POSE, make_rig

from mmav.calibration.array_checks import channel_findings, geometry_findings


def found(**fields):
    return ' | '.join(geometry_findings(make_rig(**fields)))


def test_a_sound_geometry_has_only_its_limit():
    # neighbors of an octagon of 0.3 m radius: 2 x 0.3 x sin(22.5 degrees) = 0.2296 m, half a wave of 747 Hz
    (line,) = geometry_findings(make_rig())
    assert '23 cm' in line and '747 Hz' in line


def test_impossible_geometries():
    line = [[0.1 * k, 0, 1.7] for k in range(8)]
    assert 'in one line (along [' in found(microphone_positions=line)
    small = make_rig().microphone_positions * [0.01, 0.01, 1]
    assert 'spans 0.6 cm; are these metres?' in found(microphone_positions=small)
    pose = np.array(LEVEL_POSE, dtype=float)
    far = pose.copy()
    far[:3, 3] = 12, 0, 1.6
    assert 'the camera is 12 m from the array' in found(camera_pose=far)
    over = pose.copy()
    over[:3, :2] *= -1
    assert 'upside down' in found(camera_pose=over)
    back = pose.copy()
    back[:3, [0, 2]] *= -1
    assert 'looks backwards' in found(camera_pose=back)


def test_dead_quiet_and_duplicate_channels():
    rng = np.random.default_rng(0)
    clip = 0.1 * rng.standard_normal((8, 20000)) + 0.05 * rng.standard_normal(20000)
    assert channel_findings([clip]) == []
    clip[1] = 0
    clip[2] *= 1e-3
    clip[7] = -0.5 * clip[4]
    lines = channel_findings([clip.astype(np.float32)] * 2)
    assert lines[0] == 'channel 1 is dead: all of its samples are zero'
    assert lines[1].startswith('channel 2 is 60 dB quieter')
    assert (
        lines[2].startswith('channels 4 and 7 hold the same sound (correlation 1.0000)') and len(lines) == 3
    )
