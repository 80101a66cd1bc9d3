"""What a reader hands on is what its source gave."""

import time

import numpy as np
import pytest
from stand_ins import HOP, RATE, Feed, noise

from mmav.live.reading import SourceReader
from mmav.utils.errors import SampleError


def wait_until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, 'it did not happen'
        time.sleep(0.005)


@pytest.fixture
def feed():
    return Feed()


def test_chunks_come_one_by_one_in_order(feed):
    reader = SourceReader(feed)
    reader.start()
    for seed in range(3):
        feed.give(noise(HOP, seed))
    feed.end()
    for seed in range(3):
        (chunk,) = reader.take()
        np.testing.assert_array_equal(chunk.samples, noise(HOP, seed))
    assert reader.take() == [] and feed.closed


def test_all_that_waits_is_joined_where_it_can_be(feed):
    reader = SourceReader(feed)
    for seed in range(2):
        feed.give(noise(HOP, seed))
    feed.give(noise(HOP, 2), lost=7)
    feed.give(noise(HOP, 3), rate=2 * RATE)
    feed.end()
    reader.start()
    wait_until(lambda: feed.closed)
    first, second, third = reader.take(newest=True)
    np.testing.assert_array_equal(first.samples, np.concatenate([noise(HOP, 0), noise(HOP, 1)], axis=1))
    assert (first.lost, second.lost, third.sample_rate) == (0, 7, 2 * RATE)
    assert reader.take(newest=True) == []


def test_a_source_is_not_read_without_end(feed):
    reader = SourceReader(feed, most_seconds=0.5)
    for _ in range(20):
        feed.give()
    reader.start()
    wait_until(lambda: feed.taken == 6)  # five wait, the sixth is in the hand of the reader
    time.sleep(0.1)
    assert feed.taken == 6
    reader.take()
    wait_until(lambda: feed.taken == 7)
    reader.stop()
    wait_until(lambda: feed.closed)
    assert reader.take() == []


def test_an_error_comes_behind_the_last_chunk(feed):
    reader = SourceReader(feed)
    feed.give()
    feed.end(SampleError('street.wav', 'is damaged'))
    reader.start()
    assert len(reader.take()) == 1
    with pytest.raises(SampleError, match=r'street\.wav: is damaged'):
        reader.take()
