"""Every data set from an HTTP and from an S3 server against the same one from the disk."""

import json
import logging
from pathlib import Path

import boto3
import numpy as np
import pytest
import torch
from file_server import FileServer
from moto.server import ThreadedMotoServer
from rigs import make_rig
from test_flickr_soundnet import xml
from tiny_ave import write_ave
from tiny_llp import write_llp
from tiny_mavd import CROP, SAMPLE_RATE

from mmav.datasets import (
    AVEDataset,
    FlickrSoundNetDataset,
    LLPDataset,
    MAVDDataset,
    SampleError,
    VGGSoundDataset,
    VGGSSDataset,
)
from mmav.datasets.stores.prepared_store import PreparedStore
from mmav.datasets.stores.prepared_store_writer import StoreWriter
from mmav.datasets.stores.shard_writer import write_index, write_shard
from mmav.datasets.transforms import LoadTeacherEmbeddings
from mmav.evaluation.coco import load_coco
from mmav.utils.errors import StorageError

QUICK = dict(retries=1, timeout=5, backoff=0.01)
# not serialized: mmengine collects garbage then, which takes longer than all the rest
PLAIN = dict(crop=CROP, serialize_data=False)
LOADERS = [dict(type='LoadMultichannelAudio'), dict(type='LoadVisualModalities')]


@pytest.fixture(scope='module')
def s3():
    """A server of buckets; its address and a client that fills them."""
    logging.getLogger('werkzeug').setLevel(logging.ERROR)
    server = ThreadedMotoServer('127.0.0.1', 0, verbose=False)
    server.start()
    url = 'http://{}:{}'.format(*server.get_host_and_port())
    keys = dict(aws_access_key_id='key', aws_secret_access_key='secret', region_name='us-east-1')
    yield url, boto3.client('s3', endpoint_url=url, **keys)
    server.stop()


@pytest.fixture(params=['http', 's3'])
def publish(request, tmp_path, monkeypatch):
    """Makes the files below ``tmp_path`` readable from afar; gives the root's address and backend_args."""
    if request.param == 'http':
        server = request.getfixturevalue('http_server')
        return lambda: (server.url, dict(backend='retrying_http', **QUICK))
    url, client = request.getfixturevalue('s3')
    monkeypatch.setenv('AWS_ACCESS_KEY_ID', 'key')
    monkeypatch.setenv('AWS_SECRET_ACCESS_KEY', 'secret')
    bucket = tmp_path.name.replace('_', '-').lower()[:60].strip('-')

    def upload():
        client.create_bucket(Bucket=bucket)
        for path in tmp_path.rglob('*'):
            if path.is_file():
                client.upload_file(str(path), bucket, path.relative_to(tmp_path).as_posix())
        return f's3://{bucket}', dict(backend='s3', endpoint_url=url, region_name='us-east-1', **QUICK)

    return upload


@pytest.fixture
def http_server(tmp_path):
    with FileServer(tmp_path) as server:
        yield server


def without_places(value, root: str):
    """The same with paths relative to the root."""
    if isinstance(value, dict):
        return {key: without_places(item, root) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_places(item, root) for item in value]
    return value.removeprefix(root.rstrip('/')) if isinstance(value, str) else value


def check_same(local, remote, roots) -> None:
    """All samples are equal, but for where they lie."""
    assert len(local) == len(remote) > 0
    for index in range(len(local)):
        mine, theirs = (without_places(data[index], str(root)) for data, root in zip((local, remote), roots))
        np.testing.assert_equal(theirs, mine)


