"""Features of small videos whose mean colors and sounds are known."""

import cv2
import numpy as np
import pytest
import soundfile
import torch

from mmav.features.image_networks import ImageFeature
from mmav.features.segment_feature_extractor import LLP_FEATURES, SegmentFeatureExtractor
from mmav.media.video import read_video_audio
from mmav.media.video_writer import write_video
from mmav.utils.errors import SampleError

RATE = 16000


def color(fps: int, take: str, name: str = 'color') -> ImageFeature:
    """A network whose features are mean colors, 0..255."""
    layers = [torch.nn.AdaptiveAvgPool3d(1) if take == 'clip' else torch.nn.AdaptiveAvgPool2d(1)]
    net = torch.nn.Sequential(*layers, torch.nn.Flatten())
    scaled = ((0, 0, 0), (1 / 255,) * 3)
    return ImageFeature(name, fps, take, lambda: net, lambda p: p[::4, ::4], '', normalization=scaled)


FEATURES = dict(mean=color(8, 'mean', 'mean'), each=color(2, 'each', 'each'), clip=color(4, 'clip', 'clip'))
UNTRAINED = dict.fromkeys(FEATURES)


def grays(seconds: float) -> np.ndarray:
    """Images at 8 a second, image i of gray 20 + 5 i."""
    count = round(8 * seconds)
    return np.broadcast_to(20 + 5 * np.arange(count)[:, None, None, None], (count, 32, 48, 3)).astype(
        np.uint8
    )


def sound(seconds: float) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(round(seconds * RATE)) * 0.1


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('videos') / 'three.mp4'
    write_video(path, grays(3), 8, sound(3), RATE, crf=0)
    return path


def extractor(**options) -> SegmentFeatureExtractor:
    return SegmentFeatureExtractor(FEATURES, UNTRAINED, allow_untrained=True, **options)


@pytest.fixture(scope='module')
def each_extractor():
    features = dict(audio='vggish', visual=FEATURES['each'])
    return SegmentFeatureExtractor(features, dict(vggish=None, each=None), allow_untrained=True)


def gray(index: float) -> float:
    return 20 + 5 * index


EXPECTED = dict(
    mean=[gray(3.5), gray(11.5), gray(19.5)],
    each=[gray(0), gray(4), gray(8), gray(12), gray(16), gray(20)],
    clip=[gray(3), gray(11), gray(19)],
)


@pytest.mark.parametrize('batch_size', [1, 8, 20, 100])
def test_images_of_each_rate_in_one_pass(video, batch_size):
    features = extractor(batch_size=batch_size)(video)
    assert list(features) == list(FEATURES)
    for key, values in EXPECTED.items():
        assert features[key].shape == (len(values), 3) and features[key].dtype == np.float32
        np.testing.assert_allclose(features[key][:, 1], values, atol=1.5)  # the codec's rounding


def test_sound_is_vggish_second_by_second(video, each_extractor):
    features = each_extractor(video)
    assert list(features) == ['audio', 'visual']
    assert features['audio'].shape == (3, 128) and features['visual'].shape == (6, 3)
    with torch.inference_mode():
        wave = torch.from_numpy(read_video_audio(video, RATE))
        expected = each_extractor.networks['audio'](wave)
    np.testing.assert_allclose(features['audio'], expected.numpy(), rtol=1e-5, atol=1e-6)
    each_extractor.batch_size = 2  # in two pieces
    try:
        pieces = each_extractor(video, only=['audio'])
    finally:
        each_extractor.batch_size = 32
    assert list(pieces) == ['audio']
    np.testing.assert_allclose(pieces['audio'], features['audio'], rtol=1e-4, atol=1e-6)


def test_images_and_sound_from_files_of_their_own(video, each_extractor, tmp_path):
    (tmp_path / 'frames').mkdir()
    for number, image in enumerate(grays(3)):
        cv2.imwrite(str(tmp_path / 'frames' / f'{number}.png'), image)
    (tmp_path / 'frames' / 'notes.txt').write_text('')
    soundfile.write(tmp_path / 'sound.wav', sound(3), RATE, subtype='FLOAT')
    prepared = dict(frames=tmp_path / 'frames', frames_fps=8)
    for key, values in extractor()(**prepared).items():
        np.testing.assert_allclose(values[:, 0], EXPECTED[key], rtol=1e-6)
    both = each_extractor(audio=tmp_path / 'sound.wav', **prepared)
    np.testing.assert_allclose(both['visual'][:, 0], EXPECTED['each'], rtol=1e-6)
    assert both['audio'].shape == (3, 128)
    # the video's sound is the same but for AAC
    assert np.corrcoef(both['audio'].ravel(), each_extractor(video)['audio'].ravel())[0, 1] > 0.95


