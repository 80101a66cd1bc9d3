"""Stored maps beside images that went through the very transforms of MMDetection."""

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS
from mmengine.registry import init_default_scope

from mmav.datasets import SampleError
from mmav.datasets.stores.shard_writer import record_settings, shard_folder, write_index, write_shard
from mmav.datasets.transforms import LoadTeacherEmbeddings
from mmav.datasets.transforms.load_teacher_embeddings import sample_map
from mmav.utils.locks import folder_lock

CELLS = 7


def ramps(height, width):
    """An image whose colors tell the place, and the same as a map of its 7 x 7 cells, in 0..255."""
    y, x = np.mgrid[:height, :width] + 0.5
    place = np.stack([255 * x / width, 255 * y / height, 127 * (x / width + y / height)], axis=-1)
    centers = (np.arange(CELLS) + 0.5) / CELLS * 255
    rows, columns = np.broadcast_arrays(centers[:, None], centers[None, :])
    cells = np.stack([columns, rows, (rows + columns) * 127 / 255]).astype(np.float32)
    return place.round().astype(np.uint8), cells


def write_store(path, clips, kind='store of teacher embeddings'):
    settings = dict(kind=kind)
    with folder_lock(path, 'test'):
        record_settings(path, settings, kind)
    write_shard(shard_folder(path, 0), list(clips), list(clips.values()), on_error='skip')
    write_index(path, settings, 1)
    return str(path)


@pytest.fixture
def store(tmp_path):
    _, cells = ramps(300, 400)
    audio = np.linspace(0, 3, 8, dtype=np.float16)
    clips = dict(seen=dict(audio=audio, visual=cells), broken=SampleError('broken.jpg', 'no image'))
    return write_store(tmp_path / 'store', clips)


def augment(*steps, clip='seen'):
    init_default_scope('mmdet')
    image, _ = ramps(300, 400)
    results = dict(clip=clip, img=image, img_shape=(300, 400), ori_shape=(300, 400))
    return Compose([TRANSFORMS.build(step) for step in steps])(results)


RESIZE = dict(type='Resize', scale=(246, 246), interpolation='bicubic', keep_ratio=False)
CROP = dict(type='RandomCrop', crop_size=(224, 224))


@pytest.mark.parametrize('direction', [None, 'horizontal', 'vertical', 'diagonal'])
@pytest.mark.parametrize('seed', range(3))
def test_map_is_seen_through_the_window_of_the_image(store, direction, seed):
    np.random.seed(seed)
    flip = [dict(type='RandomFlip', prob=1.0, direction=direction)] if direction else []
    results = augment(RESIZE, CROP, *flip, dict(type='LoadTeacherEmbeddings', store=store))
    assert results['img'].shape == (224, 224, 3)
    seen = results['img'].reshape(CELLS, 32, CELLS, 32, 3).mean((1, 3)).transpose(2, 0, 1)
    # the stored map says nothing beyond the centers of its outer cells
    seen[:2] = seen[:2].clip(255 * 0.5 / CELLS, 255 * 6.5 / CELLS)
    np.testing.assert_allclose(results['teacher_visual'][:2], seen[:2], atol=0.6)
    _, cells = ramps(300, 400)
    assert np.abs(results['teacher_visual'] - cells).max() > 1


def test_without_augmentation_nothing_is_changed(store):
    _, cells = ramps(300, 400)
    load = dict(type='LoadTeacherEmbeddings', store=store)
    for steps in ([], [dict(RESIZE, scale=(224, 224))], [dict(RESIZE, scale=(224, 160))]):
        results = augment(*steps, load)
        np.testing.assert_array_equal(results['teacher_visual'], cells)
        np.testing.assert_array_equal(
            results['teacher_audio'], np.linspace(0, 3, 8, dtype=np.float16).astype(np.float32)
        )
        assert results['teacher_visual'].dtype == results['teacher_audio'].dtype == np.float32
    results['teacher_visual'][:] = 0  # a copy
    np.testing.assert_array_equal(augment(load)['teacher_visual'], cells)


def test_mirror_alone_is_a_mirror(store):
    _, cells = ramps(300, 400)
    flip = dict(type='RandomFlip', prob=1.0)
    results = augment(dict(RESIZE, scale=(224, 224)), flip, dict(type='LoadTeacherEmbeddings', store=store))
    expected = torch.from_numpy(cells).flip(2).numpy()
    np.testing.assert_allclose(results['teacher_visual'], expected, atol=1e-3)


def test_a_quarter_sees_a_quarter():
    values = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    crop = np.array([[1, 0, -8], [0, 1, 0], [0, 0, 1]])  # the right upper quarter of 16 x 16 pixels
    quarter = sample_map(values, crop, (16, 16), (8, 8))
    # four cells at quarters of the stored ones: between 2 and 3, where the edge counts beyond
    columns = [1.75, 2.25, 2.75, 3.0]
    rows = [0.0, 0.25, 0.75, 1.25]
    np.testing.assert_allclose(
        quarter[0], [[4 * row + column for column in columns] for row in rows], rtol=1e-6
    )


def test_only_what_is_asked_for(store):
    results = augment(dict(type='LoadTeacherEmbeddings', store=store, names=('audio',)))
    assert 'teacher_audio' in results and 'teacher_visual' not in results
    with pytest.raises(ValueError, match="'sound'"):
        LoadTeacherEmbeddings(store, names=('sound',))


def test_what_is_not_there_is_named(store, tmp_path):
    load = dict(type='LoadTeacherEmbeddings', store=store)
    with pytest.raises(SampleError, match=r'broken: could not be read .* broken\.jpg: no image'):
        augment(load, clip='broken')
    with pytest.raises(SampleError, match=r'new: not in the store .*extract_teacher_embeddings\.py'):
        augment(load, clip='new')
    with pytest.raises(SampleError, match='no finished store of teacher embeddings'):
        augment(dict(load, store=str(tmp_path)))
    with pytest.raises(SampleError, match='this is a prepared store'):
        augment(dict(load, store=write_store(tmp_path / 'other', {}, kind='prepared store')))
    without = write_store(tmp_path / 'audio', dict(seen=dict(audio=np.zeros(8, np.float32))))
    with pytest.raises(KeyError, match="holds no 'visual', only audio"):
        augment(dict(load, store=without))


def test_an_image_of_unknown_past_is_refused(store):
    results = dict(clip='seen', img=np.zeros((224, 224, 3), np.uint8), ori_shape=(300, 400))
    with pytest.raises(KeyError, match="'homography_matrix' is missing"):
        LoadTeacherEmbeddings(store)(results)


def test_truncated_shards_are_refused(store, tmp_path):
    file = tmp_path / 'store' / 'shard_00000' / 'visual.npy'
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(SampleError, match=r'visual\.npy: missing or not of \d+ bytes'):
        augment(dict(type='LoadTeacherEmbeddings', store=store))
