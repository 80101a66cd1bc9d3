"""The pseudo-label tool with two tiny detectors, beside MMDetection's own inference and a plain loop."""

import importlib.util
import json
import os
import signal
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from forked_script import finish, start_script
from mmdet.apis import inference_detector, init_detector
from mmdet.registry import DATASETS
from pycocotools.coco import COCO
from tiny_teachers import NUM_FRAMES, SIZE, TOOL, arguments, make_killable, write_frames, write_teacher


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('mavd_pseudo_labels', TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    write_frames(root)
    return root


@pytest.fixture(scope='module')
def teachers(tmp_path_factory):
    folder = tmp_path_factory.mktemp('teachers')
    return dict(rgb=write_teacher(folder, 'rgb', 1), thermal=write_teacher(folder, 'thermal', 2))


def iou(first, second):
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (first, second)]
    return shared / max(sum(areas) - shared, 1e-9)


def test_labels_equal_mmdet_inference_fused_by_a_plain_loop(tool, data, teachers, tmp_path, capsys):
    out = tmp_path / 'new' / 'pseudo.json'
    statistics = tool.main(arguments(out, data, teachers))
    coco = COCO(str(out))
    assert [image['file_name'] for image in coco.dataset['images']] == [
        f'drive/fl_rgb/fl_rgb_{i}.png' for i in range(NUM_FRAMES)
    ]
    models = {name: init_detector(*files, device='cpu') for name, files in teachers.items()}
    total = 0
    for image in coco.dataset['images']:
        rows = []
        for modality, model in models.items():
            found = inference_detector(model, str(data / image['file_name'])).pred_instances
            rows += [
                (score, modality, box)
                for box, score in zip(found.bboxes.tolist(), found.scores.tolist())
                if score >= 0.4 and box[2] - box[0] >= 1 and box[3] - box[1] >= 1
            ]
        kept = []
        for row in sorted(rows, key=lambda row: -row[0]):
            if all(iou(row[2], other[2]) <= 0.5 for other in kept):
                kept.append(row)
        written = coco.loadAnns(coco.getAnnIds(imgIds=image['id']))
        assert [ann['modality'] for ann in written] == [modality for _, modality, _ in kept]
        boxes = [(x, y, x + w, y + h) for x, y, w, h in (ann['bbox'] for ann in written)]
        np.testing.assert_allclose(boxes, [box for _, _, box in kept], atol=0.02)
        np.testing.assert_allclose([ann['score'] for ann in written], [row[0] for row in kept], atol=2e-4)
        assert (image['width'], image['height']) == (SIZE, SIZE)
        total += len(kept)
    assert total > 2 * NUM_FRAMES
    assert {ann['modality'] for ann in coco.dataset['annotations']} == {'rgb', 'thermal'}
    assert statistics['boxes'] == total == sum(m['kept'] for m in statistics['modalities'].values())
    assert (
        statistics['modalities']['rgb']['suppressed'] + statistics['modalities']['thermal']['suppressed'] > 0
    )
    assert not out.with_name('pseudo.json.parts').exists()
    assert f'boxes                       {total}' in capsys.readouterr().out


def test_a_killed_run_goes_on_and_gives_the_same_file(tool, data, teachers, tmp_path, monkeypatch):
    killable = dict(rgb=(make_killable(tmp_path, teachers['rgb'][0]), teachers['rgb'][1]))
    out = tmp_path / 'pseudo.json'
    options = ('--batch-size', 1, '--shard-frames', 2)
    command = [TOOL, *arguments(out, data, killable, *options)]
    env = dict(
        os.environ,
        PYTHONPATH=f'{tmp_path}{os.pathsep}{TOOL.parents[2]}',
        KILL_AT='fl_rgb_5',
        OMP_NUM_THREADS='1',
    )
    log = tmp_path / 'log'
    assert finish(start_script(command, log, env)) == -signal.SIGKILL, log.read_text()
    shards = sorted(file.name for file in (tmp_path / 'pseudo.json.parts').glob('shard_*.json'))
    assert shards == ['shard_000000000.json', 'shard_000000002.json'] and not out.exists()

    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(ValueError, match=r'other parameters \(score_thr\)'):
        tool.main(arguments(out, data, killable, '--score-thr', 0.2))
    seen = []
    read = tool.label_batches
    monkeypatch.setattr(tool, 'label_batches', lambda *args: seen.extend(args[2]) or read(*args))
    tool.main(arguments(out, data, killable, *options))
    assert seen == [[4], [5], [6]]

    whole = tmp_path / 'whole.json'
    tool.main(arguments(whole, data, killable, '--batch-size', 1))
    assert json.loads(whole.read_text()) == json.loads(out.read_text())