def test_mavd(tiny_mavd, tmp_path, publish):
    (tiny_mavd.root / 'rig.json').write_text(json.dumps(make_rig(crop=CROP, image_size=(192, 65)).to_dict()))
    tiny_mavd.write_list('half', tiny_mavd.frames[:2])
    (tiny_mavd.root / 'manifest.json').write_text(json.dumps(dict(preset='tiny')))
    options = dict(
        ann_file='annotations/train.json', split_file='half.txt', verify=True, pipeline=LOADERS, **PLAIN
    )
    root, backend_args = publish()
    local = MAVDDataset(data_root=str(tiny_mavd.root), **options)
    remote = MAVDDataset(data_root=f'{root}/data', backend_args=backend_args, **options)
    check_same(local, remote, (tiny_mavd.root, f'{root}/data'))
    assert remote.metainfo['rig'] == local.metainfo['rig'] != {} and len(remote) == 2
    assert remote[0]['img_path'].startswith(f'{root}/data/drive_0/fl_rgb/')
    assert local[0]['audio'].shape == (8, SAMPLE_RATE)
    # lists on this machine, files on the server; and the metrics' annotation file
    mixed = MAVDDataset(
        **dict(options, ann_file=str(tiny_mavd.root / 'annotations' / 'train.json')),
        data_root=f'{root}/data',
        backend_args=backend_args,
    )
    check_same(local, mixed, (tiny_mavd.root, f'{root}/data'))
    assert len(load_coco(f'{root}/data/annotations/train.json', backend_args).imgs) == 4
    with pytest.raises(SampleError, match=f'{root}/data/annotations/none.json: the file is missing'):
        options['ann_file'] = 'annotations/none.json'
        MAVDDataset(data_root=f'{root}/data', backend_args=backend_args, **options)


def test_mavd_recording_of_a_drive(tiny_mavd, publish):
    import soundfile

    drive = tiny_mavd.root / 'drive_0' / 'audio'
    soundfile.write(drive / 'drive.flac', np.concatenate(tiny_mavd.sounds[:2], 1).T, SAMPLE_RATE)
    lines = [f'{frame_id},{0.5 + number}' for number, (_, frame_id) in enumerate(tiny_mavd.frames[:2])]
    (drive / 'timestamps.csv').write_text('\n'.join(['frame_id,seconds', *lines]))
    tiny_mavd.write_list('one', tiny_mavd.frames[:2])
    root, backend_args = publish()
    options = dict(split_file='one.txt', audio_layout='drive', pipeline=LOADERS[:1], **PLAIN)
    remote = MAVDDataset(data_root=f'{root}/data', backend_args=backend_args, **options)
    for index in range(2):
        np.testing.assert_array_equal(remote[index]['audio'], tiny_mavd.sounds[index])


def test_prepared_store_by_rows(tiny_mavd, tmp_path, publish):
    resize = dict(scale=(96, 64))
    source = dict(ann_file='annotations/train.json', data_root=str(tiny_mavd.root), crop=CROP)
    StoreWriter(str(tmp_path / 'store'), [source], shard_size=3, resize=resize).write(1)
    root, backend_args = publish()
    remote_store = PreparedStore(f'{root}/store', backend_args)
    remote_store.verify()
    options = dict(
        ann_file='annotations/train.json',
        data_root=str(tiny_mavd.root),
        **PLAIN,
        pipeline=[*LOADERS, dict(type='ResizeModalities', **resize), dict(type='PackAudioVisualInputs')],
    )
    local = MAVDDataset(prepared=str(tmp_path / 'store'), **options)
    remote = MAVDDataset(prepared=f'{root}/store', backend_args=backend_args, **options)
    for index in range(4):
        mine, theirs = local[index]['inputs'], remote[index]['inputs']
        assert mine.keys() == theirs.keys() == {'audio', 'rgb', 'thermal', 'depth'}
        assert all(torch.equal(mine[name], theirs[name]) for name in mine)
    with pytest.raises(SampleError, match=f'{root}/none/index.json: the file is missing: no finished'):
        PreparedStore(f'{root}/none', backend_args)


def test_teacher_embeddings(tmp_path, publish):
    values = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)
    write_shard(tmp_path / 'store' / 'shard_00000', list('abc'), [dict(audio=v) for v in values], 'raise')
    write_index(tmp_path / 'store', dict(kind='store of teacher embeddings'), 1)
    root, backend_args = publish()
    load = LoadTeacherEmbeddings(f'{root}/store', ['audio'], backend_args)
    np.testing.assert_array_equal(load(dict(clip='b'))['teacher_audio'], values[1])


def test_llp_and_its_pseudo_labels(tmp_path, publish):
    write_llp(tmp_path)
    root, backend_args = publish()
    for options in (dict(), dict(ann_file='AVVP_test_pd.csv', test_mode=True)):
        local, remote = (
            LLPDataset(data_root=str(place), pipeline=[], serialize_data=False, backend_args=args, **options)
            for place, args in ((tmp_path, None), (root, backend_args))
        )
        check_same(local, remote, (tmp_path, root))


