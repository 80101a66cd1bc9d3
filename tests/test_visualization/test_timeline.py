import numpy as np
import pytest

from mmav.visualization import EventBand, MapBand, ValueBand, draw_timeline
from mmav.visualization.timeline import AXIS, GAP, LEFT, RIGHT, TOP, event_color

SECOND = (720 - LEFT - RIGHT) / 10  # pixels


def is_drawn(image: np.ndarray, label: str, row: int, second: float) -> bool:
    """Whether an event is there, above its letters."""
    return tuple(image[TOP + row + 3, round(LEFT + second * SECOND)]) == event_color(label)


def test_events_are_drawn_where_they_happen_and_below_each_other_where_they_overlap():
    events = [(2, 6, 'Cat'), (4, 9, 'Banjo'), (7, 8, 'Cat')]
    image = draw_timeline([EventBand('truth', events)], 10)
    assert image.dtype == np.uint8 and image.shape == (TOP + 44 + GAP + AXIS, 720, 3)
    upper = [is_drawn(image, 'Cat', 0, second) for second in (1.9, 2.1, 5.9, 6.1, 6.9, 7.1, 7.9, 8.1)]
    assert upper == [False, True, True, False] * 2
    lower = [is_drawn(image, 'Banjo', 22, second) for second in (3.9, 4.1, 8.9, 9.1)]
    assert lower == [False, True, True, False]
    assert event_color('Cat') != event_color('Banjo')


def test_values_are_bars_of_their_height():
    image = draw_timeline([ValueBand('relevance', np.array([0, 0.5, 1] + [0] * 7))], 10)
    drawn = (image[TOP:, :] == (84, 120, 168)).all(-1)
    heights = [int(drawn[:, round(LEFT + (index + 0.5) * SECOND)].sum()) for index in range(4)]
    assert heights == [0, 18, 36, 0]


def test_the_greatest_value_of_a_map_is_darkest():
    maps = np.zeros((10, 2, 2))
    maps[:, 1, 0] = 0.01
    image = draw_timeline([MapBand('attention', maps)], 10)
    side = len(image) - TOP - GAP - AXIS
    tile = image[TOP : TOP + side, LEFT : LEFT + side].mean(-1)
    half = side // 2
    assert tile[half + 1 : -1, 2 : half - 1].max() == 0
    assert min(tile[1 : half - 1].min(), tile[half + 1 : -1, half + 1 : -1].min()) > 200


def test_bands_stand_one_below_the_other():
    bands = [EventBand('truth', [(0, 10, 'Cat')]), ValueBand('relevance', [1.0])]
    image = draw_timeline(bands, 10)
    assert is_drawn(image, 'Cat', 0, 5)
    assert tuple(image[TOP + 22 + GAP + 18, round(LEFT + 5 * SECOND)]) == (84, 120, 168)


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: EventBand('truth', [(3, 3, 'Banjo')]), 'truth: Banjo from 3 to 3 s'),
        (lambda: draw_timeline([EventBand('truth', [(3, 11, 'Banjo')])], 10), 'Banjo ends at 11 s'),
        (lambda: ValueBand('relevance', [0.5, 1.5]), 'relevance: values must lie in 0..1'),
        (lambda: ValueBand('relevance', [0.5, np.nan]), 'relevance: values must lie in 0..1'),
        (lambda: MapBand('attention', np.zeros((3, 4))), 'attention: maps must be'),
        (lambda: MapBand('attention', np.full((3, 2, 2), -1)), 'attention: maps must be'),
        (lambda: draw_timeline([], 10), 'needs bands'),
        (lambda: draw_timeline([ValueBand('a', [0])], 10, width=200), '200 pixels leave too little'),
    ],
)
def test_what_cannot_be_drawn_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize('duration', [0.5, 4000, 900000])
def test_short_and_long_videos_have_an_axis(duration):
    image = draw_timeline([ValueBand('a', [0])], duration)
    assert (image[-AXIS + 4 :, LEFT:] < 128).any()
