"""What a session tells of its source, its detector and its camera."""

import threading
import time

import numpy as np
import pytest
from stand_ins import HOP, RATE, Feed, NoiseCamera, StandInDetector, noise
from test_reading import wait_until

from mmav.live import LiveSession
from mmav.live.encoding import Message, unpack
from mmav.utils.errors import SampleError


class Run:
    """A session, and what it has told so far."""

    def __init__(self, real_time=False, **options):
        self.feed, self.detector = Feed(), StandInDetector(real_time)
        self.results, self.told = [], []
        self.session = LiveSession(self.detector, self.feed, on_result=self.results.append, **options)
        self.session.watched = True
        self.session.listen(self.told.append)
        self.session.start()

    def of_type(self, kind):
        return [message for message in self.told if isinstance(message, dict) and message['type'] == kind]

    def messages(self):
        return [message for message in self.told if isinstance(message, Message)]

    def finish(self, error=None):
        self.feed.end(error)
        assert self.session.ended.wait(60)


@pytest.fixture
def run():
    runs = []

    def start(**options):
        runs.append(Run(**options))
        return runs[-1]

    yield start
    for each in runs:
        each.feed.end()
        each.session.stop()


def test_results_go_out_once_each_with_images_of_their_time(run):
    camera = NoiseCamera((40, 30))
    live = run(camera=camera)
    for seed in range(4):
        live.feed.give(noise(HOP, seed))
    live.finish()
    assert [result['time'] for result in live.results] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    headers, parts = zip(*(unpack(message.with_image) for message in live.messages()))
    assert [header['number'] for header in headers] == [1, 2, 3, 4]
    assert camera.asked == pytest.approx([0.05, 0.15, 0.25, 0.35]) and camera.closed
    assert all(part['image'][:2] == b'\xff\xd8' for part in parts)
    assert 'image' not in unpack(live.messages()[0].without_image)[1]
    last = headers[-1]
    assert last['levels'] == [-20.0, None] and last['colors'] == ['#4078ff', '#c8ccd4']
    assert last['tails'] == [dict(color='#4078ff', centers=[[26 + k, 30] for k in range(4)])]
    # 3,200 samples hold five frames of 1,024 that begin every 512
    assert last['columns'] == sum(len(part.get('spectrogram', b'')) for part in parts) / 64 == 5
    assert live.told[-1] == dict(type='ended', error=None) and live.feed.closed
    assert [event['kind'] for event in live.session.events()] == ['end']


def test_tails_end(run):
    live = run()
    live.feed.give(np.zeros((2, 40 * HOP), np.int16))
    live.finish()
    (tail,) = live.messages()[-1].header['tails']
    assert len(tail['centers']) == 30, '3 seconds'


def test_nothing_is_made_for_nobody(run):
    live = run(camera=NoiseCamera())
    live.session.watched = False
    live.feed.give()
    live.finish()
    assert len(live.results) == 1 and live.messages() == [] and live.session.camera.asked == []


@pytest.mark.parametrize(
    'error', [SampleError('street.wav', 'is damaged'), OSError('gone'), RuntimeError('x')]
)
def test_an_error_of_the_source_is_told_and_kept(run, error):
    live = run()
    live.feed.give()
    live.finish(error)
    assert live.session.error is error and live.told[-1] == dict(type='ended', error=str(error))
    assert live.session.description()['error'] == str(error) and len(live.results) == 1
    assert live.session.events()[-1]['message'] == str(error)


def test_channels_that_do_not_fit(run):
    live = run(source='street.wav')
    live.feed.give(noise(HOP, channels=3))
    assert live.session.ended.wait(60)
    assert str(live.session.error) == 'street.wav: has 3 channels, but the model takes 2 microphones'


def test_a_source_that_waits_stands_still_in_a_pause(run):
    live = run()
    live.feed.give()
    wait_until(lambda: len(live.results) == 1)
    live.session.pause(True)
    live.session.pause(True)
    live.feed.give()  # was waited for when the pause began
    live.feed.give()
    time.sleep(0.2)
    assert len(live.results) == 1
    live.session.pause(False)
    wait_until(lambda: len(live.results) == 3)
    live.finish()
    assert all(lost == 0 for _, lost in live.detector.pushed)
    assert [message['paused'] for message in live.of_type('paused')] == [True, False]
    assert [event['kind'] for event in live.session.events()] == ['pause', 'resume', 'end']


def test_what_a_running_source_gives_in_a_pause_is_lost_to_the_detector_but_kept(run):
    live = run(real_time=True)
    live.feed.give(noise(HOP, 0))
    wait_until(lambda: len(live.results) == 1)
    live.session.pause(True)
    live.feed.give(noise(HOP, 1))
    live.feed.give(noise(HOP, 2), lost=3)
    wait_until(lambda: live.session.recent.time * RATE > 3 * HOP)
    assert len(live.detector.pushed) == 1
    live.session.pause(False)
    live.feed.give(noise(HOP, 3))
    live.finish()
    assert [lost for _, lost in live.detector.pushed] == [0, 2 * HOP + 3]
    assert live.session.recent.results()['sound']['start'] == pytest.approx(0)
    assert 'gap' in [event['kind'] for event in live.session.events()]


def test_a_detector_that_falls_behind_gets_all_that_waits_at_once(run):
    live = run(real_time=True)
    begun, go_on = threading.Event(), threading.Event()
    push = live.detector.push

    def slow(*arguments):
        begun.set()
        assert go_on.wait(60)
        return push(*arguments)

    live.detector.push = slow
    live.feed.give()
    assert begun.wait(60)
    for _ in range(5):
        live.feed.give()
    wait_until(lambda: live.feed.taken == 6)
    time.sleep(0.05)
    go_on.set()
    live.finish()
    assert [samples.shape[1] for samples, _ in live.detector.pushed] == [HOP, 5 * HOP]


def test_detection_goes_on_without_its_camera(run):
    class Broken(NoiseCamera):
        def image(self, when, clock):
            if when > 0.1:
                raise SampleError('camera 0', 'gives no more images')
            return super().image(when, clock)

    live = run(camera=Broken((20, 10)))
    for _ in range(3):
        live.feed.give()
    live.finish()
    assert [message.header['image'] for message in live.messages()] == [1, None, None]
    assert [event['kind'] for event in live.session.events()] == ['camera', 'end']


def test_the_camera_begins_anew_with_the_recording(run):
    camera = NoiseCamera((20, 10))
    live = run(camera=camera, period=0.2)
    for _ in range(4):
        live.feed.give()
    live.finish()
    assert camera.asked == pytest.approx([0.05, 0.15, 0.05, 0.15])


def test_stopping_does_not_wait_for_the_source(run):
    live = run()
    live.feed.give()
    wait_until(lambda: live.results)
    begin = time.monotonic()
    live.session.stop()
    assert time.monotonic() - begin < 5 and live.session.ended.is_set() and live.session.error is None
