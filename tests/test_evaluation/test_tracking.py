from pathlib import Path

import motmetrics
import numpy as np
import pytest

from mmav.evaluation import hota, hota_counts, tracking_metrics

NOTHING = np.zeros((0, 6))


def at(x: float, identity: int, label: int = 0, height: float = 8.0) -> list[float]:
    return [x, 0.0, x + 8.0, height, label, identity]


def frame(truth: list, tracks: list) -> tuple[np.ndarray, np.ndarray]:
    return np.array(truth).reshape(-1, 6), np.array(tracks).reshape(-1, 6)


def figures(*sequences: list, **expected) -> None:
    result = tracking_metrics(sequences)
    assert {name: result[name] for name in expected} == pytest.approx(expected, nan_ok=True)


COUNTS = dict(num_switches=0, num_fragmentations=0, num_false_positives=0, num_misses=0)


def test_perfect_tracks_under_other_ids():
    sequence = [frame([at(t, 1), at(50 - t, 2)], [at(50 - t, 7), at(t, 9)]) for t in range(4)]
    rates = dict(mota=100, idf1=100, hota=100, det_a=100, ass_a=100)
    figures(sequence, **rates, **COUNTS, num_frames=4, num_objects=8, num_tracks=2)


def test_one_switch():
    sequence = [frame([at(t, 1)], [at(t, 5 if t < 2 else 6)]) for t in range(4)]
    # a track has half of the object: IDTP 2 of 4 + 4 boxes; each box's association is 2 / 4
    figures(
        sequence, mota=75, idf1=50, det_a=100, ass_a=50, hota=100 * 0.5**0.5, **{**COUNTS, 'num_switches': 1}
    )


def test_one_fragmentation():
    sequence = [frame([at(t, 1)], [at(t, 5)] if t != 2 else []) for t in range(5)]
    rates = dict(mota=80, idf1=800 / 9, det_a=80, ass_a=80, hota=80)
    figures(sequence, **rates, **{**COUNTS, 'num_fragmentations': 1, 'num_misses': 1}, num_objects=5)


def test_missing_at_the_ends_is_no_fragmentation():
    sequence = [frame([at(t, 1)], [at(t, 5)] if 0 < t < 4 else []) for t in range(5)]
    figures(sequence, mota=60, **{**COUNTS, 'num_misses': 2})


def test_a_track_beside_the_object_is_an_error_twice():
    sequence = [frame([at(0, 1)], [at(0, 5), at(90, 6)]), frame([at(0, 1)], [at(90, 6)])]
    # errors: 2 false positives and 1 miss of 2 boxes; IDTP 1 of 2 + 3 boxes
    figures(sequence, mota=-50, idf1=40, **{**COUNTS, 'num_false_positives': 2, 'num_misses': 1})


def test_two_objects_that_swap_their_tracks():
    sequence = [frame([at(0, 1), at(50, 2)], [at(0, 5), at(50, 6)]) for _ in range(3)]
    sequence += [frame([at(0, 1), at(50, 2)], [at(0, 6), at(50, 5)]) for _ in range(1)]
    # association: 3 / 5 for six boxes, 1 / 7 for two
    association = 100 * (6 * 3 / 5 + 2 * 1 / 7) / 8
    figures(sequence, mota=75, idf1=75, ass_a=association, hota=(100 * association) ** 0.5, num_switches=2)


@pytest.mark.parametrize(('height', 'mota', 'thresholds'), [(5, 100, 12), (4, 100, 10), (3, -100, 7)])
def test_overlap_decides(height, mota, thresholds):
    # IoU 0.625, 0.5 and 0.375; HOTA counts the thresholds 0.05, 0.1, ... that it reaches
    sequence = [frame([at(0, 1)], [at(0, 5, height=height)])] * 2
    figures(sequence, mota=mota, hota=100 * thresholds / 19)


def test_other_classes_never_match():
    sequence = [frame([at(0, 1, label=0)], [at(0, 5, label=1)])]
    figures(sequence, mota=-100, idf1=0, hota=0, num_misses=1, num_false_positives=1)


def test_empty_frames_count_as_frames_alone():
    sequence = [
        frame([at(0, 1)], [at(0, 5)]),
        (NOTHING, NOTHING),
        (NOTHING, []),
        frame([at(0, 1)], [at(0, 5)]),
    ]
    figures(sequence, mota=100, idf1=100, hota=100, **COUNTS, num_frames=4, num_objects=2)


