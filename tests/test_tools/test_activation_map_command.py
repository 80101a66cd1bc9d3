"""The activation map tool on a tiny data set, with networks of every kind that it takes."""

import importlib.util
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from tiny_mavd import CROP, SIZE, TinyMAVD

TOOL = Path(__file__).parents[2] / 'tools' / 'analysis' / 'activation_map.py'
WIDTH = 160


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('activation_map_tool', TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    tiny = TinyMAVD(tmp_path_factory.mktemp('data'))
    for condition in ('day', 'night', 'fog'):
        tiny.add_frame(condition=condition)
    return tiny.finish('test')


@pytest.fixture
def network(toy_config, build_detector, tmp_path):
    """Config and checkpoint of a shipped detector, shrunk, weights at random; as --network's arguments."""

    def make(name: str, config: str, seed: int = 0) -> tuple[str, ...]:
        options = {'test_dataloader.dataset.crop': CROP, 'model.data_preprocessor.audio_size': (96, 96)}
        cfg = toy_config(config, options)
        detector = build_detector(cfg, seed)
        cfg.dump(tmp_path / f'{name}.py')
        torch.save(dict(state_dict=detector.state_dict(), meta={}), tmp_path / f'{name}.pth')
        return '--network', name, str(tmp_path / f'{name}.py'), str(tmp_path / f'{name}.pth')

    return make


def common(data: Path, *more: object) -> list[str]:
    frames = ('--data-root', data, '--ann-file', 'annotations/test.json', '--width', WIDTH, '--device', 'cpu')
    return [str(part) for part in (*frames, *more)]


def columns_of(image: np.ndarray) -> list[np.ndarray]:
    return [image[:, left : left + WIDTH] for left in range(0, image.shape[1], WIDTH + 4)]


def test_a_row_a_frame_a_column_a_network(tool, data, network, tmp_path):
    out = tmp_path / 'maps.png'
    networks = (
        *network('RGB', 'avd/faster_rcnn_r18_sim_rgb.py'),
        *network('Thermal', 'avd/faster_rcnn_r18_sim_thermal.py'),
        *network('AVD', 'avd/av_faster_rcnn_r18_sim.py'),
        *network('Student', 'mm_distillnet/distillnet_r18_sim.py'),
    )
    options = ('--number', 2, '--method', 'grad_cam', '--layer', 'backbone:0')
    tool.main([str(out), *networks, *common(data, *options)])
    image = cv2.imread(str(out))
    height = 22 + 22 + round(SIZE[1] * WIDTH / SIZE[0]) + 4
    assert image.shape == (2 * height, 5 * WIDTH + 4 * 4, 3)
    rgb, _, _, student, sound = columns_of(image[44:height])
    colors = [np.abs(np.diff(part.astype(int), axis=2)).max() for part in (rgb, student, sound)]
    assert min(colors) > 50  # heat maps and spectrograms are colored
    assert np.abs(rgb.astype(int) - student).mean() > 3

    with pytest.raises(SystemExit):
        tool.main([str(out), *networks, *common(data)])
    before = out.stat().st_mtime_ns
    tool.main([str(out), *networks, *common(data, '--number', 1, '--method', 'grad_cam', '--force')])
    assert out.stat().st_mtime_ns > before and cv2.imread(str(out)).shape[0] == height


def test_acoustic_image_that_a_network_hears(tool, data, network, tmp_path):
    files = network('Sound', 'avd/faster_rcnn_r18_sim_acoustic.py')
    out = tmp_path / 'maps.png'
    options = ('--number', 1, '--method', 'grad_cam', '--layer', 'backbone:0')
    tool.main([str(out), *files, *common(data, *options)])
    image = cv2.imread(str(out))
    assert image.shape[1] == 2 * WIDTH + 4
    camera = cv2.imread(str(next(data.glob('*/fl_rgb/*_0000.jpg'))))[:, CROP[0] : CROP[2]]
    camera = cv2.resize(camera, (WIDTH, image.shape[0] - 48), interpolation=cv2.INTER_AREA)
    heat = 2 * columns_of(image[44:-4])[1].astype(int) - camera  # half of each, on a map without yellow
    assert (heat[..., 0] > 120).any() and (heat[..., 2] > 120).any()  # blue somewhere, red elsewhere

    rig = Config.fromfile(files[2]).model.data_preprocessor.acoustic_image.rig
    (data / 'rig.json').write_text(json.dumps(dict(rig, crop=CROP)))
    try:
        with pytest.raises(ValueError, match=r'the rig of the data is not that of the model of .*: crop'):
            tool.main([str(out), *files, *common(data, *options, '--force')])
    finally:
        (data / 'rig.json').unlink()


def test_student_of_a_distiller_is_the_detector_itself(tool, data, network, tmp_path):
    """Same weights, in a distiller's checkpoint, as its student's own and alone: the same image."""
    alone = network('Alone', 'avd/faster_rcnn_r18_sim_audio.py')
    within = network('Within', 'mm_distillnet/distillnet_r18_sim.py', seed=1)
    student = torch.load(within[3], weights_only=True)['state_dict']
    assert all(name.startswith('student.') for name in student)
    student = {name[len('student.') :]: value for name, value in student.items()}
    torch.save(dict(state_dict=student), tmp_path / 'student.pth')
    own = ('--network', 'Own', within[2], str(tmp_path / 'student.pth'))
    other = (*alone[:1], 'Other', *alone[2:])
    torch.save(dict(state_dict=student), tmp_path / 'Same.pth')
    alone = (*alone[:3], str(tmp_path / 'Same.pth'))
    out = tmp_path / 'maps.png'
    frame = (data / 'test.txt').read_text().splitlines()[1]
    options = common(data, '--frames', frame, '--batch-size', 64)
    tool.main([str(out), *within, *own, *alone, *other, *options])
    first, second, third, fourth, _ = columns_of(cv2.imread(str(out))[44:])
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, third)
    assert (first != fourth).mean() > 0.05


