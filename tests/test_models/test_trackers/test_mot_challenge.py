import motmetrics
import numpy as np
import pytest

from mmav.models.trackers.mot_challenge import mot_challenge_text

NOTHING = (np.zeros(0, int), np.zeros((0, 4)), np.zeros(0))


def test_lines():
    boxes = np.array([[0, 0, 10, 20], [2.5, 3.25, 5, 7]])
    frames = [NOTHING, (np.array([12, 3]), boxes, np.array([0.5, 0.98765]))]
    assert mot_challenge_text(frames) == (
        '2,3,3.50,4.25,2.50,3.75,0.9877,-1,-1,-1\n2,12,1.00,1.00,10.00,20.00,0.5000,-1,-1,-1\n'
    )


def test_motmetrics_reads_the_same_boxes(tmp_path):
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 300, (4, 3, 2)).round(2)
    boxes = np.concatenate([corner, corner + rng.uniform(5, 80, (4, 3, 2)).round(2)], axis=2)
    path = tmp_path / 'tracks.txt'
    path.write_text(mot_challenge_text((np.array([1, 2, 3]), frame, np.full(3, 0.5)) for frame in boxes))
    table = motmetrics.io.loadtxt(path)
    sizes = np.concatenate([boxes[..., :2], boxes[..., 2:] - boxes[..., :2]], axis=2).reshape(-1, 4)
    np.testing.assert_allclose(table[['X', 'Y', 'Width', 'Height']], sizes, atol=0.0051)


@pytest.mark.parametrize('ids', [[0, 1], [4, 4], [-1, 2]])
def test_bad_ids(ids):
    with pytest.raises(ValueError, match='frame 1: ids'):
        mot_challenge_text([(np.array(ids), np.zeros((2, 4)), np.zeros(2))])
