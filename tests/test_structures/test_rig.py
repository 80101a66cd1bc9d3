import copy
import json
import pickle

import cv2
import numpy as np
import pytest
from mmengine.fileio import LocalBackend, register_backend
from rigs import LEVEL_POSE, make_rig, turned_pose

from mmav.structures import Directivity, GroundPlane, Rig

DISTORTION = (-0.25, 0.08, 0.001, -0.0015, -0.01)


def test_projection_with_distortion_equals_opencv():
    pose = turned_pose()
    rig = make_rig(camera_pose=pose, distortion=DISTORTION)
    points = np.random.default_rng(0).uniform((-8, 6, 0), (8, 40, 4), (300, 3))
    to_camera = np.linalg.inv(pose)
    rotation, _ = cv2.Rodrigues(to_camera[:3, :3])
    matrix, distortion = rig.camera_matrix, np.array(DISTORTION)
    expected, _ = cv2.projectPoints(points, rotation, to_camera[:3, 3], matrix, distortion)
    pixels, depth = rig.project(points)
    np.testing.assert_allclose(pixels, expected[:, 0] - (20, 0), atol=1e-6)
    np.testing.assert_allclose(depth, points @ to_camera[2, :3] + to_camera[2, 3])


def test_points_behind_the_camera_have_no_pixel():
    pixels, depth = make_rig().project([[0, -5, 1], [0, 5, 1], [1, 0, 1]])
    assert np.isnan(pixels[[0, 2]]).all() and np.isfinite(pixels[1]).all()
    assert depth.tolist() == [-5, 5, 0]


@pytest.mark.parametrize('distortion', [(), DISTORTION, (*DISTORTION, 0.01, -0.02, 0.001)])
def test_rays_undo_the_projection(distortion):
    rig = make_rig(camera_pose=turned_pose(1), distortion=distortion)
    columns, rows = np.meshgrid(np.linspace(0, 160, 9), np.linspace(0, 80, 5))
    pixels = np.stack((columns.ravel(), rows.ravel()), axis=1)
    rays = rig.pixel_rays(pixels)
    np.testing.assert_allclose(np.linalg.norm(rays, axis=1), 1)
    np.testing.assert_allclose(rig.project(rig.camera_position + 7 * rays)[0], pixels, atol=1e-5)


def test_ground_points_follow_the_horizon_formula():
    rig = make_rig()
    # distance = camera height x focal length / (row - horizon's row); column 80 + 20 is the principal point
    points = rig.ground_points([[80, 50], [80, 40], [130, 50]])
    np.testing.assert_allclose(points, [[0, 8, 0], [0, 16, 0], [4, 8, 0]])
    far = rig.ground_points([[80, 33], [80, 30], [80, 0], [130, 0]], max_distance=40)
    np.testing.assert_allclose(np.linalg.norm(far[:, :2], axis=1), 40)
    np.testing.assert_allclose(far[:3], [[0, 40, 0]] * 3)
    assert far[3, 0] / far[3, 1] == pytest.approx(0.5)


def test_ground_points_project_back():
    rig = make_rig(camera_pose=turned_pose(2), distortion=DISTORTION)
    pixels = np.array([[30.0, 75.0], [80.0, 70.0], [140.0, 79.0]])
    np.testing.assert_allclose(rig.project(rig.ground_points(pixels, 1000))[0], pixels, atol=1e-5)


def test_json_round_trip(tmp_path):
    rig = make_rig(
        camera_pose=turned_pose(3),
        distortion=DISTORTION,
        microphone_axes=np.eye(3)[[0, 1, 2, 0, 1, 2, 0, 1]],
        directivity=dict(alpha=(0.9, 0.5), frequencies=(100, 1000)),
        speed_of_sound=340.5,
    )
    path = tmp_path / 'rig.json'
    path.write_text(json.dumps(rig.to_dict()))
    again = Rig.from_file(path)
    assert again == rig and hash(again) == hash(rig) and not rig.differences(again, tolerance=0)
    assert Rig.from_dict(rig.to_dict()).to_dict() == rig.to_dict()
    assert pickle.loads(pickle.dumps(rig)) == copy.deepcopy(rig) == rig
    assert rig != make_rig() and rig != 'rig'


def test_reads_through_file_backends(tmp_path):
    @register_backend('toy_bucket', force=True)
    class ToyBucket(LocalBackend):
        def get(self, filepath):
            return json.dumps(make_rig().to_dict()).encode() if filepath == 'bucket/rig' else b''

    assert Rig.from_file('bucket/rig', backend_args=dict(backend='toy_bucket')) == make_rig()


def test_temperature_stands_in_for_the_speed():
    values = make_rig().to_dict()
    del values['speed_of_sound']
    # 343.2 m/s at 20 degrees Celsius, 331.3 at 0 (dry air)
    assert Rig.from_dict(dict(values, temperature=20)).speed_of_sound == pytest.approx(343.2, abs=0.05)
    assert Rig.from_dict(dict(values, temperature=0)).speed_of_sound == pytest.approx(331.3)
    assert Rig.from_dict(values).speed_of_sound == 343.0


