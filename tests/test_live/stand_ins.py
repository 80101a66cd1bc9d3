"""A source, a detector and a camera for tests of what shows them."""

import queue
from types import SimpleNamespace

import numpy as np

from mmav.apis.audio_sources import AudioChunk
from mmav.live import Camera

RATE = 8000
HOP = 800  # samples
SIZE = (152, 65)


def noise(count: int, seed: int = 0, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).integers(-9999, 9999, (channels, count)).astype(np.int16)


class Feed:
    """A source that gives what a test gives it."""

    def __init__(self):
        self._items = queue.Queue()
        self.taken = 0
        self.closed = False

    def give(self, samples=None, lost=0, rate=RATE):
        self._items.put(AudioChunk(noise(HOP) if samples is None else samples, rate, lost, 0.0))

    def end(self, error=None):
        self._items.put(error)

    def __iter__(self):
        return self

    def __next__(self):
        item = self._items.get()
        if item is None:
            raise StopIteration
        if isinstance(item, Exception):
            raise item
        self.taken += 1
        return item

    def close(self):
        self.closed = True


class StandInDetector:
    """A result each hop: one box, which moves a pixel to the right from result to result."""

    def __init__(self, real_time=False):
        self.hop, self.real_time, self.sample_rate = HOP / RATE, real_time, RATE
        self.inferencer = SimpleNamespace(
            image_size=SIZE, num_channels=2, takes_features=False, model=SimpleNamespace()
        )
        self.last_inputs = {}
        self.samples = self.number = 0
        self.pushed = []

    @property
    def position(self):
        return self.samples / RATE

    def push(self, samples, sample_rate, lost, arrived):
        self.pushed.append((samples, lost))
        events = [dict(time=self.position, kind='gap', message=f'{lost} samples are missing')] if lost else []
        self.samples += samples.shape[1] + lost
        results = []
        while (self.number + 1) * HOP <= self.samples:
            self.number += 1
            left = 10.0 + self.number
            results.append(
                dict(
                    time=self.number * self.hop,
                    start=(self.number - 1) * self.hop,
                    duration=self.hop,
                    bboxes=[[left, 20.0, left + 30, 40.0], [0.0, 0.0, 5.0, 5.0]],
                    scores=[0.9, 0.2],
                    labels=[0, 0],
                    classes=['vehicle', 'vehicle'],
                    track_ids=[1, -1],
                    skipped=0,
                    events=events,
                    levels=[-20.0, float('-inf')],
                    latency=0.01,
                )
            )
            events = []
        return results

    def flush(self):
        return []


class NoiseCamera(Camera):
    """Images that hardly compress, another for each time."""

    def __init__(self, size=(960, 400)):
        self.size, self.asked, self.closed = size, [], False

    def image(self, when, clock):
        self.asked.append(when)
        number = len(self.asked)
        return number, np.random.default_rng(number).integers(0, 255, (*self.size[::-1], 3)).astype(np.uint8)

    def close(self):
        self.closed = True
