import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope
from PIL import Image

from mmav.datasets.transforms import PackLocalizationInputs

TRAIN = [
    dict(type='LoadClipFrame'),
    dict(type='Resize', scale=(24, 20), interpolation='bicubic', backend='pillow'),
    dict(type='RandomCrop', crop_size=(16, 16)),
    dict(type='RandomFlip', prob=0.5),
    dict(type='LoadAudioSegment', sample_rate=8000, duration=1.0),
    dict(type='PackLocalizationInputs'),
]
TEST = [
    TRAIN[0],
    dict(type='Resize', scale=(224, 224), interpolation='bicubic', backend='pillow'),
    *TRAIN[4:],
]
STEM = 'aaaaaaaaaaa_000010'


def sample_of(clips, **more):
    paths = dict(
        img_path=str(clips.path('frames', STEM, 'jpg')), audio_path=str(clips.path('audio', STEM, 'wav'))
    )
    return dict(img_id=7, clip=STEM, category=None, split='train', **paths, **more)


def test_training_sample_without_boxes(clips):
    np.random.seed(0)
    flips = set()
    for _ in range(8):
        packed = Compose(TRAIN)(sample_of(clips))
        inputs, sample = packed['inputs'], packed['data_samples']
        assert sorted(inputs) == ['audio', 'image']
        assert inputs['image'].shape == (3, 16, 16) and inputs['image'].dtype == torch.uint8
        assert inputs['audio'].shape == (8000,) and inputs['audio'].dtype == torch.float32
        assert isinstance(sample, DetDataSample) and 'gt_map' not in sample
        assert (sample.img_id, sample.clip, sample.ori_shape, sample.img_shape) == (
            7,
            STEM,
            (32, 40),
            (16, 16),
        )
        assert sample.sample_rate == 8000
        flips.add(sample.flip)
    assert flips == {True, False}


def test_resizing_is_pillows(clips):
    """The published programs resize with Pillow, which smooths when it shrinks; OpenCV does not."""
    config = [TRAIN[0], TRAIN[1]]
    ours = Compose(config)(sample_of(clips))['img']
    image = Image.open(clips.path('frames', STEM, 'jpg'))
    expected = np.asarray(image.resize((24, 20), Image.Resampling.BICUBIC))[..., ::-1]
    np.testing.assert_allclose(ours, expected, atol=1)


def test_map_of_a_test_sample(clips):
    boxes = np.array([[0.25, 0.5, 0.75, 1.0], [0.5, 0.25, 0.75, 0.75]])
    packed = Compose(TEST)(sample_of(clips, gt_boxes=boxes, annotator=None))
    gt_map = packed['data_samples'].gt_map
    assert gt_map.shape == (224, 224) and gt_map.dtype == torch.float32
    assert set(gt_map.unique().tolist()) == {0, 1} and gt_map.sum() == 112 * 112 + 56 * 56
    np.testing.assert_array_equal(packed['data_samples'].gt_boxes, boxes)
    packed = Compose(TEST)(sample_of(clips, gt_boxes=boxes, annotator=np.array([0, 1])))
    gt_map = packed['data_samples'].gt_map
    assert set(gt_map.unique().tolist()) == {0, 0.5, 1} and (gt_map == 1).sum() == 56 * 56
    packed = Compose(TEST)(sample_of(clips, gt_boxes=np.zeros((0, 4)), annotator=None))
    assert packed['data_samples'].gt_map.shape == (224, 224) and not packed['data_samples'].gt_map.any()


def test_map_goes_with_the_image(tmp_path):
    """An image that is white in its box and black elsewhere stays so, whatever is cropped and flipped."""
    init_default_scope('mmdet')
    image = np.zeros((60, 80, 3), np.uint8)
    image[12:36, 16:56] = 255
    cv2.imwrite(str(tmp_path / 'a.png'), image)
    box = np.array([[16 / 80, 12 / 60, 56 / 80, 36 / 60]])
    pipeline = Compose(
        [
            dict(type='LoadClipFrame'),
            dict(type='Resize', scale=(160, 120), interpolation='nearest'),
            dict(type='RandomCrop', crop_size=(96, 100)),
            dict(type='RandomFlip', prob=[0.3, 0.3], direction=['horizontal', 'vertical']),
            dict(type='PackLocalizationInputs'),
        ]
    )
    np.random.seed(0)
    directions = set()
    for _ in range(12):
        packed = pipeline(dict(img_path=str(tmp_path / 'a.png'), gt_boxes=box, annotator=None))
        directions.add(packed['data_samples'].flip_direction)
        white = (packed['inputs']['image'][0] > 0).float()
        assert (white - packed['data_samples'].gt_map).abs().sum() <= 0.02 * white.sum()
    assert directions == {None, 'horizontal', 'vertical'}


def test_inputs_of_teachers_and_meta(clips):
    more = dict(
        teacher_audio=np.zeros(2048, np.float32),
        teacher_visual=np.zeros((4, 7, 7), np.float16),
        teacher_waveform=np.zeros(100, np.float32)[::2],
        negative='silence',
        secret=3,
    )
    packed = Compose(TEST)(sample_of(clips, **more))
    assert sorted(packed['inputs']) == [
        'audio',
        'image',
        'teacher_audio',
        'teacher_visual',
        'teacher_waveform',
    ]
    assert packed['inputs']['teacher_visual'].dtype == torch.float16
    assert packed['data_samples'].negative == 'silence' and 'secret' not in packed['data_samples'].metainfo
    only = PackLocalizationInputs(meta_keys=('secret',), input_keys=())
    packed = only(dict(img=np.zeros((4, 6, 3), np.uint8), audio=np.zeros(3), secret=3))
    assert list(packed['inputs']) == ['image'] and packed['data_samples'].metainfo == dict(secret=3)


def test_without_an_image():
    with pytest.raises(KeyError, match='put LoadClipFrame before'):
        PackLocalizationInputs()(dict(audio=np.zeros(3)))