def test_differences_are_named():
    rig = make_rig()
    moved = rig.microphone_positions.copy()
    moved[3, 1] += 0.02
    other = make_rig(microphone_positions=moved, speed_of_sound=340, ground=None, crop=None)
    assert rig.differences(other) == [
        'microphone_positions: up to 0.02 m apart (microphone 3)',
        'crop: [20, 0, 180, 80] here, None there',
        "ground: {'reflection': 0.7} here, None there",
        'speed_of_sound: 343.0 here, 340.0 there',
    ]
    assert not rig.is_close(other) and rig.is_close(make_rig(speed_of_sound=343.001), tolerance=0.01)
    fewer = make_rig(microphone_positions=moved[:5])
    assert rig.differences(fewer) == ['microphone_positions: 8 microphones here, 5 there']


def test_fields_are_read_only():
    rig = make_rig()
    with pytest.raises(ValueError, match='read-only'):
        rig.microphone_positions[0] = 0
    with pytest.raises(AttributeError):
        rig.crop = None


def _changed(key, place, value):
    array = np.array(make_rig().to_dict()[key], dtype=float)
    array[place] = value
    return array.tolist()


BAD = [
    (dict(microphone_positions=[1, 2, 3]), r'microphone_positions must have shape \(M, 3\), got \(3,\)'),
    (dict(microphone_positions=[[0, 0, 1]]), 'at least 2 microphones, got 1'),
    (dict(microphone_positions=[[0, 0, 1], [0, 1]]), 'microphone_positions must be numbers of shape'),
    (dict(microphone_positions='octagon'), 'microphone_positions must be numbers'),
    (dict(microphone_positions=_changed('microphone_positions', (2, 1), np.nan)), r'NaN .* at \[2, 1\]'),
    (dict(microphone_positions=[[0, 0, 1750], [300, 0, 1750]]), 'looks like millimetres: give metres'),
    (
        dict(microphone_positions=[[0, 0, 1], [1, 0, 1], [0, 0, 1]]),
        'microphones 0 and 2 stand at the same place',
    ),
    (dict(microphone_positions=[[0, 0, 1], [1, 0, 0]]), 'microphone 1 is at z = 0 m.*add the height'),
    (dict(microphone_axes=[[0, 1, 0]]), r'microphone_axes must have shape \(8, 3\)'),
    (dict(microphone_axes=[[0, 2, 0]] * 8), 'microphone_axes must be unit vectors.*length 2'),
    (dict(directivity=0.5), 'microphone_axes is missing'),
    (dict(directivity='cardioid'), "directivity: must be null or 'omni', a number alpha"),
    (dict(directivity=1.5), r'directivity: alpha must lie in 0\.\.1'),
    (dict(directivity=dict(alpha=[0.5, 0.4], frequencies=[100])), 'directivity: 2 values of alpha for 1'),
    (dict(directivity=dict(alpha=[0.5, 0.4], frequencies=[100, 50])), 'directivity: .* increase'),
    (dict(camera_matrix=[[100, 0], [0, 100]]), r'camera_matrix must have shape \(3, 3\)'),
    (dict(camera_matrix=[[100, 0, 0], [0, 100, 0], [100, 30, 1]]), 'camera_matrix .* is it transposed'),
    (dict(camera_matrix=[[100, 2, 100], [0, 100, 30], [0, 0, 1]]), 'camera_matrix has skew 2'),
    (dict(camera_matrix=[[-100, 0, 100], [0, 100, 30], [0, 0, 1]]), 'focal lengths must be above 0'),
    (dict(camera_matrix=[[4, 0, 100], [0, 4, 30], [0, 0, 1]]), 'looks like millimetres.*give pixels'),
    (dict(distortion=[0.1, 0.2, 0.3]), 'distortion has 3 coefficients'),
    (dict(camera_pose=np.eye(3).tolist()), r'camera_pose must have shape \(4, 4\)'),
    (dict(camera_pose=np.transpose(LEVEL_POSE).tolist()), 'camera_pose: the last row .* transposed'),
    (dict(camera_pose=_changed('camera_pose', (0, 0), 2.0)), 'camera_pose: .* no rotation'),
    (dict(camera_pose=_changed('camera_pose', (0, 0), -1.0)), 'camera_pose: .* mirror'),
    (dict(camera_pose=_changed('camera_pose', (2, 3), 1600)), 'camera_pose: .* millimetres'),
    (dict(camera_pose=_changed('camera_pose', (2, 3), -1.6)), 'camera_pose: the camera is at z = -1.6'),
    (dict(image_size=[200]), 'image_size must have shape'),
    (dict(image_size=[200, 0]), 'image_size must be two positive whole numbers'),
    (dict(crop=[180, 0, 20, 80]), 'crop must be whole numbers x1 < x2'),
    (dict(crop=[20, 0, 180, 100]), 'crop must .* within the image of 200 x 80'),
    (dict(ground=dict(height=0)), 'ground must be null or an object with reflection'),
    (dict(ground=dict(reflection=1.2)), r'ground.reflection must lie in -1\.\.1'),
    (dict(speed_of_sound=34300), r'speed_of_sound must lie in 250\.\.450'),
    (dict(temperature=20), 'temperature: speed_of_sound is given, too'),
    (dict(microfone_axes=None), 'microfone_axes is no key of a rig: the keys are microphone_positions'),
]


