import json
import shutil

import numpy as np
import pytest
import torch
from rigs import make_rig
from tiny_mavd import CROP, FULL_SIZE

from mmav.datasets import MAVDDataset, SampleError
from mmav.datasets.stores.prepared_store import PreparedStore
from mmav.datasets.stores.prepared_store_writer import StoreWriter
from mmav.models.layers.acoustic_image import AcousticImage
from mmav.models.layers.log_mel_spectrogram import LogMelSpectrogram

RESIZE = dict(scale=(96, 64))


def pipeline(**resize):
    return [
        dict(type='LoadMultichannelAudio'),
        dict(type='LoadVisualModalities'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='ResizeModalities', **(resize or RESIZE)),
        dict(type='PackAudioVisualInputs'),
    ]


@pytest.fixture
def write(tiny_mavd, tmp_path):
    def write(name='store', workers=1, **kwargs):
        kwargs.setdefault('resize', RESIZE)
        source = dict(ann_file='annotations/train.json', data_root=str(tiny_mavd.root), crop=CROP)
        writer = StoreWriter(str(tmp_path / name), [source], shard_size=kwargs.pop('shard_size', 3), **kwargs)
        writer.write(workers)
        return tmp_path / name

    return write


def _files(store):
    return {str(p.relative_to(store)): p.read_bytes() for p in sorted(store.rglob('*')) if p.is_file()}


@pytest.mark.parametrize('resize', [RESIZE, dict(scale=(96, 96), mode='letterbox', pad_value=7)])
def test_same_samples_as_from_files(tiny_mavd, load_mavd, write, resize):
    store = write(resize=resize)
    PreparedStore(str(store)).verify()
    plain = load_mavd(tiny_mavd, pipeline(**resize))
    prepared = load_mavd(tiny_mavd, pipeline(**resize), prepared=str(store))
    assert len(prepared) == len(plain) == 4
    for index in range(4):
        a, b = plain[index], prepared[index]
        assert a['inputs'].keys() == b['inputs'].keys()
        for name in a['inputs']:
            assert torch.equal(a['inputs'][name], b['inputs'][name]), name
        assert a['data_samples'].metainfo == b['data_samples'].metainfo
        boxes = [s['data_samples'].gt_instances.bboxes.tensor for s in (a, b)]
        assert torch.equal(*boxes)


def test_files_are_not_needed_any_more(tiny_mavd, load_mavd, write):
    store = write()
    for drive in ('drive_0', 'drive_1'):
        shutil.rmtree(tiny_mavd.root / drive)
    assert len(load_mavd(tiny_mavd, pipeline(), prepared=str(store))[3]['inputs']) == 4


def test_spectrograms_to_half_precision(tiny_mavd, load_mavd, write):
    store = write(audio='log_mel', log_mel=dict(reference='clip'), modalities=())
    steps = [dict(type='LoadMultichannelAudio'), dict(type='PackAudioVisualInputs')]
    sample = load_mavd(tiny_mavd, steps, prepared=str(store))[2]
    layer = LogMelSpectrogram(reference='clip')
    expected = layer(torch.from_numpy(tiny_mavd.sounds[2])[None].float() / 32768)[0]
    # half precision has 11 significant bits: 1/32 dB between 64 and 80
    assert (sample['inputs']['spectrogram'] - expected).abs().max() <= 1 / 32
    assert sample['data_samples'].log_mel == layer.settings()


def test_acoustic_images_to_half_precision(tiny_mavd, load_mavd, write):
    options = dict(rig=make_rig().to_dict(), grid=(4, 6))
    store = write(audio='acoustic_image', acoustic_image=options, modalities=())
    steps = [dict(type='LoadMultichannelAudio'), dict(type='PackAudioVisualInputs')]
    sample = load_mavd(tiny_mavd, steps, prepared=str(store))[2]
    layer = AcousticImage(**options)
    expected = layer(torch.from_numpy(tiny_mavd.sounds[2])[None].float() / 32768)[0]
    assert sample['inputs'].keys() == {'acoustic_image'}
    assert (sample['inputs']['acoustic_image'] - expected).abs().max() <= 1 / 32
    assert sample['data_samples'].acoustic_settings == layer.settings()


def test_rig_of_the_sources_is_taken(tiny_mavd, load_mavd, write):
    rig = make_rig(image_size=FULL_SIZE, crop=CROP).to_dict()
    (tiny_mavd.root / 'rig.json').write_text(json.dumps(rig))
    store = write(audio='acoustic_image', acoustic_image=dict(grid=(4, 6)), modalities=())
    steps = [dict(type='LoadMultichannelAudio'), dict(type='PackAudioVisualInputs')]
    sample = load_mavd(tiny_mavd, steps, prepared=str(store))[0]['data_samples']
    assert sample.acoustic_settings['rig'] == rig


def test_without_a_rig_there_are_no_acoustic_images(write):
    with pytest.raises(ValueError, match=r'acoustic images need one rig: rig\.json'):
        write(audio='acoustic_image', modalities=())


@pytest.mark.slow
def test_same_bytes_from_two_processes(write):
    assert _files(write('one')) == _files(write('two', workers=2))


