import numpy as np
import pytest

from mmav.utils.event_runs import Event
from mmav.visualization import draw_timeline

LEFT, LENGTH = 170, 900 - 170 - 12
ROW = 8  # first pixel of the first row
LANE = 22


def is_painted(picture: np.ndarray, second: float, lane: int) -> bool:
    """Whether an event's colour is there: neither paper nor grid nor letters."""
    pixel = picture[ROW + LANE * lane + 4, round(LEFT + second * LENGTH / 10)]
    return int(pixel.max()) - int(pixel.min()) > 40


def test_events_are_drawn_where_they_happen_each_class_in_a_lane():
    picture = draw_timeline({'truth': [Event('', 2, 6), Event('Banjo', 4, 9)]}, 10)
    assert picture.dtype == np.uint8 and picture.shape == (ROW + 2 * LANE + 12 + 26, 900, 3)
    assert [is_painted(picture, second, 0) for second in (1.9, 2.1, 5.9, 6.1)] == [False, True, True, False]
    assert [is_painted(picture, second, 1) for second in (3.9, 4.1, 8.9, 9.1)] == [False, True, True, False]


def test_values_are_bars_of_their_height():
    picture = draw_timeline({'relevance': np.array([0.0, 0.5, 1.0])}, 3)
    bars = (picture[ROW : ROW + 36 - 1] == (0, 114, 178)).all(-1)  # the last line is the axis of the bars
    heights = [int(bars[:, LEFT + round((index + 0.5) * LENGTH / 3)].sum()) for index in range(3)]
    assert heights == [0, 17, 35]


def test_the_greatest_value_of_a_map_is_darkest():
    maps = np.zeros((10, 2, 2))
    maps[:, 1, 0] = 0.01
    picture = draw_timeline({'attention': maps}, 10)
    height = len(picture) - 8 - 12 - 26
    tile = picture[ROW : ROW + height, LEFT : LEFT + 66].mean(-1)
    upper, lower = tile[: height // 2 - 1], tile[height // 2 + 1 : -1]
    assert lower[:, 1:30].max() == 0 and min(upper.min(), lower[:, 36:].min()) == 255


@pytest.mark.parametrize(
    'rows, message',
    [
        ({}, 'too little for a timeline'),
        ({'truth': [Event('Banjo', 3, 11)]}, 'does not lie within 0..10 s'),
        ({'truth': [Event('Banjo', 3, 3)]}, 'does not lie within'),
        ({'relevance': np.array([0.5, 1.5])}, 'relevance: values lie in 0..1'),
        ({'relevance': np.array([0.5, np.nan])}, 'relevance: values lie in 0..1'),
        ({'attention': np.full((3, 2, 2), -1.0)}, 'attention: values lie'),
        ({'attention': np.zeros((3, 4))}, 'attention: a row is'),
    ],
)
def test_what_cannot_be_drawn_is_refused(rows, message):
    with pytest.raises(ValueError, match=message):
        draw_timeline(rows, 10)


@pytest.mark.parametrize('duration', [0.5, 4000.0, 90000.0])
def test_short_and_long_videos_have_an_axis(duration):
    assert draw_timeline({'a': [Event('Banjo', 0, duration)]}, duration).shape[1] == 900