@pytest.mark.parametrize('change, message', BAD, ids=[str(number) for number in range(len(BAD))])
def test_bad_files_are_refused_by_file_and_key(change, message, tmp_path):
    path = tmp_path / 'rig.json'
    path.write_text(json.dumps({**make_rig().to_dict(), **change}))
    with pytest.raises(ValueError, match=rf'rig\.json: .*{message}'):
        Rig.from_file(path)


def test_missing_keys_and_truncated_files_are_refused(tmp_path):
    path = tmp_path / 'rig.json'
    values = make_rig().to_dict()
    del values['camera_pose'], values['image_size'], values['speed_of_sound']
    path.write_text(json.dumps(values))
    with pytest.raises(ValueError, match=r'rig\.json: camera_pose is missing: give camera_pose, image_size'):
        Rig.from_file(path)
    with pytest.raises(ValueError, match=r'temperature must lie in -80\.\.80 degrees Celsius, got 293'):
        Rig.from_dict(dict(values, camera_pose=LEVEL_POSE, image_size=(200, 80), temperature=293))
    path.write_text(path.read_text()[:40])
    with pytest.raises(ValueError, match=r'rig\.json: no JSON can be read'):
        Rig.from_file(path)
    path.write_text('[1, 2]')
    with pytest.raises(ValueError, match=r'rig\.json: a rig is an object with keys, got list'):
        Rig.from_file(path)
    with pytest.raises(ValueError, match=r'absent\.json: the file is missing'):
        Rig.from_file(tmp_path / 'absent.json')


def test_rays_need_a_ground_to_meet():
    with pytest.raises(ValueError, match='ground is null'):
        make_rig(ground=None).ground_points([[80, 50]])
    assert make_rig(ground=None, camera_pose=np.eye(4)).ground is None  # any height will do
    assert make_rig(ground=GroundPlane(0.3)).ground.reflection == 0.3


def test_directivity_is_interpolated_and_parsed():
    shadow = Directivity((0.9, 0.5), (100, 300))
    np.testing.assert_allclose(shadow.alpha_at([50, 100, 200, 300, 9000]), [0.9, 0.9, 0.7, 0.5, 0.5])
    assert Directivity.from_value(shadow.to_value()) == shadow
    assert Directivity.from_value(0.5) == Directivity(0.5) and Directivity(0.5).to_value() == 0.5
    assert Directivity.from_value('omni') is None and Directivity.from_value(None) is None


GAINS, DELAYS = (0.5, 0, -0.5, 0, 0, 0, 0, 0), (0, 2e-5, 0, 0, 0, 0, 0, -1e-5)


def test_gains_and_delays_are_optional_keys():
    plain = make_rig()
    assert not {'microphone_gains', 'microphone_delays'} & set(plain.to_dict())
    silent = Rig.from_dict(dict(plain.to_dict(), microphone_gains=None, microphone_delays=[0.0] * 8))
    assert silent == plain and silent.microphone_delays is None and not plain.differences(silent, tolerance=0)
    rig = make_rig(microphone_gains=GAINS, microphone_delays=DELAYS)
    again = Rig.from_dict(json.loads(json.dumps(rig.to_dict())))
    assert again == rig != plain and hash(again) == hash(rig)
    np.testing.assert_array_equal(again.microphone_gains, GAINS)
    lines = [
        'microphone_gains: up to 0.5 dB apart (microphone 0)',
        'microphone_delays: up to 20 microseconds apart (microphone 1)',
    ]
    assert plain.differences(rig) == rig.differences(plain) == lines
    # a nanosecond is a third of a micrometre
    late = make_rig(microphone_gains=GAINS, microphone_delays=np.add(DELAYS, 1e-9))
    assert rig.is_close(late) and not rig.is_close(late, tolerance=1e-7)


def test_gains_of_another_array_are_reported_with_its_positions():
    few = make_rig(microphone_positions=make_rig().microphone_positions[:4])
    lines = make_rig(microphone_gains=GAINS).differences(few)
    assert lines == ['microphone_positions: 8 microphones here, 4 there']


@pytest.mark.parametrize(
    ('fields', 'message'),
    [
        (dict(microphone_gains=(0.0, 1.0)), r'microphone_gains must have shape \(8,\)'),
        (dict(microphone_gains=(*GAINS[:7], 80)), 'microphone_gains: 80 dB of microphone 7 .* give decibel'),
        (dict(microphone_delays=(*DELAYS[:7], 30)), 'microphone_delays: 30 s of microphone 7 .*microseconds'),
        (dict(microphone_delays=(*DELAYS[:7], np.nan)), r'microphone_delays holds NaN .* \[7\]'),
    ],
)
def test_bad_gains_and_delays(fields, message):
    with pytest.raises(ValueError, match=message):
        make_rig(**fields)
