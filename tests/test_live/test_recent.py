"""Files of the last minute against what was added, read by soundfile and motmetrics."""

import io

import motmetrics
import numpy as np
import pytest
import soundfile
from stand_ins import HOP, RATE, StandInDetector, noise

from mmav.apis.audio_sources import AudioChunk
from mmav.live.recent import RecentMinute
from mmav.utils.errors import SampleError


def chunk(samples, lost=0, rate=RATE):
    return AudioChunk(samples, rate, lost, 0.0)


def read(recent, dtype='int16'):
    samples, rate = soundfile.read(io.BytesIO(recent.sound_file()), dtype=dtype, always_2d=True)
    return samples.T, rate


def test_the_sound_is_that_of_the_last_seconds():
    recent, wave = RecentMinute(0.1, seconds=1.0), noise(20000)
    for start in range(0, 20000, 777):
        recent.add_sound(chunk(wave[:, start : start + 777]))
    samples, rate = read(recent)
    assert rate == RATE
    np.testing.assert_array_equal(samples, wave[:, -RATE:])
    assert recent.results()['sound'] == dict(start=pytest.approx(1.5), sample_rate=RATE)


def test_what_is_lost_is_silence_and_another_rate_begins_anew():
    recent = RecentMinute(0.1)
    with pytest.raises(SampleError, match='no sound has arrived'):
        recent.sound_file()
    recent.add_sound(chunk(noise(100)))
    recent.add_sound(chunk(noise(100, 1), lost=50))
    samples, _ = read(recent)
    expected = np.concatenate([noise(100), np.zeros((2, 50)), noise(100, 1)], axis=1)
    np.testing.assert_array_equal(samples, expected)
    recent.add_sound(chunk(noise(60, 2), rate=16000))
    samples, rate = read(recent)
    assert rate == 16000
    np.testing.assert_array_equal(samples, noise(60, 2))
    assert recent.time == pytest.approx(250 / RATE + 60 / 16000)


def test_sound_of_floats_stays_as_it_is():
    recent = RecentMinute(0.1)
    wave = np.random.default_rng(0).uniform(-1.5, 1.5, (2, 500)).astype(np.float32)
    recent.add_sound(chunk(wave))
    np.testing.assert_array_equal(read(recent, 'float32')[0], wave)
    recent.add_sound(chunk(np.full((2, 10), 16384, np.int16)))
    assert (read(recent, 'float32')[0][:, 500:] == 0.5).all()


def test_tracks_as_others_read_them(tmp_path):
    recent, results = RecentMinute(0.1), StandInDetector().push(noise(6 * HOP), RATE, 0, 0.0)
    for number in (0, 1, 4, 5):  # two are left out
        recent.add_result(results[number])
    (tmp_path / 'tracks.txt').write_text(recent.tracks())
    table = motmetrics.io.loadtxt(tmp_path / 'tracks.txt').reset_index()
    assert table.FrameId.tolist() == [1, 2, 5, 6] and set(table.Id) == {1}
    np.testing.assert_allclose(table[['X', 'Y', 'Width', 'Height']].iloc[2], [15, 20, 30, 20])


def test_results_are_those_of_the_last_minute():
    recent = RecentMinute(0.1)
    assert recent.tracks() == '' and recent.results()['results'] == []
    results = StandInDetector().push(np.zeros((2, 650 * HOP), np.int16), RATE, 0, 0.0)
    for result in results:
        recent.add_result(result)
    assert recent.results()['results'] == results[-600:]
