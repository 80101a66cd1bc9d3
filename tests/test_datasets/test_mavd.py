import json
import pickle

import cv2
import numpy as np
import pytest
import soundfile
import torch
from mmdet.evaluation import CocoMetric
from mmengine.structures import InstanceData
from rigs import make_rig
from tiny_mavd import CROP, SAMPLE_RATE, SIZE

from mmav.datasets import MAVDDataset, SampleError
from mmav.structures import Rig

AUDIO = dict(type='LoadMultichannelAudio')
IMAGES = dict(type='LoadVisualModalities')
BOXES = dict(type='LoadAnnotations', with_bbox=True)
PACK = dict(type='PackAudioVisualInputs')
ALL = (AUDIO, IMAGES, BOXES, dict(type='ResizeModalities', scale=(96, 64)), PACK)


def test_sample_holds_the_files_values(tiny_mavd, load_mavd):
    dataset = load_mavd(tiny_mavd, (AUDIO, IMAGES, BOXES, PACK))
    assert len(dataset) == 4
    sample = dataset[1]
    inputs, meta = sample['inputs'], sample['data_samples']
    drive, frame_id = tiny_mavd.frames[1]
    np.testing.assert_array_equal(inputs['audio'].numpy(), tiny_mavd.sounds[1])
    x1, y1, x2, y2 = CROP
    rgb = cv2.imread(str(tiny_mavd.root / drive / 'fl_rgb' / f'fl_rgb_{frame_id}.jpg'))[y1:y2, x1:x2]
    np.testing.assert_array_equal(inputs['rgb'].permute(1, 2, 0).numpy(), rgb)
    depth = cv2.imread(str(tiny_mavd.root / drive / 'fl_rgb_depth' / f'fl_rgb_{frame_id}.jpg'))[y1:y2, x1:x2]
    np.testing.assert_array_equal(inputs['depth'].permute(1, 2, 0).numpy(), depth)
    path = tiny_mavd.root / drive / 'fl_ir_aligned' / f'fl_ir_aligned_{frame_id}.png'
    raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[y1:y2, x1:x2].astype(np.float64)
    expected = (raw.clip(21800, 25000) - 21800) / 3200 * 255
    np.testing.assert_allclose(inputs['thermal'][0].numpy(), expected, atol=0.501)
    assert meta.gt_instances.bboxes.tensor.tolist() == [[30.0, 20.0, 70.0, 50.0]]
    assert (meta.drive, meta.frame_id, meta.time_of_day, meta.motion) == (drive, frame_id, 'day', 'static')
    assert meta.timestamp == pytest.approx(1588000001.000042, abs=1e-6)
    assert (meta.ori_shape, meta.img_shape, meta.crop) == (SIZE[::-1], SIZE[::-1], CROP)


def test_only_what_the_pipeline_loads_must_exist(make_mavd, load_mavd):
    data = make_mavd(modalities=())
    data.add_frame()
    data.finish()
    assert list(load_mavd(data, (AUDIO, BOXES, PACK))[0]['inputs']) == ['audio']
    silent = make_mavd('silent', modalities=('rgb',), audio_ext='wav')
    silent.add_frame()
    silent.finish()
    for path in silent.root.glob('*/audio/*'):
        path.unlink()
    assert list(load_mavd(silent, (dict(IMAGES, modalities=('rgb',)), BOXES, PACK))[0]['inputs']) == ['rgb']


@pytest.mark.parametrize('audio_ext', ['wav', 'flac', 'npy'])
def test_audio_extension_is_found(make_mavd, load_mavd, audio_ext):
    data = make_mavd(audio_ext=audio_ext, modalities=())
    data.add_frame()
    data.finish()
    audio = load_mavd(data, (AUDIO, PACK))[0]['inputs']['audio']
    np.testing.assert_array_equal(audio.numpy(), data.sounds[0])


def test_pickled_spectrograms(make_mavd, load_mavd):
    data = make_mavd(modalities=())
    frame_id = data.add_frame()
    data.finish()
    mel = np.random.default_rng(0).uniform(-80, 0, (8, 80, 173))
    for k in range(8):
        path = data.root / 'drive_0' / 'audio' / f'audio_{k}_{frame_id}.pkl'
        path.write_bytes(pickle.dumps(mel[k]))
    inputs = load_mavd(data, (AUDIO, PACK), audio_ext='pkl')[0]['inputs']
    np.testing.assert_allclose(inputs['spectrogram'].numpy(), mel, rtol=1e-6)


