import numpy as np
import pytest

from mmav.visualization import EventBand, MapBand, ValueBand, draw_timeline
from mmav.visualization.timeline import event_colour

LEFT, WIDTH = 130, 730  # bands reach to 8 pixels from the right edge
SECOND = (WIDTH - 8 - LEFT) / 10


def column(seconds: float) -> int:
    """Pixel of the middle of a second."""
    return round(LEFT + seconds * SECOND)


def test_events_are_drawn_where_they_happen_and_beside_each_other_where_they_overlap():
    events = [(2, 6, ''), (4, 9, 'Banjo')]
    picture = draw_timeline([EventBand('truth', events)], 10, WIDTH)
    upper, lower = picture[8 + 18], picture[8 + 22 + 18]  # rows below the letters
    assert [tuple(upper[column(second)]) == event_colour('') for second in (1.9, 2.1, 5.9, 6.1)] == [
        *(False, True, True, False)
    ]
    assert [tuple(lower[column(second)]) == event_colour('Banjo') for second in (3.9, 4.1, 8.9, 9.1)] == [
        *(False, True, True, False)
    ]
    assert picture.dtype == np.uint8 and picture.shape[1:] == (WIDTH, 3)
    one_lane = draw_timeline([EventBand('truth', events[:1])], 10, WIDTH)
    assert len(picture) - len(one_lane) == 22


def test_values_are_bars_of_their_height():
    values = np.array([0.0, 0.5, 1.0])
    picture = draw_timeline([ValueBand('relevance', values)], 3, WIDTH)
    third = (WIDTH - 8 - LEFT) / 3
    heights = [
        int((picture[8:44, int(LEFT + (index + 0.5) * third)] == (84, 120, 168)).all(-1).sum())
        for index in range(3)
    ]
    assert heights == [0, 18, 36]


def test_the_greatest_value_of_a_map_is_darkest():
    maps = np.zeros((10, 2, 2))
    maps[:, 1, 0] = 0.01
    picture = draw_timeline([MapBand('attention', maps)], 10, WIDTH)
    height = len(picture) - 8 - 6 - 18
    tile = picture[8 : 8 + height, LEFT : LEFT + 52].mean(-1)
    upper, lower = tile[: height // 2], tile[height // 2 + 1 :]
    assert lower[:, :24].max() < 5 and min(upper.min(), lower[:, 30:].min()) > 200


@pytest.mark.parametrize(
    'make, message',
    [
        (lambda: EventBand('truth', [(3, 3, 'Banjo')]), 'truth: Banjo from 3 to 3 s'),
        (lambda: draw_timeline([EventBand('truth', [(3, 11, 'Banjo')])], 10), 'Banjo ends at 11 s'),
        (lambda: ValueBand('relevance', [0.5, 1.5]), 'relevance: values must lie in 0..1'),
        (lambda: ValueBand('relevance', [0.5, np.nan]), 'relevance: values must lie in 0..1'),
        (lambda: MapBand('attention', np.zeros((3, 4))), 'attention: maps must be'),
        (lambda: draw_timeline([], 10), 'needs bands'),
        (lambda: draw_timeline([ValueBand('a', [0])], 10, width=200), '200 pixels leave too little'),
    ],
)
def test_what_cannot_be_drawn_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_long_videos_keep_a_readable_axis():
    assert draw_timeline([ValueBand('a', np.ones(4000))], 4000).shape[1] == 720
