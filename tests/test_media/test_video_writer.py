import cv2
import numpy as np
import pytest
from full_disk import full_after

from mmav.media.video import read_video_frames
from mmav.media.video_writer import VideoWriter, write_video


def test_video_is_read_back(tmp_path):
    path = tmp_path / 'new' / 'video.mp4'
    with VideoWriter(path, 12.5) as video:
        for value in (40, 120, 200):
            video.write(np.full((65, 151, 3), value, np.uint8))
        assert not path.exists()
    assert [each.name for each in path.parent.iterdir()] == ['video.mp4']
    capture = cv2.VideoCapture(str(path))
    assert capture.get(cv2.CAP_PROP_FPS) == pytest.approx(12.5)
    for value in (40, 120, 200):
        found, image = capture.read()
        assert found and image.shape == (66, 152, 3)
        assert np.abs(image[:64, :148].astype(int) - value).max() < 8
    assert not capture.read()[0]


def test_failed_video_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match='of one size'), VideoWriter(tmp_path / 'video.mp4', 5) as video:
        video.write(np.zeros((64, 64, 3), np.uint8))
        video.write(np.zeros((32, 64, 3), np.uint8))
    assert list(tmp_path.iterdir()) == []
    with VideoWriter(tmp_path / 'empty.mp4', 5):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_no_video_or_a_whole_one(tmp_path):
    path = tmp_path / 'v.mp4'
    images = np.random.default_rng(0).integers(0, 255, (12, 64, 96, 3)).astype(np.uint8)
    write_video(path, images, 10)
    size = path.stat().st_size
    for limit in [*np.linspace(0, size - 1, 12).astype(int).tolist(), size - 100, size - 10]:
        path.unlink()
        with pytest.raises(OSError, match=str(tmp_path)), full_after(limit):
            write_video(path, images, 10)
        assert list(tmp_path.iterdir()) == [], limit
        path.touch()
    with full_after(size):
        write_video(path, images, 10)
    assert len(read_video_frames(path, 10)) == 12
