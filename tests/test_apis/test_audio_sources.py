"""Chunks of files, pipes and sound cards against the recording that they are of."""

import io
import os
import sys
import threading
import time
import types

import numpy as np
import pytest
import soundfile

from mmav.apis import audio_sources
from mmav.apis.audio_sources import file_chunks, pcm_chunks, sound_card_chunks
from mmav.utils.errors import SampleError

RATE = 8000


@pytest.fixture
def recording() -> np.ndarray:
    return np.random.default_rng(0).integers(-9999, 9999, (3, 2500)).astype(np.int16)


def test_a_file(tmp_path, recording):
    soundfile.write(tmp_path / 'a.wav', recording.T, RATE)
    chunks = list(file_chunks(tmp_path / 'a.wav'))
    assert [chunk.samples.shape[1] for chunk in chunks] == [800, 800, 800, 100]
    assert {chunk.sample_rate for chunk in chunks} == {RATE} and not any(chunk.lost for chunk in chunks)
    np.testing.assert_array_equal(np.concatenate([chunk.samples for chunk in chunks], axis=1), recording)


def test_a_file_in_real_time(tmp_path, recording):
    soundfile.write(tmp_path / 'a.wav', recording.T, RATE)
    begin, ends, number = time.perf_counter(), [], 0
    for chunk in file_chunks(tmp_path / 'a.wav', seconds=0.05, real_time=True):
        number += chunk.samples.shape[1]
        ends.append(number / RATE)
        assert time.perf_counter() - begin >= number / RATE - 0.001, 'a chunk came before it was recorded'
        if len(ends) == 1:
            time.sleep(0.15)  # what has been recorded meanwhile is one chunk
    assert number == 2500 and ends[0] == 0.05 and ends[1] >= 0.2


def test_a_file_that_is_missing(tmp_path):
    with pytest.raises(SampleError, match=r'b\.wav'):
        list(file_chunks(tmp_path / 'b.wav'))


@pytest.mark.parametrize(
    ('pcm_format', 'subtype'),
    [('s16le', 'PCM_16'), ('s24le', 'PCM_24'), ('s32le', 'PCM_32'), ('f32le', 'FLOAT')],
)
def test_raw_samples_as_libsndfile_writes_them(recording, pcm_format, subtype):
    raw = io.BytesIO()
    soundfile.write(raw, recording.T / 32768, RATE, format='RAW', subtype=subtype, endian='LITTLE')
    raw.seek(0)
    chunks = list(pcm_chunks(raw, 3, RATE, pcm_format))
    assert [chunk.samples.shape for chunk in chunks] == [(3, 800)] * 3 + [(3, 100)]
    samples = np.concatenate([chunk.samples for chunk in chunks], axis=1)
    if pcm_format == 's16le':
        assert samples.dtype == np.int16
        samples = samples.astype(np.float32) / 32768
    np.testing.assert_allclose(samples, recording / 32768, rtol=0, atol=1e-7)


def test_a_pipe_that_gives_a_little_at_a_time(recording):
    data, (reader, writer) = np.ascontiguousarray(recording.T).tobytes(), os.pipe()

    def write():
        with open(writer, 'wb', buffering=0) as pipe:
            for place in range(0, len(data), 777):
                pipe.write(data[place : place + 777])

    thread = threading.Thread(target=write)
    thread.start()
    with open(reader, 'rb') as stream:
        samples = [chunk.samples for chunk in pcm_chunks(stream, 3, RATE)]
    thread.join()
    np.testing.assert_array_equal(np.concatenate(samples, axis=1), recording)


def test_raw_samples_that_end_within_one(recording):
    stream = io.BytesIO(np.ascontiguousarray(recording.T).tobytes()[:-1])
    with pytest.raises(SampleError, match='ends within a sample of 3 channels of s16le'):
        list(pcm_chunks(stream, 3, RATE))
    with pytest.raises(ValueError, match='pcm_format'):
        next(pcm_chunks(stream, 3, RATE, 'u8'))


class SoundCard:
    """In the place of sounddevice: gives blocks when it is told to."""

    def __init__(self):
        self.streams = []

    def InputStream(self, **options):
        self.options, self.callback, self.closed = options, options['callback'], False
        return self

    def start(self):
        self.started = True

    def close(self):
        self.closed = True

    def give(self, samples, overflow=False):
        self.callback(samples, len(samples), None, types.SimpleNamespace(input_overflow=overflow))


@pytest.fixture
def card(monkeypatch) -> SoundCard:
    card = SoundCard()
    monkeypatch.setitem(sys.modules, 'sounddevice', card)
    return card


def read(chunks, count: int, card: SoundCard, blocks: list, overflow: bool = False) -> list:
    """Start the reader, which waits, then give blocks; return the chunks."""
    found = []
    thread = threading.Thread(target=lambda: found.extend(next(chunks) for _ in range(count)))
    thread.start()
    while not hasattr(card, 'callback'):
        time.sleep(0.01)
    for block in blocks:
        card.give(block, overflow)
    thread.join(20)
    return found


def test_a_sound_card(card, recording):
    chunks = sound_card_chunks(3, RATE, device='array', seconds=0.1)
    blocks = np.split(recording.T[:2400], 3)
    found = read(chunks, 3, card, blocks)
    np.testing.assert_array_equal(
        np.concatenate([chunk.samples for chunk in found], axis=1), recording[:, :2400]
    )
    assert [chunk.lost for chunk in found] == [0, 0, 0]
    expected = dict(device='array', channels=3, samplerate=RATE, blocksize=800, dtype='int16')
    assert expected.items() <= card.options.items()
    assert card.started
    chunks.close()
    assert card.closed


def test_what_nobody_reads_is_left_out_and_counted(card, recording):
    chunks = sound_card_chunks(3, RATE, seconds=0.1, most_seconds=0.2)
    first = read(chunks, 1, card, [recording.T[:800]])
    for start in range(0, 2400, 600):  # four blocks, of which two may wait
        card.give(recording.T[start : start + 600])
    found = [*first, next(chunks), next(chunks)]
    assert [chunk.lost for chunk in found] == [0, 1200, 0]
    np.testing.assert_array_equal(found[1].samples, recording[:, 1200:1800])


def test_an_overflow_of_the_card_is_told(card, recording):
    (chunk,) = read(sound_card_chunks(3, RATE), 1, card, [recording.T[:800]], overflow=True)
    assert chunk.lost == 1


def test_a_card_that_cannot_be_closed_holds_nobody_up(card, recording, monkeypatch):
    monkeypatch.setattr(audio_sources, '_CLOSING', 0.1)
    monkeypatch.setattr(audio_sources, '_SILENT_CARD', 0.1)
    end = threading.Event()
    card.close = end.wait
    chunks = sound_card_chunks(3, RATE, device='array', seconds=0.1)
    read(chunks, 1, card, [recording.T[:800]])
    with pytest.raises(SampleError, match='sound card array: has given nothing for'):
        next(chunks)
    end.set()