def test_human_labels_win_and_their_frames_are_not_labeled_again(tool, data, teachers, tmp_path):
    out = tmp_path / 'few_and_pseudo.json'
    one = dict(rgb=teachers['rgb'])
    statistics = tool.main(arguments(out, data, one, '--keep-ann-file', data / 'few.json'))
    coco = COCO(str(out))
    names = [image['file_name'][-5] for image in coco.dataset['images']]
    assert names == ['2', '3', '0', '1', '4', '5', '6']
    human = [ann for ann in coco.dataset['annotations'] if 'score' not in ann]
    assert [(ann['image_id'], ann['bbox']) for ann in human] == [(2, [1, 2, 30, 20])]
    assert coco.getAnnIds(imgIds=1) == []
    assert (statistics['frames'], statistics['human_frames']) == (NUM_FRAMES - 2, 2)


def test_a_whole_file_is_kept_unless_told_otherwise(tool, data, teachers, tmp_path, monkeypatch):
    out = tmp_path / 'pseudo.json'
    one = dict(rgb=teachers['rgb'])
    first = tool.main(arguments(out, data, one))
    written = out.read_bytes()
    with pytest.raises(ValueError, match=r'was written with other parameters \(nms_iou\)'):
        tool.main(arguments(out, data, one, '--nms-iou', 0.3))
    with monkeypatch.context() as patch:
        patch.setattr(tool, 'label_batches', None)
        assert tool.main(arguments(out, data, one)) == first
    assert out.read_bytes() == written
    tool.main(arguments(out, data, one, '--nms-iou', 0.3, '--overwrite'))
    assert out.read_bytes() != written


def test_frames_without_boxes_stay_or_go(tool, data, teachers, tmp_path):
    one = dict(rgb=teachers['rgb'])
    statistics = tool.main(arguments(tmp_path / 'a.json', data, one, '--score-thr', 1.0))
    assert statistics['frames_without_boxes'] == NUM_FRAMES
    assert len(json.loads((tmp_path / 'a.json').read_text())['images']) == NUM_FRAMES
    tool.main(arguments(tmp_path / 'b.json', data, one, '--score-thr', 1.0, '--drop-empty'))
    assert json.loads((tmp_path / 'b.json').read_text())['images'] == []


def test_a_teacher_of_other_classes_needs_a_map(tool, data, teachers, tmp_path):
    files = write_teacher(tmp_path, 'coco', 3, ('person', 'car', 'truck'))
    both = dict(rgb=teachers['rgb'], thermal=files)
    with pytest.raises(ValueError, match=r'teacher thermal has classes.*--class-map'):
        tool.main(arguments(tmp_path / 'a.json', data, both))
    # the frames' file knows vehicles only; the data set must be able to list the frames all the same
    pairs = ('--class-map', 'car=vehicle', 'truck=vehicle', '--score-thr', 0.2)
    tool.main(arguments(tmp_path / 'b.json', data, dict(rgb=files), *pairs))
    content = json.loads((tmp_path / 'b.json').read_text())
    assert content['categories'] == [dict(id=1, name='vehicle')]
    assert {ann['category_id'] for ann in content['annotations']} == {1}