def test_one_recording_per_drive(make_mavd, load_mavd):
    data = make_mavd(modalities=())
    ids = [data.add_frame() for _ in range(2)]
    data.finish()
    recording = (np.random.default_rng(0).standard_normal((8, 4 * SAMPLE_RATE)) * 3000).astype(np.int16)
    soundfile.write(data.root / 'drive_0' / 'audio' / 'drive.wav', recording.T, SAMPLE_RATE)
    table = data.root / 'drive_0' / 'audio' / 'timestamps.csv'
    table.write_text(f'frame_id,seconds\n{ids[0]},0.5\n{ids[1]},2.25\n')
    dataset = load_mavd(data, (AUDIO, PACK), audio_layout='drive')
    np.testing.assert_array_equal(dataset[0]['inputs']['audio'].numpy(), recording[:, :SAMPLE_RATE])
    start = round(1.75 * SAMPLE_RATE)
    np.testing.assert_array_equal(
        dataset[1]['inputs']['audio'].numpy(), recording[:, start : start + SAMPLE_RATE]
    )
    table.write_text(f'frame_id,seconds\n{ids[0]},0.5\n')
    with pytest.raises(SampleError, match=f'no line for the frame {ids[1]}'):
        load_mavd(data, (AUDIO, PACK), audio_layout='drive')
    assert len(load_mavd(data, (AUDIO, PACK), audio_layout='drive', on_error='skip')) == 1


def test_split_file_and_bogus_ids(tiny_mavd, load_mavd):
    bogus = ('drive_0', '1588000009_12345_0000')
    tiny_mavd.images[1]['file_name'] = 'drive_0/fl_rgb/fl_rgb_1588000001_42_0001.jpg'
    tiny_mavd.finish()
    dataset = load_mavd(tiny_mavd)
    assert (len(dataset), dataset.left_out['bogus ids']) == (3, 1)
    tiny_mavd.write_list('some', [tiny_mavd.frames[3], bogus, tiny_mavd.frames[0]])
    dataset = load_mavd(tiny_mavd, split_file='some.txt')
    assert [dataset.get_data_info(i)['img_id'] for i in range(len(dataset))] == [1, 4]
    unlabeled = load_mavd(tiny_mavd, ann_file='', split_file='some.txt')
    frames = [unlabeled.frame_name(i) for i in range(len(unlabeled))]
    assert frames == ['/'.join(tiny_mavd.frames[3]), '/'.join(tiny_mavd.frames[0])]
    assert unlabeled.left_out['bogus ids'] == 1
    info = unlabeled.get_data_info(0)
    assert info['instances'] == [] and (info['height'], info['width']) == SIZE[::-1]
    assert info['img_path'].endswith('.jpg') and 'fl_rgb' in info['img_path']


@pytest.mark.parametrize('key', ['file_name', 'drive', 'frame_id'])
def test_names_stay_below_the_root(tiny_mavd, load_mavd, key):
    drive, frame_id = tiny_mavd.frames[1]
    tiny_mavd.images[1].update(drive=drive, frame_id=frame_id)
    tiny_mavd.images[1][key] = f'../{tiny_mavd.images[1][key]}'
    tiny_mavd.finish()
    with pytest.raises(SampleError, match=r"train\.json, image 2: the name '.*\.\./.*' leads out"):
        load_mavd(tiny_mavd)


def test_conditions_from_annotations(tiny_mavd, load_mavd):
    assert len(load_mavd(tiny_mavd, time_of_day='day')) == 2
    assert len(load_mavd(tiny_mavd, time_of_day='night', motion='drive')) == 2
    with pytest.raises(SampleError, match='no frame is left'):
        load_mavd(tiny_mavd, time_of_day='day', motion='drive')


