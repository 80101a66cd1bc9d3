"""The published evaluation's figures, a table worked by hand, and plain loops."""

import numpy as np
import pytest
from golden import GOLDEN

from mmav.evaluation import llp_counts, llp_f1

NAMES = ('audio', 'visual', 'audio_visual', 'type_av', 'event_av')


def test_figures_of_the_published_evaluation():
    stored = np.load(GOLDEN / 'llp_metric.npz')
    scores = llp_f1(*(stored[name] for name in ('pred_audio', 'pred_visual', 'gt_audio', 'gt_visual')))
    assert list(scores) == [f'{level}_{name}' for level in ('segment', 'event') for name in NAMES]
    assert tuple(stored['columns']) == NAMES
    for level in ('segment', 'event'):
        found = [scores[f'{level}_{name}'] for name in NAMES]
        np.testing.assert_allclose(found, stored[level], rtol=1e-12)


def rows(*texts: str) -> np.ndarray:
    """(classes, segments) of strings, one for each class, in which 'x' is an event."""
    return np.array([[letter == 'x' for letter in text] for text in texts])


# Of each case: predicted audio, visual; true audio, visual, of two classes in six seconds; then by hand the
# F1 of audio, visual, audio-visual and pooled events, by segment and by event.
HAND_WORKED = dict(
    # audio: class 0 hits 3 of 4 cells, its run overlaps by 3/4; class 1 hits 2 of 2 cells with 2 false, its
    # run overlaps by 2/4, which just matches. visual: class 0 is right, class 1 nowhere. audio-visual: as
    # audio of class 0.
    overlaps=(
        (('xxx---', 'xxxx--'), ('xxxxxx', '------'), ('xxxx--', 'xx----'), ('xxxxxx', '------')),
        ((6 / 7 + 4 / 6) / 2, 1, 6 / 7, (2 * 9 / (2 * 9 + 1) + 4 / 6) / 2),
        (1, 1, 1, 1),
    ),
    # audio: one true run, found in two parts, of which 'xxx' overlaps by half: 1 match, 1 false. visual: a
    # run of 6 overlaps one of 2 by 1/3: no match. audio-visual: of 'xxx-x-' against '----xx' the second does.
    parts=(
        (('xxx-x-', '------'), ('xxxxxx', '------'), ('xxxxxx', '------'), ('----xx', '------')),
        (8 / 10, 4 / 8, 2 / (2 + 3 + 1), 2 * 6 / (2 * 6 + 4 + 2)),
        (2 / 3, 0, 2 / 3, 2 / (2 + 2 + 1)),
    ),
    # nothing anywhere is right; a class that is in neither is not counted
    nothing=((('------',) * 2,) * 4, (1, 1, 1, 1), (1, 1, 1, 1)),
    missed=(
        (('------',) * 2, ('------',) * 2, ('x-----', '------'), ('------',) * 2),
        (0, 1, 1, 0),
        (0, 1, 1, 0),
    ),
)


@pytest.mark.parametrize('case', HAND_WORKED)
def test_tables_worked_by_hand(case):
    events, *expected = HAND_WORKED[case]
    scores = llp_f1(*(rows(*texts)[None] for texts in events))
    for level, (audio, visual, both, pooled) in zip(('segment', 'event'), expected):
        wanted = (audio, visual, both, (audio + visual + both) / 3, pooled)
        found = [scores[f'{level}_{name}'] / 100 for name in NAMES]
        np.testing.assert_allclose(found, wanted, err_msg=level)


def test_the_set_is_the_mean_of_its_videos_and_padding_changes_nothing():
    rng = np.random.default_rng(0)
    events = [rng.random((7, 5, 10)) < 0.3 for _ in range(4)]
    together = llp_f1(*events)
    alone = [llp_f1(*(array[index : index + 1] for array in events)) for index in range(7)]
    padded = llp_f1(*(np.pad(array, ((0, 0), (0, 2), (0, 4))) for array in events))
    for name, value in together.items():
        np.testing.assert_allclose(value, np.mean([scores[name] for scores in alone]))
        np.testing.assert_allclose(value, padded[name])


def test_truth_scores_100_and_counts_add_up():
    rng = np.random.default_rng(1)
    audio, visual = rng.random((2, 6, 4, 10)) < 0.4
    assert set(llp_f1(audio, visual, audio.astype(float), visual.astype(int)).values()) == {100.0}
    counts = llp_counts(audio, visual, ~audio, ~visual)
    segment = counts['segment_audio']
    assert not segment.tp.any()
    np.testing.assert_array_equal(segment.fp, audio.sum(2))
    np.testing.assert_array_equal(segment.fn, 10 - audio.sum(2))
    assert not counts['event_audio'].tp.any()


@pytest.mark.parametrize(
    'events, message',
    [
        ([np.zeros((2, 3, 4))] * 3 + [np.zeros((2, 3, 5))], r'gt_visual.*\(2, 3, 5\)'),
        ([np.zeros((3, 4))] * 4, 'must be'),
        ([np.zeros((0, 3, 4))] * 4, 'at least one'),
        ([np.full((1, 3, 4), 0.7)] + [np.zeros((1, 3, 4))] * 3, 'pred_audio must hold 0 and 1'),
    ],
)
def test_what_cannot_be_scored_is_refused(events, message):
    with pytest.raises(ValueError, match=message):
        llp_f1(*events)
