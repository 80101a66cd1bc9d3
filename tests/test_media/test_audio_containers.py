"""Sound files of all containers: whole ones are read, cut or miscounted ones are errors."""

import io
import struct
import time
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from mmav.media.audio_files import audio_length, read_audio, read_audio_segment
from mmav.utils.errors import SampleError

RATE = 8000
FORMATS = dict(wav='WAV', rf64='RF64', w64='W64', aiff='AIFF', au='AU', flac='FLAC', ogg='OGG')


def sound(seconds: float = 2.0, channels: int = 2) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(-9000, 9000, (round(seconds * RATE), channels)).astype(np.int16)


def encode(name: str, samples: np.ndarray | None = None) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, sound() if samples is None else samples, RATE, format=FORMATS[name])
    return buffer.getvalue()


def write(folder: Path, name: str, content: bytes) -> str:
    path = folder / f'a.{name}'
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize('name', FORMATS)
@pytest.mark.parametrize('channels', [1, 3])
def test_whole_files_are_read(tmp_path, name, channels):
    samples = sound(0.1 + 1 / RATE, channels)  # an odd number
    path = write(tmp_path, name, encode(name, samples))
    values = read_audio(path).values
    assert values.shape == samples.T.shape and audio_length(path) == (len(samples), RATE)
    if name != 'ogg':  # which is not lossless
        assert (values == samples.T).all()


@pytest.mark.parametrize('name', FORMATS)
def test_truncated_files_are_errors(tmp_path, name):
    content = encode(name)
    for size in np.linspace(1, len(content) - 40, 60).astype(int):
        path = write(tmp_path, name, content[:size])
        for read in (read_audio, lambda path: read_audio_segment(path, 1.0, 2.0)):
            with pytest.raises(SampleError, match=rf'a\.{name}: '):
                read(path)


def miscount(content: bytes, seconds: float) -> bytes:
    """The same wav file, whose header says another length."""
    place = content.index(b'data') + 4
    return content[:place] + struct.pack('<I', round(seconds * RATE) * 4) + content[place + 4 :]


@pytest.mark.parametrize('seconds', [0.0, 1.0, 1.99])
def test_headers_shorter_than_the_file_are_errors(tmp_path, seconds):
    path = write(tmp_path, 'wav', miscount(encode('wav'), seconds))
    said, held = round(seconds * RATE) * 4, round((2 - seconds) * RATE) * 4
    with pytest.raises(SampleError, match=rf'a\.wav: its header says {said} bytes .* {held} bytes follow'):
        read_audio(path)


@pytest.mark.parametrize(('name', 'field'), [('aiff', '>I'), ('au', '>I'), ('w64', '<Q')])
def test_other_headers_shorter_than_the_file_are_errors(tmp_path, name, field):
    content = bytearray(encode(name))
    place = dict(aiff=content.find(b'SSND') + 4, au=8, w64=content.find(b'data\xf3') + 16)[name]
    (length,) = struct.unpack_from(field, content, place)
    struct.pack_into(field, content, place, length - 16000)
    with pytest.raises(SampleError, match=rf'a\.{name}: its header says .* bytes follow'):
        read_audio(write(tmp_path, name, bytes(content)))


def test_an_unknown_length_is_the_files(tmp_path):
    content = encode('wav')
    place = content.index(b'data') + 4
    content = content[:place] + b'\xff' * 4 + content[place + 4 :]
    assert read_audio(write(tmp_path, 'wav', content)).values.shape == (2, 2 * RATE)


def test_chunks_behind_the_sound_pass(tmp_path):
    extra = b'LIST' + struct.pack('<I', 5) + b'INFOx\0' + b'id3 ' + struct.pack('<I', 300) + bytes(300)
    path = write(tmp_path, 'wav', encode('wav') + extra)
    assert (read_audio(path).values == sound().T).all()


def test_zeros_behind_the_sound_are_not_walked_through(tmp_path):
    path = write(tmp_path, 'wav', encode('wav') + bytes(50_000_000))
    start = time.process_time()
    with pytest.raises(SampleError, match='50000000 bytes follow'):
        audio_length(path)
    assert time.process_time() - start < 1  # 8 seconds, 8 bytes at a time


@pytest.mark.parametrize('tags', [b'', b'ID3\x04\0\0\0\0\x02\0' + bytes(256)])
@pytest.mark.parametrize('with_length', ['0', '1'])
def test_mp3_with_and_without_its_length(tmp_path, with_length, tags):
    buffer = io.BytesIO()
    with av.open(buffer, 'w', format='mp3', options=dict(write_xing=with_length, id3v2_version='0')) as out:
        stream = out.add_stream('mp3', rate=44100, layout='mono')
        samples = (8000 * np.sin(0.05 * np.arange(3 * 44100))).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format='s16p', layout='mono')
        frame.sample_rate = 44100
        out.mux([*stream.encode(frame), *stream.encode(None)])
    content = tags + buffer.getvalue()
    assert (b'Info' in content) == (with_length == '1')
    length = read_audio(write(tmp_path, 'mp3', content)).values.shape[1]
    assert abs(length - 3 * 44100) <= 2 * 1152  # encoders pad by up to two frames
    if with_length == '1':
        with pytest.raises(SampleError, match='truncated'):
            read_audio(write(tmp_path, 'mp3', content[: len(content) // 2]))