def test_classes_of_a_stock_teacher_are_found_or_asked_for(tool, data, tmp_path):
    config, checkpoint = write_teacher(tmp_path, 'stock', 3, classes=('person', 'car', 'bus'))
    files = dict(rgb=(config, checkpoint))
    more = ['--class-map', 'person=vehicle', '--score-thr', 0.2]
    tool.main(arguments(tmp_path / 'three.json', data, files, *more))
    written = json.loads((tmp_path / 'three.json').read_text())
    content = torch.load(checkpoint, weights_only=True)
    content['meta'] = dict(CLASSES=('person', 'car', 'bus'))  # as MMDetection 2 names them
    torch.save(content, checkpoint)
    tool.main(arguments(tmp_path / 'two.json', data, files, *more))
    assert json.loads((tmp_path / 'two.json').read_text())['annotations'] == written['annotations'] != []

    content['meta'] = dict()
    torch.save(content, checkpoint)
    tool.main(arguments(tmp_path / 'none.json', data, files, *more))  # the config names them
    assert json.loads((tmp_path / 'none.json').read_text())['annotations'] == written['annotations']
    Path(config).write_text(
        Path(config).read_text().replace("classes=('person', 'car', 'bus')", "classes=('person',)")
    )
    with pytest.raises(ValueError, match=r'stock\.pth: its model tells \[3\] classes apart.*metainfo'):
        tool.main(arguments(tmp_path / 'wrong.json', data, files, *more))


def test_weights_that_do_not_fit_are_refused(tool, data, teachers, tmp_path):
    content = torch.load(teachers['rgb'][1], weights_only=True)
    del content['state_dict']['neck.fpn_convs.0.conv.weight']
    torch.save(content, tmp_path / 'partial.pth')
    broken = dict(rgb=(teachers['rgb'][0], str(tmp_path / 'partial.pth')))
    with pytest.raises(RuntimeError, match=r'(?s)partial\.pth.*neck\.fpn_convs\.0\.conv\.weight'):
        tool.main(arguments(tmp_path / 'a.json', data, broken))


def test_what_cannot_be_labeled_is_said(tool, data, teachers, tmp_path, capsys):
    one = dict(rgb=teachers['rgb'])
    split = [
        part if part != '--ann-file' else '--split-file' for part in arguments(tmp_path / 'a', data, one)
    ]
    with pytest.raises(ValueError, match='CocoDataset takes no split list'):
        tool.main(split)
    with pytest.raises(ValueError, match=r'datasets of CocoDataset must be configs of data sets, got \[1\]'):
        tool.main(
            arguments(tmp_path / 'a', data, one, '--cfg-options', 'test_dataloader.dataset.datasets=[1]')
        )
    (data / 'none.json').write_text(
        json.dumps(dict(categories=[dict(id=1, name='vehicle')], images=[], annotations=[]))
    )
    with pytest.raises(ValueError, match=r'rgb\.py: .*cannot list the frames'):
        tool.main(arguments(tmp_path / 'a', data, one, '--ann-file', 'none.json'))
    with pytest.raises(SystemExit):
        tool.main([*arguments(tmp_path / 'a', data, one), '--teacher', 'rgb', *teachers['rgb']])
    assert 'names a modality twice' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        tool.main(arguments(tmp_path / 'a', data, one, '--min-size', 0))
    assert 'at least 1 pixel' in capsys.readouterr().err


FRAME_IDS = ('1580000000_000000001_0', '1580000001_000000002_0', '1580000002_000000003_0')


def write_mavd(root):
    """Frames in the published layout, one of them with a bogus id."""
    generator = np.random.default_rng(1)
    for frame_id in (*FRAME_IDS, '1580000003_4_0'):
        for folder, name, dtype, channels in (
            ('fl_rgb', f'fl_rgb_{frame_id}.jpg', np.uint8, 3),
            ('fl_ir_aligned', f'fl_ir_aligned_{frame_id}.png', np.uint16, 1),
        ):
            file = root / 'drive_day' / folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            low, high = (0, 255) if dtype == np.uint8 else (21800, 25000)
            blocks = generator.integers(low, high, (13, 24, channels), dtype=dtype)
            cv2.imwrite(str(file), blocks.repeat(50, axis=0).repeat(80, axis=1))
    lines = [f'drive_day/{frame_id}\n' for frame_id in (*FRAME_IDS, '1580000003_4_0')]
    (root / 'train.txt').write_text(''.join(lines))