def test_ave(tmp_path, publish):
    write_ave(tmp_path)
    (tmp_path / 'Annotations.txt').write_text(''.join(f'x&name{row}&good&0&1\n' for row in range(6)))
    root, backend_args = publish()
    local, remote = (
        AVEDataset(
            data_root=str(place),
            ann_file='Annotations.txt',
            split='train',
            pipeline=[],
            serialize_data=False,
            backend_args=args,
        )
        for place, args in ((tmp_path, None), (root, backend_args))
    )
    check_same(local, remote, (tmp_path, root))


def test_clips_of_an_image_and_a_sound(clips, publish):
    stems = list(clips.images)
    clips.write('list.txt', '\n'.join(stems))
    clips.write('classes.csv', ''.join(f'{stem},bell\n' for stem in stems))
    boxes = [{'file': stem, 'class': 'bell', 'bbox': [[0.1, 0.1, 0.5, 0.5]]} for stem in stems]
    clips.write('vggss.json', json.dumps(boxes))
    for stem in stems:
        clips.write(f'Annotations/{stem}.xml', xml([(0, 64, 128, 256)]))
    root, backend_args = publish()
    steps = [dict(type='LoadClipFrame'), dict(type='LoadAudioSegment', sample_rate=8000, duration=0.5)]
    mmcv_steps = [dict(type='LoadImageFromFile'), steps[1]]
    for kind, options in (
        (VGGSoundDataset, dict(split_file='list.txt', class_file='classes.csv', verify=True)),
        (VGGSSDataset, dict()),
        (FlickrSoundNetDataset, dict(pipeline=mmcv_steps)),
    ):
        local, remote = (
            kind(
                data_root=str(place),
                backend_args=args,
                serialize_data=False,
                **{'pipeline': steps, **options},
            )
            for place, args in ((clips.root, None), (root, backend_args))
        )
        check_same(local, remote, (clips.root, root))
        assert len(remote) == 3 and 'audio' in remote[0] and 'img' in remote[0]


def test_a_server_that_is_gone_leaves_out_no_samples(tiny_mavd, http_server):
    options = dict(ann_file='annotations/train.json', on_error='skip', pipeline=LOADERS, **PLAIN)
    url = f'{http_server.url}/data'
    options.update(data_root=url, backend_args=dict(retries=0, timeout=5))
    assert len(MAVDDataset(**options)) == 4
    count = len(http_server.paths)
    http_server.paths.clear()
    http_server.faults[:] = [''] * (count - 3) + ['busy'] * 99
    with pytest.raises(StorageError, match=f'{url}/drive_.*: could not be read in 1 attempt .*503'):
        MAVDDataset(**options)


def test_a_damaged_file_on_a_server_is_left_out_as_on_the_disk(tiny_mavd, http_server):
    drive, frame_id = tiny_mavd.frames[1]
    path = tiny_mavd.root / drive / 'audio' / f'audio_3_{frame_id}.wav'
    path.write_bytes(path.read_bytes()[:5000])
    options = dict(ann_file='annotations/train.json', pipeline=LOADERS, **PLAIN)
    options.update(data_root=f'{http_server.url}/data')
    assert len(MAVDDataset(on_error='skip', **options)) == 3
    with pytest.raises(SampleError, match=rf'{http_server.url}/data/{drive}/audio/{path.name}: truncated'):
        MAVDDataset(**options)[1]


def test_a_store_that_is_replaced_while_it_is_read(tmp_path, http_server):
    write_shard(tmp_path / 's' / 'shard_00000', ['a'], [dict(audio=np.arange(5))], 'raise')
    write_index(tmp_path / 's', {}, 1)
    store = PreparedStore(f'{http_server.url}/s')
    path = Path(tmp_path / 's' / 'shard_00000' / 'audio.npy')
    path.write_bytes(path.read_bytes() + b'x')
    with pytest.raises(SampleError, match=f'{http_server.url}/s/shard_00000/audio.npy: .* was changed'):
        store.frame((0, 0)).read('audio')