def test_conditions_from_published_lists(make_mavd, load_mavd):
    data = make_mavd(modalities=())
    for _ in range(3):
        data.add_frame()
    data.finish('val')
    with pytest.raises(SampleError, match=r'val\.json: time_of_day=.day. is asked for'):
        load_mavd(data, ann_file='annotations/val.json', time_of_day='day')
    data.write_list('val_day_all', data.frames[:2])
    data.write_list('val_night_all', data.frames[2:])
    dataset = load_mavd(data, ann_file='annotations/val.json', time_of_day='day')
    assert len(dataset) == 2
    info = load_mavd(data, ann_file='annotations/val.json').get_data_info(2)
    assert (info['time_of_day'], info['motion']) == ('night', None)


def test_empty_frames_are_kept_for_testing_and_filtered_by_option(tiny_mavd, load_mavd):
    keep = dict(filter_cfg=dict(filter_empty_gt=True))
    assert len(load_mavd(tiny_mavd, **keep)) == 3
    assert len(load_mavd(tiny_mavd, **keep, test_mode=True)) == 4


def test_instances_keep_what_tracking_needs(tiny_mavd, load_mavd):
    assert load_mavd(tiny_mavd).get_data_info(3)['instances'][1]['track_id'] == 7


@pytest.mark.parametrize(
    ('box', 'reason'),
    [
        ((160.0, 5.0, 20.0, 20.0), 'outside'),
        ((5.0, 5.0, 20.0, 0.0), 'degenerate'),
        ((140.0, 5.0, 20.0, 20.0), 'sticks'),
    ],
)
def test_bad_boxes_are_named_or_counted(make_mavd, load_mavd, box, reason):
    data = make_mavd(modalities=())
    data.add_frame(boxes=((10.0, 10.0, 20.0, 20.0), box))
    data.finish()
    with pytest.raises(SampleError, match=rf'train\.json, annotation 2: .*{reason}'):
        load_mavd(data, (AUDIO,))
    dataset = load_mavd(data, (AUDIO,), on_error='skip')
    assert dataset.left_out['bad boxes'] == 1
    assert len(dataset.get_data_info(0)['instances']) == 1


def test_boxes_in_the_uncropped_image_are_found_out(tiny_mavd, load_mavd):
    with pytest.raises(SampleError, match='boxes refer to the cropped image'):
        load_mavd(tiny_mavd, crop=(0, 0, 100, 65))


@pytest.mark.parametrize('classes', [('car', 'truck'), ('truck', 'car')])
def test_labels_are_places_in_the_classes(tiny_mavd, load_mavd, classes):
    path = tiny_mavd.root / 'annotations/train.json'
    content = json.loads(path.read_text())
    content['categories'] = [dict(id=1, name='car'), dict(id=2, name='truck')]
    content['annotations'][-1]['category_id'] = 2
    path.write_text(json.dumps(content))
    dataset = load_mavd(tiny_mavd, metainfo=dict(classes=classes))
    labels = [instance['bbox_label'] for instance in dataset.get_data_info(3)['instances']]
    assert [classes[label] for label in labels] == ['car', 'truck']


@pytest.mark.parametrize(
    ('change', 'reason'),
    [
        (lambda content: content['annotations'][1].update(category_id=0), 'its category_id is 0'),
        (lambda content: content['annotations'][1].update(image_id=99), 'its image_id is 99'),
        (lambda content: content.pop('annotations'), "no list 'annotations'"),
    ],
)
def test_boxes_that_would_vanish_are_named(tiny_mavd, load_mavd, change, reason):
    path = tiny_mavd.root / 'annotations/train.json'
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(SampleError, match=rf'train\.json.*{reason}'):
        load_mavd(tiny_mavd)


def test_class_missing_from_the_annotations(tiny_mavd, load_mavd):
    with pytest.raises(SampleError, match='classes'):
        load_mavd(tiny_mavd, metainfo=dict(classes=('bicycle',)))


