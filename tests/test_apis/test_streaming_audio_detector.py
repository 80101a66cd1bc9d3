"""Results of running recordings against the inferencer's on the recording as a whole."""

from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmav.apis import AudioDetInferencer, StreamingAudioDetector
from mmav.utils.errors import SampleError

pytestmark = pytest.mark.stack

CONFIGS = Path(__file__).parents[2] / 'configs' / 'avd'
RATE = 44100


def make_inferencer(config: str, folder: Path) -> AudioDetInferencer:
    """A network of random weights, which are sure of many boxes."""
    cfg = Config.fromfile(CONFIGS / config)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    path = folder / 'checkpoint.pth'
    torch.save(dict(state_dict=MODELS.build(cfg.model.copy()).state_dict(), meta={}), path)
    return AudioDetInferencer(cfg, str(path), device='cpu', show_progress=False)


@pytest.fixture(scope='module', params=['faster_rcnn_r18_sim_audio.py', 'faster_rcnn_r18_sim_acoustic.py'])
def inferencer(request, tmp_path_factory) -> AudioDetInferencer:
    return make_inferencer(request.param, tmp_path_factory.mktemp('model'))


@pytest.fixture(scope='module')
def acoustic(tmp_path_factory) -> AudioDetInferencer:
    return make_inferencer('faster_rcnn_r18_sim_acoustic.py', tmp_path_factory.mktemp('acoustic'))


def noise(seconds: float, rate: int = RATE, channels: int = 8) -> np.ndarray:
    samples = np.random.RandomState(0).standard_normal((channels, round(seconds * rate))) * 3000
    return samples.astype(np.int16)


def chunks(wave: np.ndarray, seed: int = 0, most: int = 9000) -> list[np.ndarray]:
    """The recording in chunks of random lengths, some of them empty."""
    generator, places = np.random.default_rng(seed), [0]
    while places[-1] < wave.shape[1]:
        places.append(places[-1] + int(generator.integers(0, most)))
    return np.split(wave, places[1:-1], axis=1)


def run(detector: StreamingAudioDetector, parts: list[np.ndarray]) -> list[dict]:
    results = [result for part in parts for result in detector.push(part)]
    return results + detector.flush()


def assert_equal(results: list[dict], expected: list[dict]) -> None:
    assert [result['start'] for result in results] == [prediction['start'] for prediction in expected]
    assert sum(len(result['scores']) for result in results) > 3, 'the test shows nothing without boxes'
    for result, prediction in zip(results, expected):
        np.testing.assert_allclose(result['bboxes'], prediction['bboxes'], rtol=1e-5, atol=1e-3)
        np.testing.assert_allclose(result['scores'], prediction['scores'], rtol=0, atol=1e-5)
        assert result['labels'] == prediction['labels'] and result['classes'] == prediction['classes']


def test_equals_the_inferencer_however_the_sound_comes(inferencer):
    wave = noise(1.65)
    expected = inferencer(wave, stride=0.2)['predictions']
    assert [prediction['start'] for prediction in expected] == pytest.approx(
        [0, 0.2, 0.4, 0.6, 0.65], abs=1e-4
    )
    detector = StreamingAudioDetector(inferencer, hop=0.2)
    for parts in (chunks(wave), chunks(wave / np.float32(32768), seed=1), [wave], [torch.from_numpy(wave)]):
        results = run(detector, parts)
        assert_equal(results, expected)
        assert all(result['time'] == pytest.approx(result['start'] + 1) for result in results)


def test_shared_frames_change_nothing(inferencer):
    wave = noise(1.5)
    detector = StreamingAudioDetector(inferencer, hop=0.1, align_hop=True)
    assert round(detector.hop * RATE) % 256 == 0 and abs(detector.hop - 0.1) < 0.006
    assert_equal(run(detector, chunks(wave)), inferencer(wave, stride=detector.hop)['predictions'])


def test_another_sample_rate(inferencer):
    wave = noise(1.4, rate=48000)
    expected = inferencer(wave, sample_rate=48000, stride=0.2)['predictions']
    results = run(StreamingAudioDetector(inferencer, hop=0.2, sample_rate=48000), chunks(wave))
    assert_equal(results, expected)


class LastFrame:
    """A tracker that numbers the boxes of each frame; tells how many frames there were."""

    def __init__(self):
        self.frames = 0

    def reset(self):
        self.frames = 0

    def step(self, bboxes, scores, labels):
        self.frames += 1
        return np.arange(len(bboxes)) + 100 * self.frames


def test_tracks(acoustic):
    detector = StreamingAudioDetector(acoustic, hop=0.25, tracker=LastFrame())
    results = detector.push(noise(1.5))
    for number, result in enumerate(results, 1):
        assert result['track_ids'] == [100 * number + box for box in range(len(result['bboxes']))]
    assert len(results) == 3
    detector.reset()
    assert detector.tracker.frames == 0
    built = StreamingAudioDetector(acoustic, hop=0.5, tracker=dict(type='IoUTracker', init_score_thr=0.3))
    assert {len(result['track_ids']) for result in built.push(noise(1.5))} == {len(results[0]['scores'])}