@pytest.mark.parametrize(
    ('tracks', 'idf1', 'hota_value'), [([], float('nan'), float('nan')), ([at(0, 5)], 0, 0)]
)
def test_drive_without_objects(tracks, idf1, hota_value):
    sequence = [frame([], tracks)] * 3
    figures(
        sequence,
        mota=float('nan'),
        idf1=idf1,
        hota=hota_value,
        num_false_positives=3 * len(tracks),
        num_frames=3,
        num_objects=0,
        num_tracks=0,
    )
    perfect = [frame([at(0, 1)], [at(0, 5)])] * 3
    figures(sequence, perfect, mota=100 - 100 * len(tracks), num_frames=6, num_objects=3, num_tracks=1)


def test_drive_without_tracks():
    figures([frame([at(0, 1)], [])] * 3, mota=0, idf1=0, hota=0, **{**COUNTS, 'num_misses': 3})


def test_ids_hold_within_a_sequence():
    first = [frame([at(0, 1)], [at(0, 5)])] * 2
    second = [frame([at(0, 1)], [at(0, 6)])] * 2
    figures(first, second, mota=100, idf1=100, hota=100, num_switches=0, num_tracks=2)


def load(name: str) -> list:
    """A sequence that motmetrics is shipped with."""
    folder = Path(motmetrics.__file__).parent / 'data' / name
    tables = [motmetrics.io.loadtxt(folder / f'{side}.txt').reset_index() for side in ('gt', 'test')]
    numbers = sorted({number for table in tables for number in table.FrameId})

    def boxes(table, number: int) -> np.ndarray:
        rows = table[table.FrameId == number]
        x, y, w, h = rows[['X', 'Y', 'Width', 'Height']].to_numpy(float).T
        return np.stack([x, y, x + w, y + h, 0 * x, rows.Id.to_numpy(float)], axis=1)

    return [tuple(boxes(table, number) for table in tables) for number in numbers]


# motmetrics' own tests (the first six, for each sequence and both) and its README (HOTA and its parts)
PUBLISHED = dict(
    mota=(52.6462, 56.4014, 55.5116),
    idf1=(55.7659, 64.4619, 62.4296),
    num_switches=(7, 7, 14),
    num_fragmentations=(7, 6, 13),
    num_false_positives=(13, 45, 58),
    num_misses=(150, 452, 602),
    num_tracks=(8, 10, 18),
    det_a=(41.8, 39.2),
    ass_a=(36.9, 40.9),
    hota=(39.1, 39.8),
)


@pytest.mark.parametrize('names', [['TUD-Campus'], ['TUD-Stadtmitte'], ['TUD-Campus', 'TUD-Stadtmitte']])
def test_published_figures(names):
    result = tracking_metrics([load(name) for name in names])
    column = 2 if len(names) == 2 else ['TUD-Campus', 'TUD-Stadtmitte'].index(names[0])
    for metric, values in PUBLISHED.items():
        if column < len(values):
            tolerance = 0.05 if len(values) == 2 else 1e-4
            assert result[metric] == pytest.approx(values[column], abs=tolerance), metric


def test_hota_of_several_sequences_weighs_them_by_their_matches():
    whole = [np.array([[1.0]])] * 4
    ids = [np.array([1])] * 4
    tracks = [np.array([5]), np.array([5]), np.array([6]), np.array([6])]
    parts = [hota_counts(ids, ids, whole), hota_counts(ids[:2], tracks[1:3], whole[:2])]
    result = hota({name: parts[0][name] + parts[1][name] for name in parts[0]})
    assert result['ass_a'] == pytest.approx(100 * (4 * 1 + 2 * 0.5) / 6)


@pytest.mark.parametrize(
    ('sequences', 'message'),
    [
        ([], 'no sequence'),
        ([[(np.zeros((1, 5)), NOTHING)]], r'truth of sequence 1, frame 1 must have the shape'),
        ([[(NOTHING, NOTHING), frame([], [at(0, 3), at(9, 3)])]], r'tracks of sequence 1, frame 2: an id'),
    ],
)
def test_bad_input(sequences, message):
    with pytest.raises(ValueError, match=message):
        tracking_metrics(sequences)
