import numpy as np
import pytest
from mmdet.registry import TRANSFORMS
from scipy.stats import kstest

from mmav.datasets import SampleError

SOUNDS = [
    dict(audio_path='a.wav', category='dog'),
    dict(audio_path='b.wav', category='dog'),
    dict(audio_path='c.wav', category='bell'),
]


def replace(results: dict, **kwargs) -> dict:
    return TRANSFORMS.build(dict(type='ReplaceAudio', **kwargs))(dict(results))


def loaded(img_id: int = 0) -> dict:
    return dict(img_id=img_id, audio=np.full(20000, 0.3, np.float32), audio_path='a.wav')


def test_silence():
    results = loaded()
    replaced = replace(results, kind='silence')
    assert replaced['negative'] == 'silence' and replaced['audio'].dtype == np.float32
    assert replaced['audio'].shape == (20000,) and not replaced['audio'].any()
    assert (results['audio'] == np.float32(0.3)).all(), "the dataset's own array is left alone"


def test_noise_is_white_and_of_the_level():
    noise = replace(loaded(), kind='noise', level=0.05)['audio']
    assert noise.dtype == np.float32
    assert kstest(noise / 0.05, 'norm').pvalue > 0.01
    assert abs(np.corrcoef(noise[1:], noise[:-1])[0, 1]) < 0.03


def test_noise_depends_on_seed_and_clip_alone():
    first = replace(loaded(), kind='noise')['audio']
    np.random.seed(1)
    np.testing.assert_array_equal(replace(loaded(), kind='noise')['audio'], first)
    assert (replace(loaded(1), kind='noise')['audio'] != first).any()
    assert (replace(loaded(), kind='noise', seed=1)['audio'] != first).any()


def test_other_is_of_another_clip_and_category():
    for img_id in range(20):
        dog = replace(dict(img_id=img_id, audio_path='a.wav', category='dog'), kind='other', sounds=SOUNDS)
        assert (dog['audio_path'], dog['negative']) == ('c.wav', 'other')
    unknown = {
        replace(dict(img_id=img_id, audio_path='a.wav'), kind='other', sounds=SOUNDS)['audio_path']
        for img_id in range(20)
    }
    assert unknown == {'b.wav', 'c.wav'}
    with pytest.raises(SampleError, match=r'a\.wav: none of 2 sounds'):
        replace(dict(img_id=0, audio_path='a.wav', category='dog'), kind='other', sounds=SOUNDS[:2])


def test_other_of_videos():
    videos = [dict(video_path='a.mp4'), dict(video_path='b.mp4')]
    assert replace(dict(img_id=0, video_path='b.mp4'), kind='other', sounds=videos)['video_path'] == 'a.mp4'


@pytest.mark.parametrize(
    'results, arguments, message',
    [
        (dict(img_id=0), dict(kind='silence'), 'LoadAudioSegment before'),
        (loaded(), dict(kind='other', sounds=SOUNDS), 'before LoadAudioSegment'),
        (dict(img_id=0), dict(kind='other', sounds=SOUNDS), 'video_path'),
    ],
)
def test_wrong_place_in_the_pipeline(results, arguments, message):
    with pytest.raises(KeyError, match=message):
        replace(results, **arguments)


@pytest.mark.parametrize(
    'arguments',
    [dict(kind='hum'), dict(kind='other'), dict(kind='noise', sounds=SOUNDS), dict(kind='noise', level=0)],
)
def test_bad_arguments(arguments):
    with pytest.raises(ValueError):
        replace({}, **arguments)