def write_mavd_teacher(folder, modality, seed):
    """A detector of :func:`write_teacher` that reads one modality of MAVD."""
    config, checkpoint = write_teacher(folder, modality, seed)
    channels = dict(rgb=3, thermal=1)[modality]
    text = Path(config).read_text()
    start, end = text.index('    data_preprocessor='), text.index('    backbone=')
    preprocessor = (
        f'modality={modality!r}, modalities=dict({modality}=dict(mean=100., std=50.)), pad_size_divisor=32'
    )
    text = (
        f"{text[:start]}    data_preprocessor=dict(type='AudioVisualDataPreprocessor', {preprocessor}),\n"
        f'{text[end : text.index("test_dataloader")]}'
        "test_dataloader = dict(dataset=dict(type='MAVDDataset', ann_file='other.json',\n"
        f'    modalities=({modality!r},), pipeline=[\n'
        f"        dict(type='LoadVisualModalities', modalities=({modality!r},)),\n"
        "        dict(type='ResizeModalities', scale=(96, 64), mode='stretch'),\n"
        "        dict(type='PackAudioVisualInputs')]))\n"
    ).replace('depth=18, ', f'depth=18, in_channels={channels}, ')
    Path(config).write_text(text)
    content = torch.load(checkpoint, weights_only=True)
    stem = content['state_dict']['backbone.conv1.weight']
    content['state_dict']['backbone.conv1.weight'] = stem[:, :channels].clone()
    torch.save(content, checkpoint)
    return config, checkpoint


def test_mavd_frames_of_a_split_list_become_a_training_file(tool, tmp_path):
    write_mavd(tmp_path)
    teachers = {
        name: write_mavd_teacher(tmp_path, name, seed) for seed, name in enumerate(('rgb', 'thermal'))
    }
    out = tmp_path / 'annotations' / 'pseudo.json'
    command = arguments(out, tmp_path, teachers, '--batch-size', 2, '--score-thr', 0.3)
    place = command.index('--ann-file')
    command[place : place + 2] = ['--split-file', 'train.txt']
    statistics = tool.main(command)
    assert statistics['frames'] == 3
    coco = COCO(str(out))
    first = coco.dataset['images'][0]
    assert first['file_name'] == f'drive_day/fl_rgb/fl_rgb_{FRAME_IDS[0]}.jpg'
    assert (first['width'], first['height']) == (1520, 650)
    assert (first['drive'], first['frame_id']) == ('drive_day', FRAME_IDS[0])
    assert first['timestamp'] == pytest.approx(1580000000, abs=1e-3)
    assert {ann['modality'] for ann in coco.dataset['annotations']} == {'rgb', 'thermal'}
    corners = np.array([ann['bbox'] for ann in coco.dataset['annotations']])
    corners[:, 2:] += corners[:, :2]
    assert corners.min() >= 0 and corners[:, 2].max() <= 1520.01 and corners[:, 3].max() <= 650.01
    assert corners[:, 2].max() > 700  # in the frame's pixels, not the network's

    pipeline = [
        dict(type='LoadVisualModalities', modalities=('rgb',)),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='PackAudioVisualInputs'),
    ]
    dataset = DATASETS.build(
        dict(
            type='MAVDDataset',
            data_root=str(tmp_path),
            ann_file='annotations/pseudo.json',
            modalities=('rgb',),
            pipeline=pipeline,
        )
    )
    sample = dataset[0]
    boxes = sample['data_samples'].gt_instances.bboxes
    written = [ann['bbox'] for ann in coco.loadAnns(coco.getAnnIds(imgIds=1))]
    assert sample['inputs']['rgb'].shape == (3, 650, 1520)
    boxes = boxes.tensor if hasattr(boxes, 'tensor') else boxes
    np.testing.assert_allclose(boxes[:, :2], np.array(written)[:, :2], atol=1e-2)
