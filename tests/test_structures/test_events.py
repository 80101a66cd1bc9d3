import numpy as np
import pytest

from mmav.structures.events import Event, find_events


def test_runs_become_events_with_times_and_mean_scores():
    probs = np.array([[0.9, 0.1], [0.5, 0.2], [0.4, 0.6], [0.7, 0.9], [0.0, 0.8]])
    events = find_events(probs, ('Cat', 'Dog'), 0.5, segment_duration=2.0)
    expected = [('Cat', 0.0, 4.0, 0.7), ('Cat', 6.0, 8.0, 0.7), ('Dog', 4.0, 10.0, 2.3 / 3)]
    assert [event[:3] for event in events] == [event[:3] for event in expected]
    np.testing.assert_allclose([event.score for event in events], [event[3] for event in expected])


def test_other_flags_than_the_threshold():
    probs, flags = np.full((3, 1), 0.2), np.array([[True], [False], [True]])
    assert find_events(probs, ['Cat'], flags=flags) == [Event('Cat', 0, 1, 0.2), Event('Cat', 2, 3, 0.2)]
    assert find_events(np.zeros((3, 1)), ['Cat']) == []


@pytest.mark.parametrize('probs, flags', [(np.zeros((3, 2)), None), (np.zeros((3, 1)), np.zeros((2, 1)))])
def test_shapes_that_do_not_fit_are_refused(probs, flags):
    with pytest.raises(ValueError, match='1 classes'):
        find_events(probs, ['Cat'], flags=flags)
