"""Every kind of file that users bring: how a small one is made, read, and what may come of a mutated one."""

import json
import os
import pickle
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import h5py
import numpy as np
import soundfile
import torch
from mmdet.registry import DATASETS  # noqa: F401  registers

sys.path.insert(0, str(Path(__file__).parents[1]))

# isort: split
from mutations import BINARY, JSON, TEXT
from oracles import (
    NOISE,
    anything,
    array,
    boxes,
    config,
    exact,
    h5,
    image,
    json_value,
    nothing,
    plain_sound,
    segments,
    sound,
    store,
    video,
)
from rigs import make_rig
from test_datasets.tiny_llp import write_llp
from tiny_clips import TinyClips
from tiny_mavd import CROP, TinyMAVD

from mmav.datasets import FlickrSoundNetDataset, LLPDataset, MAVDDataset, VGGSoundDataset, VGGSSDataset
from mmav.datasets.clip_names import read_clip_names
from mmav.datasets.stores.shard_store import ShardStore, file_checksum
from mmav.datasets.transforms.load_visual_modalities import read_image
from mmav.media.array_files import read_npy, read_npz
from mmav.media.audio_files import read_audio
from mmav.media.coco_file import read_coco
from mmav.media.h5_array import H5Array, write_h5_array
from mmav.media.video import read_video_audio, read_video_frames
from mmav.structures import Rig
from mmav.utils.checkpoint import read_checkpoint, select_state_dict
from mmav.utils.config_text import parse_config_text
from mmav.utils.locks import folder_lock
from mmav.utils.run_parameters import record_parameters

RATE = 8000
ARRAY = np.random.default_rng(1).standard_normal((10, 4)).astype(np.float32)
MARKER = 'executed'
"""A folder of this name is what hostile files would make."""