def test_heat_lies_over_the_camera_image_where_the_network_was_hot(tool, tmp_path):
    """A hot corner of the input is red in the same corner of the camera image, the rest is cold: blue."""
    path = str(tmp_path / 'gray.png')
    cv2.imwrite(path, np.full((65, 192, 3), 128, np.uint8))
    sample = tool.DetDataSample(
        metainfo=dict(
            img_path=path,
            crop=CROP,
            ori_shape=(65, 152),
            img_shape=(64, 64),
            scale_factor=(64 / 152, 64 / 65),
        )
    )
    values = np.zeros((64, 64), np.float32)
    values[:16, 48:] = 1
    box = torch.tensor([[20.0, 40.0, 30.0, 60.0]])
    found = tool.ActivationMap(values, box, torch.tensor([0.9]), torch.tensor([0]))
    visualizer = tool.VISUALIZERS.build(dict(type='MAVDLocalVisualizer', name='test_heat_over_camera'))
    visualizer.dataset_meta = dict(classes=('vehicle',), palette=[(255, 255, 255)])
    image = tool.draw_map(found, sample, visualizer, 152).astype(int)
    warm = image[..., 0] - image[..., 2]
    assert warm[2:14, 118:150].mean() > 60  # rows and columns of the corner: a quarter of 65 and of 152
    assert warm[20:30, 2:100].mean() < -60
    edges = (image.min(axis=2) > 180)[:, 40:80]
    rows = np.flatnonzero(edges.any(axis=1))
    assert abs(rows.max() - 60 / 64 * 65) <= 4  # lower edge of the white box
    # A box at the image's very edge, or over it, neither shrinks nor moves the image below it.
    found.bboxes = torch.tensor([[-3.0, 30.0, 66.0, 66.0]])
    again = tool.draw_map(found, sample, visualizer, 152).astype(int)
    np.testing.assert_array_equal(again[2:12, 10:], image[2:12, 10:])


def test_unknown_frames_and_wrong_checkpoints(tool, data, network, tmp_path):
    rgb = network('RGB', 'avd/faster_rcnn_r18_sim_rgb.py')
    thermal = network('Thermal', 'avd/faster_rcnn_r18_sim_thermal.py')
    out = str(tmp_path / 'maps.png')
    with pytest.raises(ValueError, match=r'data set of RGB \(3 frames, .* has no drive_9/1'):
        tool.main([out, *rgb, *common(data, '--frames', 'drive_9/1')])
    with pytest.raises(RuntimeError, match=r'backbone\.conv1\.weight'):
        tool.main([out, *rgb[:3], thermal[3], *common(data)])
    assert not Path(out).exists()