def _spoil(data, kind):
    drive, frame_id = data.frames[1]
    sound = data.root / drive / 'audio' / f'audio_3_{frame_id}.wav'
    rgb = data.root / drive / 'fl_rgb' / f'fl_rgb_{frame_id}.jpg'
    thermal = data.root / drive / 'fl_ir_aligned' / f'fl_ir_aligned_{frame_id}.png'
    if kind == 'missing microphone':
        sound.unlink()
    elif kind == 'truncated sound':
        sound.write_bytes(sound.read_bytes()[:30000])
    elif kind == 'corrupt sound':
        sound.write_bytes(b'\0' * 999)
    elif kind == 'NaN':
        soundfile.write(sound, np.full(SAMPLE_RATE, np.nan), SAMPLE_RATE, subtype='FLOAT')
    elif kind == 'other sample rate':
        soundfile.write(sound, np.zeros(48000), 48000)
    elif kind == 'stereo':
        soundfile.write(sound, np.zeros((SAMPLE_RATE, 2)), SAMPLE_RATE)
    elif kind == 'truncated jpg':
        rgb.write_bytes(rgb.read_bytes()[:-200])
    elif kind == 'truncated png':
        thermal.write_bytes(thermal.read_bytes()[:-200])
    elif kind == 'corrupt jpg':
        rgb.write_bytes(b'\xff\xd8 nothing \xff\xd9')
    elif kind == 'missing image':
        thermal.unlink()
    elif kind == 'other size':
        cv2.imwrite(str(rgb), np.zeros((65, 170, 3), np.uint8))
    return {'truncated png': thermal, 'missing image': thermal}.get(
        kind, rgb if 'jpg' in kind or 'size' in kind else sound
    )


@pytest.mark.parametrize(
    ('kind', 'reason'),
    [
        ('missing microphone', 'missing'),
        ('truncated sound', 'truncated'),
        ('corrupt sound', 'not a readable sound'),
        ('NaN', 'NaN'),
        ('other sample rate', '48000 Hz, expected 44100'),
        ('stereo', '2 channels'),
        ('truncated jpg', 'truncated'),
        ('truncated png', 'truncated'),
        ('corrupt jpg', 'not a readable image'),
        ('missing image', 'missing'),
        ('other size', '170 x 65'),
    ],
)
@pytest.mark.filterwarnings('ignore')
def test_unreadable_samples_are_named_or_left_out(tiny_mavd, load_mavd, kind, reason):
    path = _spoil(tiny_mavd, kind)
    dataset = load_mavd(tiny_mavd, ALL)
    assert len(dataset) == 4
    with pytest.raises(SampleError, match=reason) as error:
        dataset[1]
    assert str(path.with_suffix('')) in str(error.value)
    with pytest.raises(SampleError, match='1 of 4 frames'):
        load_mavd(tiny_mavd, ALL, verify=True)
    dataset = load_mavd(tiny_mavd, ALL, on_error='skip')
    assert dataset.left_out['unreadable frames'] == 1
    assert [dataset[i]['data_samples'].img_id for i in range(len(dataset))] == [1, 3, 4]


def test_no_sound_at_all_is_named(tiny_mavd, load_mavd):
    for path in tiny_mavd.root.glob('drive_0/audio/*'):
        path.unlink()
    with pytest.raises(SampleError, match=r'audio_0_.*the file is missing \(looked for wav, flac'):
        load_mavd(tiny_mavd, (AUDIO, PACK))[0]


@pytest.mark.parametrize(
    'kwargs',
    [
        dict(time_of_day='dusk'),
        dict(motion='fast'),
        dict(audio_layout='clip'),
        dict(audio_ext='ogg'),
        dict(on_error='ignore'),
        dict(on_error='skip', verify=False),
        dict(ann_file=''),
        dict(ann_file='', split_file='train.txt', filter_cfg=dict(filter_empty_gt=True)),
        dict(ann_file='', split_file='train.txt', crop=None),
    ],
)
def test_bad_arguments(tiny_mavd, load_mavd, kwargs):
    with pytest.raises(ValueError):
        load_mavd(tiny_mavd, **kwargs)


def test_unknown_modality(tiny_mavd, load_mavd):
    with pytest.raises(ValueError, match='unknown modality'):
        load_mavd(tiny_mavd, (dict(IMAGES, modalities=('radar',)),))[0]
    (tiny_mavd.root / 'drive_0' / 'radar').mkdir()
    for drive, frame_id in tiny_mavd.frames[:1]:
        tiny_mavd.write_image(tiny_mavd.root / drive / 'radar' / f'r_{frame_id}.png', 'radar')
    dataset = load_mavd(
        tiny_mavd, (dict(IMAGES, modalities=('radar',)), PACK), modality_files=dict(radar=('radar', 'r_{}'))
    )
    assert dataset[0]['inputs']['radar'].shape == (3, *SIZE[::-1])


