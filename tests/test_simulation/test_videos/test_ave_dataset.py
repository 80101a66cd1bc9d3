import json

import h5py
import numpy as np
import pytest

from mmav.datasets import AVEDataset
from mmav.simulation.videos import ave_dataset
from mmav.simulation.videos.ave_dataset import audio_features, simulate_ave, visual_features
from mmav.simulation.videos.ave_videos import SPLITS, make_ave_config, sample_ave_video

TINY = make_ave_config('tiny', seed=3)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return simulate_ave(tmp_path_factory.mktemp('simulated') / 'ave', TINY, progress=False)


def contents(root) -> dict[str, np.ndarray]:
    """All arrays by file and name."""
    arrays = {}
    for path in sorted(root.glob('*.h5')):
        with h5py.File(path) as file:
            arrays |= {f'{path.name}/{key}': file[key][:] for key in file}
    return arrays


@pytest.mark.parametrize('split', SPLITS)
def test_what_is_heard_and_seen_at_once_is_the_event_and_nothing_else(split):
    config = make_ave_config('default')
    lengths, alone = [], dict(heard=0, seen=0)
    for index in range(60):
        video = sample_ave_video(config, split, index)
        seen = video.seen.max((1, 2))
        both = (video.heard > 0) & (seen > 0)
        expected = np.zeros_like(both)
        if split != 'background':
            expected[video.onset : video.offset, video.category] = True
            alone['heard'] += bool(((video.heard > 0) & ~expected)[:, video.category].any())
            alone['seen'] += bool(((seen > 0) & ~expected)[:, video.category].any())
        np.testing.assert_array_equal(both, expected)
        lengths.append(video.offset - video.onset)
    if split == 'background':
        assert video.category is None
    else:  # events of all lengths; each modality alone outlasts some
        assert set(range(2, 9)) <= set(lengths) and 10 in lengths
        assert alone['heard'] > 5 and alone['seen'] > 5


def test_features_are_the_directions_of_what_happens():
    config = make_ave_config('tiny', variation=0, noise=0)
    video = sample_ave_video(config, 'train', 0)
    audio, visual = audio_features(video, config), visual_features(video, config)
    assert audio.shape == (10, 8) and visual.shape == (10, 3, 3, 12)
    # rank: as many directions as things; strength: the features' lengths where one thing is alone
    assert np.linalg.matrix_rank(audio, 1e-4) == (video.heard.max(0) > 0).sum()
    single = (video.seen > 0).sum(-1) == 1
    np.testing.assert_allclose(np.linalg.norm(visual[single], axis=-1), video.seen.sum(-1)[single], rtol=1e-4)
    assert not visual[(video.seen == 0).all(-1)].any()


def test_synchrony_makes_sound_and_image_rise_and_fall_together():
    def correlation(synchrony: float) -> float:
        config = make_ave_config('default', synchrony=synchrony, whole=1)
        pairs = [
            (video.heard[:, video.category], video.seen[..., video.category].max((1, 2)))
            for video in (sample_ave_video(config, 'train', index) for index in range(100))
        ]
        return np.corrcoef(*(np.concatenate(values) for values in zip(*pairs)))[0, 1]

    assert correlation(1) == pytest.approx(1)
    assert abs(correlation(0)) < 0.1


@pytest.mark.parametrize('supervision', ['fully', 'weakly', 'cross_modality'])
def test_the_data_set_reads_what_was_simulated(data, supervision):
    for split, number in zip(SPLITS, TINY.videos[:3]):
        videos = [sample_ave_video(TINY, split, index) for index in range(number)]
        if supervision == 'cross_modality':
            videos = [video for video in videos if video.offset - video.onset < 10]
        if supervision == 'weakly' and split == 'train':
            videos += [sample_ave_video(TINY, 'background', index) for index in range(TINY.videos[3])]
        dataset = AVEDataset(
            data_root=str(data),
            split=split,
            supervision=supervision,
            ann_file='Annotations.txt',
            test_mode=split != 'train',
            serialize_data=False,
            pipeline=[],
        )
        assert len(dataset) == len(videos)
        for index in (0, len(videos) - 1):
            sample, video = dataset[index], videos[index]
            assert sample['video_id'] == video.video_id
            visual = visual_features(video, TINY)
            visual = visual.mean((1, 2)) if supervision == 'cross_modality' else visual
            np.testing.assert_allclose(sample['visual'], visual, rtol=1e-5, atol=1e-6)
            np.testing.assert_array_equal(sample['audio'], audio_features(video, TINY))
            if 'gt_events' in sample:
                expected = 28 if video.category is None else video.category
                np.testing.assert_array_equal(sample['gt_events'], np.eye(29)[expected])
            else:
                happens = sample['gt_segments'][:, 0 if supervision == 'cross_modality' else video.category]
                assert np.flatnonzero(happens).tolist() == [*range(video.onset, video.offset)]


def test_an_interrupted_run_goes_on_and_gives_the_same(data, tmp_path, monkeypatch):
    root = tmp_path / 'ave'

    def fail(video, config):
        if video.video_id == 'test00005':
            raise KeyboardInterrupt
        return audio_features(video, config)

    monkeypatch.setattr(ave_dataset, 'audio_features', fail)
    with pytest.raises(KeyboardInterrupt):
        simulate_ave(root, TINY, progress=False)
    assert not (root / 'audio_feature.h5').exists()
    done = (root / 'visual_feature.h5').stat().st_mtime_ns
    monkeypatch.undo()
    simulate_ave(root, TINY, progress=False)
    assert (root / 'visual_feature.h5').stat().st_mtime_ns == done
    expected, found = contents(data), contents(root)
    assert expected.keys() == found.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(values, found[name])
    assert not [path for path in root.iterdir() if path.name.startswith('.')]


def test_the_features_may_be_of_64_bits(tmp_path):
    config = make_ave_config('tiny', seed=3, dtype='float64', videos=(2, 1, 1, 0))
    root = simulate_ave(tmp_path / 'ave', config, progress=False)
    assert contents(root)['visual_feature.h5/avadataset'].dtype == np.float64
    dataset = AVEDataset(data_root=str(root), pipeline=[], serialize_data=False)
    assert dataset[0]['visual'].dtype == np.float32


def test_other_parameters_need_another_folder(data):
    with pytest.raises(FileExistsError, match='noise'):
        simulate_ave(data, make_ave_config('tiny', seed=3, noise=0.5), progress=False)
    assert json.loads((data / 'manifest.json').read_text())['parameters']['num_classes'] == 4


@pytest.mark.parametrize(
    'change',
    [
        dict(num_classes=3),
        dict(num_classes=29),
        dict(size=4),
        dict(goes_on=1.1),
        dict(audio_strength=(1.0, 0.5)),
        dict(videos=(0, 1, 1, 1)),
        dict(dtype='float16'),
    ],
)
def test_bad_parameters_are_refused(change):
    with pytest.raises(ValueError, match=next(iter(change))):
        make_ave_config('tiny', **change)