def test_late_results_are_left_out_and_counted(acoustic):
    detector, wave = StreamingAudioDetector(acoustic, hop=0.1, real_time=True), noise(8)
    assert detector.push(wave[:, : RATE // 2]) == []
    (result,) = detector.push(wave[:, RATE // 2 : 7 * RATE])
    assert result['time'] == pytest.approx(7) and result['skipped'] == 60
    assert detector._buffer.end - detector._buffer.start < 2 * RATE
    (result,) = detector.push(wave[:, 7 * RATE : 7 * RATE + 4410])
    assert result['skipped'] == 0 and 0 < result['latency'] < 60
    (window,) = acoustic(np.ascontiguousarray(wave[:, 6 * RATE + 4410 :][:, :RATE]))['predictions']
    np.testing.assert_allclose(result['scores'], window['scores'], atol=1e-5)


def test_a_real_time_recording_ends_with_its_last_window(acoustic):
    # what came before the next window was forgotten, and the last one was cut short
    detector, wave = StreamingAudioDetector(acoustic, hop=0.5, real_time=True), noise(1.7)
    results = [result for chunk in np.split(wave, 17, axis=1) for result in detector.push(chunk)]
    results += detector.flush()
    assert_equal(results, acoustic(wave, stride=0.5)['predictions'])


def test_faults_of_channels_are_told_and_detection_goes_on(acoustic):
    wave = noise(2).astype(np.float32) / 32768
    wave[2, RATE:] = 0
    wave[3, RATE : RATE + 100] = np.nan
    wave[4, RATE:] = np.sign(wave[4, RATE:])
    wave[5, RATE:] *= 1e-3
    results = run(StreamingAudioDetector(acoustic, hop=0.5), chunks(wave))
    events = {
        (event['kind'], event['channel'], event['begins']): event
        for result in results
        for event in result['events']
    }
    assert set(events) == {
        ('dead', 2, True),
        ('nan', 3, True),
        ('nan', 3, False),
        ('clipped', 4, True),
        ('quiet', 5, True),
    }
    # blocks of a quarter of a second are 11,025 samples
    assert all(event['time'] == pytest.approx(1) for key, event in events.items() if key[2])
    assert 'channel 3 holds NaN' in events['nan', 3, True]['message']
    assert np.isfinite(results[-1]['scores']).all() and len(results) == 3
    assert results[-1]['levels'][4] == pytest.approx(0, abs=0.1)


def test_a_gap_is_silence(acoustic):
    wave = noise(2)
    filled = wave.copy()
    filled[:, RATE : RATE + 4410] = 0
    detector = StreamingAudioDetector(acoustic, hop=0.5)
    results = detector.push(wave[:, :RATE])
    results += detector.push(wave[:, RATE + 4410 :], lost=4410)
    assert_equal(results, acoustic(filled, stride=0.5)['predictions'])
    (event,) = results[1]['events']
    assert event['kind'] == 'gap' and event['time'] == pytest.approx(1) and '0.100 s' in event['message']


def test_after_a_long_gap_the_time_is_right(acoustic):
    detector = StreamingAudioDetector(acoustic, hop=0.5)
    assert len(detector.push(noise(1))) == 1
    results = detector.push(noise(1), lost=3600 * RATE)
    assert detector.position == pytest.approx(3602)
    # windows with a part of either second; those of silence alone are left out
    assert [result['time'] for result in results] == pytest.approx([3601, 3601.5, 3602])
    assert results[0]['skipped'] == 7199 and detector._buffer.end - detector._buffer.start < 2 * RATE


def test_a_changed_rate_goes_on(acoustic):
    detector = StreamingAudioDetector(acoustic, hop=0.5)
    results = detector.push(noise(1.2)) + detector.push(noise(1.2, rate=48000), sample_rate=48000)
    results += detector.flush()
    assert results[-1]['time'] == pytest.approx(2.4, abs=0.01)
    events = [event for result in results for event in result['events']]
    assert [event['kind'] for event in events] == ['rate'] and '44100 to 48000' in events[0]['message']


def test_short_recordings_and_bad_chunks(acoustic):
    detector = StreamingAudioDetector(acoustic)
    assert run(detector, [noise(0.9)]) == []
    assert len(run(detector, [noise(1)[:, :-1]])) == 1  # a sample less, as a resampler leaves
    for chunk, message in (
        (noise(0.1, channels=6), r'must have the shape \(8, n\), got \(6, 4410\)'),
        (np.zeros(100, np.int16), 'must have the shape'),
        (np.zeros((8, 100), np.int32), 'int16 or floating point, got int32'),
    ):
        with pytest.raises(SampleError, match=message):
            detector.push(chunk)
    for options in (dict(hop=0), dict(sample_rate=-1), dict(weights='a.pth')):
        with pytest.raises(ValueError, match='StreamingAudioDetector'):
            StreamingAudioDetector(acoustic, **options)