def test_geometry_comes_from_the_manifest_unless_given(tiny_mavd, load_mavd):
    positions = [[0.1 * k, 0.0, 0.0] for k in range(8)]
    (tiny_mavd.root / 'manifest.json').write_text(json.dumps(dict(microphone_positions=positions)))
    assert load_mavd(tiny_mavd).metainfo['microphone_positions'][3] == tuple(positions[3])
    own = tuple((0.2 * k, 0.0, 0.0) for k in range(8))
    dataset = load_mavd(tiny_mavd, metainfo=dict(microphone_positions=own))
    assert dataset.get_data_info(0)['microphone_positions'] == own
    assert MAVDDataset.METAINFO['microphone_positions'][0] == pytest.approx((0.114805, 0.277164, 0), abs=1e-6)


def test_geometry_comes_from_the_rig_without_a_manifest(tiny_mavd, load_mavd):
    positions = make_rig().microphone_positions[::-1] + np.array([3.0, 0, 0])  # another order and origin
    rig = make_rig(image_size=(192, 65), crop=CROP, microphone_positions=positions)
    (tiny_mavd.root / 'rig.json').write_text(json.dumps(rig.to_dict()))
    found = load_mavd(tiny_mavd).get_data_info(0)['microphone_positions']
    np.testing.assert_allclose(found, MAVDDataset.METAINFO['microphone_positions'][::-1], atol=1e-6)
    (tiny_mavd.root / 'manifest.json').write_text(json.dumps(dict(microphone_positions=[[0, 0, 0]])))
    assert load_mavd(tiny_mavd).metainfo['microphone_positions'] == ((0, 0, 0),)


def test_coco_metric_gives_one_to_perfect_predictions(tiny_mavd, load_mavd):
    dataset = load_mavd(tiny_mavd, ALL, test_mode=True)
    metric = CocoMetric(str(tiny_mavd.root / 'annotations' / 'train.json'), metric='bbox')
    metric.dataset_meta = dataset.metainfo
    samples = []
    for index in range(len(dataset)):
        sample = dataset[index]['data_samples']
        boxes = sample.gt_instances.bboxes.tensor
        scale = boxes.new_tensor(sample.scale_factor).repeat(2)
        count = len(boxes)
        sample.pred_instances = InstanceData(
            bboxes=boxes / scale, scores=torch.full((count,), 0.9), labels=sample.gt_instances.labels
        )
        samples.append(sample.to_dict())
    metric.process({}, samples)
    results = metric.evaluate(len(samples))
    assert results['coco/bbox_mAP'] == pytest.approx(1.0)
    assert results['coco/bbox_mAP_75'] == pytest.approx(1.0)


def test_rig_goes_into_the_metainfo_as_plain_values(tiny_mavd, load_mavd):
    assert 'rig' not in load_mavd(tiny_mavd).metainfo
    rig = make_rig(image_size=(192, 65), crop=CROP)
    (tiny_mavd.root / 'rig.json').write_text(json.dumps(rig.to_dict()))
    dataset = load_mavd(tiny_mavd)
    assert dataset.metainfo['rig'] == json.loads(json.dumps(rig.to_dict()))
    assert Rig.from_dict(dataset.metainfo['rig']) == rig
    given = dict(classes=('vehicle',), rig=make_rig().to_dict())
    assert load_mavd(tiny_mavd, metainfo=given).metainfo['rig'] == make_rig().to_dict()


def test_rig_that_does_not_fit_is_refused_by_name(tiny_mavd, load_mavd):
    path = tiny_mavd.root / 'rig.json'
    path.write_text(json.dumps(make_rig(crop=None).to_dict()))
    with pytest.raises(
        SampleError, match=r'rig\.json: crop: it is None, but that of the data set is \(20, 0'
    ):
        load_mavd(tiny_mavd)
    path.write_text('{}')
    with pytest.raises(SampleError, match=r'rig\.json: microphone_positions is missing'):
        load_mavd(tiny_mavd)