def test_interrupted_run_carries_on(write, monkeypatch):
    whole = _files(write('whole', shard_size=1))
    real = StoreWriter.write_shard

    def stop_at_the_third(self, number):
        if number == 2:
            raise KeyboardInterrupt
        return real(self, number)

    with monkeypatch.context() as patch:
        patch.setattr(StoreWriter, 'write_shard', stop_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            write('half', shard_size=1)
    done = []
    monkeypatch.setattr(StoreWriter, 'write_shard', lambda self, n: done.append(n) or real(self, n))
    assert _files(write('half', shard_size=1)) == whole
    assert done == [2, 3]


def test_unfinished_store_is_not_read(tmp_path, tiny_mavd, load_mavd, write):
    store = write()
    (store / 'index.json').unlink()
    with pytest.raises(SampleError, match='no finished prepared store'):
        load_mavd(tiny_mavd, prepared=str(store))


@pytest.mark.parametrize(
    'change',
    [dict(resize=dict(scale=(64, 64))), dict(modalities=('rgb',)), dict(audio='none'), dict(shard_size=2)],
)
def test_other_parameters_are_refused(write, change):
    store = write()
    before = _files(store)
    with pytest.raises(FileExistsError, match='other settings'):
        write(**change)
    assert _files(store) == before


def test_other_frames_are_refused(tiny_mavd, write):
    write()
    tiny_mavd.add_frame()
    tiny_mavd.finish()
    with pytest.raises(FileExistsError, match='frames'):
        write()


def test_foreign_folder_is_refused(tmp_path, write):
    (tmp_path / 'store').mkdir()
    (tmp_path / 'store' / 'precious.txt').write_text('x')
    with pytest.raises(FileExistsError, match='not empty'):
        write()


def test_damage_is_found(write):
    store = write()
    file = store / 'shard_00000' / 'rgb.npy'
    data = bytearray(file.read_bytes())
    data[-10] ^= 1
    file.write_bytes(data)
    with pytest.raises(SampleError, match=r'rgb\.npy: its checksum differs'):
        PreparedStore(str(store)).verify()
    store_before = PreparedStore(str(store))
    file.write_bytes(data[:-1])
    with pytest.raises(SampleError, match=r'rgb\.npy: truncated'):  # before it is mapped
        store_before.array(0, 'rgb')
    with pytest.raises(SampleError, match=r'rgb\.npy: missing or not of'):
        PreparedStore(str(store))


def test_unreadable_frames_are_named_or_noted(tiny_mavd, load_mavd, write):
    drive, frame_id = tiny_mavd.frames[1]
    (tiny_mavd.root / drive / 'audio' / f'audio_0_{frame_id}.wav').write_bytes(b'')
    with pytest.raises(SampleError, match=f'audio_0_{frame_id}'):
        write('strict')
    store = write(on_error='skip')
    assert list(PreparedStore(str(store)).failures) == [f'{drive}/{frame_id}']
    with pytest.raises(SampleError, match=rf'{frame_id}: could not be read when .* the file is empty'):
        load_mavd(tiny_mavd, prepared=str(store))
    dataset = load_mavd(tiny_mavd, pipeline(), prepared=str(store), on_error='skip')
    assert [dataset[i]['data_samples'].img_id for i in range(len(dataset))] == [1, 3, 4]
    assert dataset.left_out['frames not in the prepared store'] == 1


def test_mismatch_with_the_pipeline_is_named(tiny_mavd, load_mavd, write):
    store = str(write(modalities=('rgb', 'thermal', 'depth')))
    with pytest.raises(ValueError, match='make another store'):
        load_mavd(tiny_mavd, pipeline(scale=(64, 64)), prepared=store)[0]
    no_resize = [step for step in pipeline() if step['type'] != 'ResizeModalities']
    with pytest.raises(ValueError, match='needs ResizeModalities'):
        load_mavd(tiny_mavd, no_resize, prepared=store)[0]
    with pytest.raises(ValueError, match='before MirrorFlip'):
        load_mavd(tiny_mavd, [*no_resize[:3], dict(type='MirrorFlip', prob=1.0)], prepared=store)[0]
    with pytest.raises(ValueError, match='prepared with crop'):
        load_mavd(tiny_mavd, pipeline(), prepared=store, crop=(0, 0, 152, 65))
    only_rgb = str(write('rgb', modalities=('rgb',)))
    with pytest.raises(KeyError, match='thermal'):
        load_mavd(tiny_mavd, pipeline(), prepared=only_rgb)[0]


def test_kind_of_sound_must_fit(tmp_path, tiny_mavd, write):
    for audio in ('float32', 'spectrogram'):
        with pytest.raises(SampleError, match='its sound is int16'):
            write(audio, audio=audio)


def test_overlapping_sources_are_refused(tmp_path, tiny_mavd):
    source = dict(ann_file='annotations/train.json', data_root=str(tiny_mavd.root), crop=CROP)
    with pytest.raises(SampleError, match='twice'):
        StoreWriter(str(tmp_path / 's'), [source, source], RESIZE)


def test_store_travels_to_workers(tiny_mavd, load_mavd, write):
    dataset = load_mavd(tiny_mavd, pipeline(), prepared=str(write()))
    first = dataset[0]['inputs']['audio']
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=None, num_workers=1, multiprocessing_context='fork', collate_fn=lambda x: x
    )
    assert torch.equal(next(iter(loader))['inputs']['audio'], first)
    assert isinstance(dataset, MAVDDataset)
    index = json.loads((dataset.store.path / 'index.json').read_text())
    assert index['settings']['resize']['scale'] == [96, 64]
    assert np.load(dataset.store.path / 'shard_00001' / 'audio.npy', mmap_mode='r').shape == (1, 8, 44100)