class Hostile:
    """Its pickle makes a folder when it is read by pickle itself."""

    def __reduce__(self) -> tuple:
        return os.mkdir, (MARKER,)


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Attributes:
        name: What tables call it.
        make: Writes a file, and what it needs beside it, below a folder; returns it.
        read: Reads the file; errors are to name it.
        check: One of ``oracles``: what is wrong with the value read of a mutated file, or None.
        mutations: That are tried.
    """

    name: str
    make: Callable[[Path], Path]
    read: Callable[[Path], Any]
    check: Callable[[Any, Any, bytes, bytes], str | None]
    mutations: Sequence[Callable] = BINARY


def _sound(suffix: str, format: str, subtype: str = 'PCM_16', check: Callable = plain_sound) -> Format:
    def make(folder: Path) -> Path:
        samples = NOISE / 2**15 if subtype == 'FLOAT' else NOISE
        soundfile.write(folder / f'sound.{suffix}', samples, RATE, subtype, format=format)
        return folder / f'sound.{suffix}'

    def read(path: Path) -> np.ndarray:
        return read_audio(str(path)).values.T

    name = suffix if subtype in ('PCM_16', 'VORBIS', 'MPEG_LAYER_III') else f'{suffix} {subtype}'
    return Format('rf64' if format == 'RF64' else name, make, read, check)


def _video(suffix: str, codecs: tuple[str, str]) -> Format:
    def make(folder: Path) -> Path:
        path = folder / f'video.{suffix}'
        with av.open(str(path), 'w') as container:
            images, sound = (
                container.add_stream(codecs[0], rate=10),
                container.add_stream(codecs[1], rate=RATE),
            )
            images.width, images.height, images.pix_fmt, sound.layout = 48, 32, 'yuv420p', 'mono'
            for number in range(10):
                picture = np.full((32, 48, 3), 20 + 20 * number, np.uint8)
                container.mux(images.encode(av.VideoFrame.from_ndarray(picture)))
            samples = NOISE[:, 0].repeat(3)[None, :RATE]
            frame = av.AudioFrame.from_ndarray(samples, format='s16', layout='mono')
            frame.sample_rate = RATE
            container.mux(sound.encode(frame))
            for stream in (images, sound):
                container.mux(stream.encode())
        return path

    def read(path: Path) -> dict:
        return dict(images=read_video_frames(path, 10), sound=read_video_audio(path, RATE))

    return Format(suffix, make, read, video)


def _image(suffix: str, check: Callable) -> Format:
    def make(folder: Path) -> Path:
        picture = cv2.resize(np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8), (40, 32))
        cv2.imwrite(str(folder / f'image.{suffix}'), picture)
        return folder / f'image.{suffix}'

    return Format(suffix, make, lambda path: read_image(str(path)), check)


def _write(name: str, content: bytes | Callable[[Path], Any]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            content(folder / name)
        return folder / name

    return make


def _save_npz(path: Path) -> None:
    np.savez_compressed(path, a=ARRAY, b=np.arange(5))


def _save_checkpoint(path: Path) -> None:
    meta = dict(cfg='a = 1', seed=3)
    torch.save(
        dict(state_dict={'a.weight': torch.from_numpy(ARRAY), 'a.bias': torch.ones(3)}, meta=meta), path
    )


def _read_checkpoint(path: Path) -> dict:
    return {
        name: value.numpy()
        for name, value in select_state_dict(read_checkpoint(str(path)), '', path.name).items()
    }


def _read_h5(path: Path) -> np.ndarray:
    stored = H5Array(str(path), 'avadataset')
    stored.attributes()
    values = stored[:]
    stored.close()
    return values


def _write_chunked(path: Path) -> None:
    with h5py.File(path, 'w') as file:
        file.create_dataset('avadataset', data=ARRAY, chunks=(2, 4), compression='gzip')


def _make_llp(name: str) -> Callable[[Path], Path]:
    return lambda folder: write_llp(folder) / name


def _read_llp(path: Path) -> list:
    test = 'eval' in path.name
    dataset = LLPDataset(
        ann_file='AVVP_test_pd.csv' if test else 'AVVP_train.csv',
        data_root=str(path.parent),
        pipeline=[],
        test_mode=test,
        serialize_data=False,
    )
    return [dataset[index] for index in range(len(dataset))]


def _read_llp_feature(path: Path) -> list:
    return _read_llp(path.parents[2] / 'AVVP_train.csv')


def _make_clips(name: str, text: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        clips = TinyClips(folder)
        for stem in ('aaaaaaaaaaa_000010', 'bbbbbbbbbbb_000020'):
            clips.add(stem, seconds=0.01)
        return folder / clips.write(name, text)

    return make


VGGSS = json.dumps(
    [
        {'file': 'aaaaaaaaaaa_000010', 'class': 'dog', 'bbox': [[0.1, 0.2, 0.5, 0.6]]},
        {'file': 'bbbbbbbbbbb_000020', 'class': 'cat', 'bbox': [[0.1, 0.2, 0.5, 0.6], [0, 0, 1, 1]]},
    ]
)
FLICKR = '<a><n><bbox><l>x</l><x>9</x><y>20</y><x>100</x><y>200</y></bbox></n></a>'


def _samples(dataset: Any) -> list:
    return [dataset.get_data_info(index) for index in range(len(dataset))]


def _read_vggss(path: Path) -> list:
    return _samples(VGGSSDataset(data_root=str(path.parent), pipeline=[], serialize_data=False))


def _read_flickr(path: Path) -> list:
    return _samples(FlickrSoundNetDataset(data_root=str(path.parents[1]), pipeline=[], serialize_data=False))


def _read_vggsound(key: str) -> Callable[[Path], list]:
    def read(path: Path) -> list:
        options = {key: path.name if key == 'class_file' else str(path)}
        return _samples(
            VGGSoundDataset(data_root=str(path.parent), pipeline=[], serialize_data=False, **options)
        )

    return read


def _make_mavd(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        data = TinyMAVD(folder, modalities=('rgb',))
        data.add_frame()
        data.add_frame()
        data.finish()
        positions = make_rig().microphone_positions.tolist()
        (folder / 'manifest.json').write_text(json.dumps(dict(format='x', microphone_positions=positions)))
        return folder / name

    return make


def _read_mavd(path: Path) -> dict:
    root = path.parent if path.name == 'manifest.json' else path.parents[1]
    dataset = MAVDDataset(
        ann_file='annotations/train.json',
        data_root=str(root),
        pipeline=[],
        crop=CROP,
        modalities=('rgb',),
        serialize_data=False,
    )
    return dict(samples=len(dataset), positions=dataset.metainfo['microphone_positions'])


def _make_store(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        shard = folder / 'shard_00000'
        shard.mkdir()
        np.save(shard / 'audio.npy', ARRAY)
        entry = dict(bytes=(shard / 'audio.npy').stat().st_size, sha256=file_checksum(shard / 'audio.npy'))
        frames = [f'drive/{number}' for number in range(len(ARRAY))]
        shards = [dict(name='shard_00000', frames=frames, files={'audio.npy': entry})]
        index = dict(version=1, settings=dict(kind='store'), failures={}, shards=shards)
        (folder / 'index.json').write_text(json.dumps(index))
        return folder / name

    return make


def _read_store(path: Path) -> np.ndarray:
    root = path.parent if path.name == 'index.json' else path.parents[1]
    store = ShardStore(str(root))
    if path.name == 'audio.npy':
        store.verify()
    return np.array([store.array(store.row(name)[0], 'audio')[store.row(name)[1]] for name in store._rows])


def _read_parameters(path: Path) -> None:
    with folder_lock(path.parent, 'test'):
        record_parameters(path, '{"a": {"b": [1, 2.5]}}', 'was made with other parameters')


CONFIG = "model = dict(type='ResNet', depth=18, stages=[1, (2, 3)], init_cfg=None)\nx = {'a b': -1.5}\n"
HOSTILE_CONFIG = f"__import__('os').mkdir({MARKER!r})\n"


def _read_config(path: Path) -> dict:
    return parse_config_text(path.read_bytes().decode('latin-1'), path.name)._cfg_dict.to_dict()


FORMATS = (
    _sound('wav', 'WAV'),
    _sound('wav', 'WAV', 'FLOAT', sound),
    _sound('wav', 'RF64'),
    _sound('w64', 'W64'),
    _sound('aiff', 'AIFF'),
    _sound('au', 'AU'),
    _sound('flac', 'FLAC', check=sound),
    _sound('ogg', 'OGG', 'VORBIS', sound),
    _sound('mp3', 'MP3', 'MPEG_LAYER_III', sound),
    _video('mp4', ('mpeg4', 'aac')),
    _video('mkv', ('mpeg4', 'pcm_s16le')),
    _video('avi', ('mpeg4', 'pcm_s16le')),
    _image('png', exact),
    _image('jpg', image),
    Format(
        'npy', _write('array.npy', lambda path: np.save(path, ARRAY)), lambda path: read_npy(str(path)), array
    ),
    Format('npz', _write('arrays.npz', _save_npz), lambda path: read_npz(str(path)), exact),
    Format('pkl', _write('sound.pkl', pickle.dumps(ARRAY)), lambda path: read_audio(str(path)).values, array),
    Format(
        'pkl, protocol 0',
        _write('sound.pkl', pickle.dumps(ARRAY, 0)),
        lambda path: read_audio(str(path)).values,
        array,
        (*BINARY, *TEXT),
    ),
    Format(
        'pkl, hostile',
        _write('sound.pkl', pickle.dumps(Hostile())),
        lambda path: read_audio(str(path)),
        nothing,
    ),
    Format('pth', _write('epoch_1.pth', _save_checkpoint), _read_checkpoint, exact),
    Format(
        'pth, hostile',
        _write('epoch_1.pth', lambda path: torch.save(Hostile(), path)),
        _read_checkpoint,
        nothing,
    ),
    Format('config in pth', _write('config.txt', CONFIG.encode()), _read_config, config, TEXT),
    Format('config, hostile', _write('config.txt', HOSTILE_CONFIG.encode()), _read_config, config, TEXT),
    Format(
        'h5',
        _write('feature.h5', lambda path: write_h5_array(path, 'avadataset', ARRAY, attributes=dict(a='{}'))),
        _read_h5,
        h5,
    ),
    Format('h5, compressed', _write('feature.h5', _write_chunked), _read_h5, h5),
    Format('LLP list', _make_llp('AVVP_train.csv'), _read_llp, segments, TEXT),
    Format('LLP events', _make_llp('AVVP_eval_audio.csv'), _read_llp, segments, TEXT),
    Format('LLP feature', _make_llp('feats/vggish/aaaaaaaaaaa.npy'), _read_llp_feature, segments),
    Format(
        'AVE list',
        _write('Annotations.txt', b'Category&VideoID&Quality\nBark&RUhOCu3LNXM&good\nBus&-hChcJAh5N0&good\n'),
        read_clip_names,
        anything,
        TEXT,
    ),
    Format(
        'VGGSound csv',
        _make_clips('vggsound.csv', 'aaaaaaaaaaa,10,"dog, barking",train\nbbbbbbbbbbb,20,cat,test\n'),
        _read_vggsound('class_file'),
        anything,
        TEXT,
    ),
    Format(
        'VGGSound list',
        _make_clips('train.txt', 'aaaaaaaaaaa_000010\nbbbbbbbbbbb_000020\n'),
        _read_vggsound('split_file'),
        anything,
        TEXT,
    ),
    Format('VGG-SS json', _make_clips('vggss.json', VGGSS), _read_vggss, boxes, JSON),
    Format(
        'Flickr xml', _make_clips('Annotations/aaaaaaaaaaa_000010.xml', FLICKR), _read_flickr, boxes, TEXT
    ),
    Format(
        'COCO json', _make_mavd('annotations/train.json'), lambda path: read_coco(str(path)), json_value, JSON
    ),
    Format('MAVD json', _make_mavd('annotations/train.json'), _read_mavd, anything, JSON),
    Format('manifest.json', _make_mavd('manifest.json'), _read_mavd, anything, JSON),
    Format(
        'rig.json',
        _write('rig.json', json.dumps(make_rig().to_dict()).encode()),
        Rig.from_file,
        json_value,
        JSON,
    ),
    Format(
        'parameters', _write('extraction.json', b'{"a": {"b": [1, 2.5]}}'), _read_parameters, anything, JSON
    ),
    Format('store index', _make_store('index.json'), _read_store, store, JSON),
    Format('store data', _make_store('shard_00000/audio.npy'), _read_store, exact),
)
