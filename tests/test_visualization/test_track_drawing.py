import numpy as np

from mmav.visualization import draw_tracks, track_color


def test_colors_are_fixed_and_far_apart():
    colors = np.array([track_color(identity) for identity in range(1, 9)])
    np.testing.assert_array_equal(colors, [track_color(identity) for identity in range(1, 9)])
    distances = np.abs(colors[:, None] - colors).max(axis=-1) + 255 * np.eye(8)
    assert distances.min() > 40
    assert colors.max(axis=1).min() == 255  # bright, each of them


def test_box_has_the_color_of_its_track():
    image = np.zeros((220, 300, 3), np.uint8)
    drawn = draw_tracks(image, np.array([[20.0, 60.0, 120.0, 160.0], [150, 60, 250, 160]]), np.array([3, 8]))
    assert image.max() == 0
    assert tuple(drawn[110, 20].tolist()) == tuple(drawn[160, 70].tolist()) == track_color(3)
    assert tuple(drawn[110, 250].tolist()) == track_color(8)
    assert drawn[70:150, 30:110].max() == 0


def test_label_shows_the_id():
    def ink(identity: int) -> np.ndarray:
        box, image = np.array([[20.0, 60.0, 120.0, 160.0]]), np.full((220, 300, 3), 90, np.uint8)
        # darker than the image and than any track: OpenCV 5 smooths its letters
        return draw_tracks(image, box, np.array([identity])).max(axis=-1) < 80

    assert 0 < ink(1).sum() < ink(8).sum()
    assert np.flatnonzero(ink(88).any(axis=0)).max() > np.flatnonzero(ink(8).any(axis=0)).max()


def test_id_stays_inside_the_image():
    image = np.zeros((220, 300, 3), np.uint8)
    drawn = draw_tracks(image, np.array([[20.0, 0.0, 120.0, 160.0]]), np.array([3]))
    assert (drawn[1:8, 21:27] == track_color(3)).all(axis=-1).any()


def test_truth_is_white():
    image = np.zeros((220, 300, 3), np.uint8)
    drawn = draw_tracks(image, np.zeros((0, 4)), np.zeros(0), np.array([[20.0, 60.0, 120.0, 160.0]]))
    assert drawn[110, 20].tolist() == [255] * 3
    assert (drawn.min(axis=-1) == drawn.max(axis=-1)).all()
