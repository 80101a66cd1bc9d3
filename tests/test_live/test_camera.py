"""Camera images by the time of the recording."""

import time

import cv2
import numpy as np
import pytest
from stand_ins import SIZE

from mmav.live.camera import Camera, VideoDevice, make_fit, open_camera
from mmav.media.video_writer import VideoWriter
from mmav.utils.errors import SampleError

CROP = (20, 0, 172, 65)  # of images of 192 x 65


def plain_image(value: int, width: int = 192) -> np.ndarray:
    return np.full((65, width, 3), value, np.uint8)


@pytest.fixture
def fit():
    return make_fit(SIZE, CROP)


def shown(camera: Camera, when: float) -> int:
    """The gray value of the image, to which :func:`plain_image` was set."""
    image = camera.image(when, 0.0)[1]
    assert image.shape == (65, 152, 3)
    return round(float(image.mean()))


def test_images_are_cropped_or_of_the_cropped_size(fit):
    image = np.random.default_rng(0).integers(0, 255, (65, 192, 3)).astype(np.uint8)
    np.testing.assert_array_equal(fit(image, 'a'), image[:, 20:172])
    np.testing.assert_array_equal(fit(image[:, 20:172], 'a'), image[:, 20:172])
    for width in (100, 640):
        with pytest.raises(SampleError, match=r'a\.jpg: .*(does not hold the crop|boxes refer to)'):
            make_fit(SIZE, CROP if width == 100 else None)(plain_image(0, width), 'a.jpg')
    large = make_fit((1520, 650), None)(np.zeros((650, 1520, 3), np.uint8), 'a')
    assert large.shape == (411, 960, 3)


def test_a_folder_by_time(tmp_path, fit):
    for number in range(12):
        cv2.imwrite(str(tmp_path / f'frame_{number}.png'), plain_image(20 * number))
    camera = open_camera(str(tmp_path), fit, fps=10, start=0.5)
    times = {-1.0: 0, 0.5: 0, 0.59: 0, 0.6: 20, 1.45: 180, 1.5: 200, 99.0: 220, 0.7: 40}
    assert {when: shown(camera, when) for when in times} == times
    assert camera.image(0.7, 0)[0] == camera.image(0.79, 0)[0] != camera.image(0.8, 0)[0]


def test_a_still_image_and_none(tmp_path, fit):
    cv2.imwrite(str(tmp_path / 'a.png'), plain_image(99))
    camera = open_camera(str(tmp_path / 'a.png'), fit)
    assert shown(camera, 0.0) == shown(camera, 77.0) == 99
    assert open_camera(None, fit).image(1.0, 0.0) is None


def test_a_video_by_time_which_may_begin_anew(tmp_path, fit):
    path = tmp_path / 'camera.mp4'
    with VideoWriter(path, 5.0) as video:
        for number in range(10):
            video.write(plain_image(20 * number + 20))
    camera = open_camera(str(path), fit, fps=10)
    for when, value in {0.0: 20, 0.1: 20, 0.25: 40, 1.05: 120, 1.85: 200, 30.0: 200, 0.45: 60}.items():
        assert shown(camera, when) == pytest.approx(value, abs=7), when
    assert camera.image(0.45, 0)[0] == camera.image(0.46, 0)[0]
    camera.close()


def test_what_is_no_camera(tmp_path, fit):
    (tmp_path / 'notes.txt').write_text('')
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'cut.jpg').write_bytes(b'\xff\xd8nothing')
    for name, message in dict(
        notes='is no camera', empty='holds no images', cut='truncated image', gone='missing'
    ).items():
        path = tmp_path / dict(notes='notes.txt', cut='cut.jpg', gone='gone.mp4').get(name, name)
        with pytest.raises(SampleError, match=message):
            open_camera(str(path), fit)


class Capture:
    """In the place of cv2.VideoCapture: images whose gray value is their number."""

    def __init__(self, device):
        self.device, self.number, self.released = device, 0, False
        self.last = 9999

    def read(self):
        time.sleep(0.02)
        if self.number >= self.last:
            return False, None
        self.number += 1
        return True, plain_image(self.number % 250)

    def release(self):
        self.released = True


@pytest.fixture
def captures(monkeypatch):
    opened = []

    def open_capture(device):
        opened.append(Capture(device))
        return opened[-1]

    monkeypatch.setattr(cv2, 'VideoCapture', open_capture)
    return opened


def test_a_running_camera_shows_the_image_of_the_time(captures, fit):
    camera = open_camera('/dev/video0', fit, fps=25)
    assert isinstance(camera, VideoDevice) and captures[0].device == '/dev/video0'
    time.sleep(0.3)
    middle = time.perf_counter()
    then = captures[0].number
    time.sleep(0.3)
    _, image = camera.image(0.0, middle)
    # those of every second number are too soon; the newest before that moment is at most some images old
    assert then - 5 <= image.mean() <= then + 1
    _, oldest = camera.image(0.0, middle - 99)
    assert oldest.mean() == 1
    captures[0].last = 0
    end = time.monotonic() + 5
    with pytest.raises(SampleError, match='camera /dev/video0: gives no more images'):
        while time.monotonic() < end:
            camera.image(0.0, middle)
    camera.close()
    assert captures[0].released


def test_a_camera_that_cannot_be_opened(monkeypatch, fit):
    class Closed(Capture):
        def read(self):
            return False, None

    monkeypatch.setattr(cv2, 'VideoCapture', Closed)
    with pytest.raises(SampleError, match='camera 7: cannot be opened'):
        open_camera('7', fit)