def test_a_little_more_or_less_than_the_length_is_fitted(video, tmp_path):
    write_video(tmp_path / 'short.mp4', grays(2.5), 8, crf=0)
    write_video(tmp_path / 'long.mp4', grays(3.75), 8, crf=0)
    for name, mean in (('short', [gray(3.5), gray(11.5), gray(18.25)]), ('long', EXPECTED['mean'])):
        features = extractor(num_segments=3)(tmp_path / f'{name}.mp4')
        np.testing.assert_allclose(features['mean'][:, 0], mean, atol=1.5)
        assert len(features['each']) == 6
    # halves are rounded up
    assert len(extractor()(tmp_path / 'short.mp4')['mean']) == 3
    assert len(extractor()(tmp_path / 'long.mp4')['mean']) == 4


def test_another_length_is_an_error_unless_it_shall_fit(video, each_extractor, tmp_path):
    with pytest.raises(SampleError, match=r'three\.mp4: its images end after 3\.00 of 4 s'):
        extractor(num_segments=4)(video)
    with pytest.raises(SampleError, match=r'three\.mp4: lasts 3\.\d+ s, expected 2 s'):
        extractor(num_segments=2)(video)
    fitted = extractor(num_segments=5, other_length='fit')(video)
    np.testing.assert_allclose(fitted['mean'][:, 0], [*EXPECTED['mean'], gray(23), gray(23)], atol=1.5)
    assert len(extractor(num_segments=2, other_length='fit')(video)['mean']) == 2
    write_video(tmp_path / 'hushed.mp4', grays(4), 8, sound(2), RATE)
    with pytest.raises(SampleError, match=r'hushed\.mp4: its sound ends? after 2\.\d\d of 4 s'):
        each_extractor(tmp_path / 'hushed.mp4')
    each_extractor.other_length = 'fit'
    try:
        assert each_extractor(tmp_path / 'hushed.mp4')['audio'].shape == (4, 128)
    finally:
        each_extractor.other_length = 'error'


def test_what_cannot_be_done_is_said(tmp_path):
    with pytest.raises(ValueError, match=r"\['mean', 'each', 'clip'\] would have random weights"):
        SegmentFeatureExtractor(FEATURES, UNTRAINED)
    with pytest.raises(ValueError, match="unknown feature 'vgg16'"):
        SegmentFeatureExtractor(dict(visual='vgg16'))
    with pytest.raises(ValueError, match=r"weights for \['vgg19'\]"):
        SegmentFeatureExtractor(LLP_FEATURES, dict(vgg19='file'))
    with pytest.raises(
        RuntimeError, match=r"weights of vgg19 cannot be had from .*none\.pth.*weights\['vgg19'\]"
    ):
        SegmentFeatureExtractor(dict(visual='vgg19'), dict(vgg19=str(tmp_path / 'none.pth')))
    with pytest.raises(ValueError, match='give a video, or frames and audio'):
        extractor()(audio='sound.wav')
    with pytest.raises(ValueError, match='frames_fps'):
        extractor()(frames=tmp_path)
    with pytest.raises(SampleError, match='holds no images'):
        extractor()(frames=tmp_path, frames_fps=8)
    (tmp_path / 'a.jpg').write_text('no image')
    with pytest.raises(SampleError, match=r'a\.jpg: cannot be read as an image'):
        extractor()(frames=tmp_path, frames_fps=8)


def test_its_description_tells_weights_apart(each_extractor):
    described = each_extractor.describe()
    assert described['audio']['feature'] == 'vggish' and described['visual']['feature'] == 'each'
    first = described['audio']['weights']
    with torch.no_grad():
        bias = each_extractor.networks['audio'].embeddings[4].bias
        bias[0] += 1
        assert each_extractor.describe()['audio']['weights'] != first
        bias[0] -= 1
