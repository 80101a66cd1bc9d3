import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest

from mmav.datasets import LLP_CLASSES, LLPDataset
from mmav.simulation import make_llp_config, sample_llp_video, simulate_llp
from mmav.simulation.videos import llp_dataset
from mmav.simulation.videos.llp_dataset import llp_features
from mmav.simulation.videos.llp_videos import draw_pseudo_labels, segments_of
from mmav.utils.fileio import TEMPORARY_SUFFIX

CONFIG = make_llp_config(
    'tiny', videos=(5, 2, 3, 2), audio_channels=6, visual_channels=8, visual_st_channels=7
)
MANY = [sample_llp_video(make_llp_config('demo'), 'train', index) for index in range(600)]


def digest(root):
    files = sorted(path for path in root.rglob('*') if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return simulate_llp(tmp_path_factory.mktemp('whole') / 'llp', CONFIG, workers=0, progress=False)


def open_split(root, ann_file, **options):
    return LLPDataset(str(ann_file), data_root=str(root), pipeline=[], serialize_data=False, **options)


def test_our_data_set_reads_what_was_drawn(root):
    for split, file, count in (('train', 'AVVP_train.csv', 5), ('test', 'AVVP_test_pd.csv', 3)):
        dataset = open_split(root, file, test_mode=split == 'test')
        assert len(dataset) == count
        for index in range(count):
            video, sample = sample_llp_video(CONFIG, split, index), dataset[index]
            assert sample['video_id'] == video.video_id
            assert np.flatnonzero(sample['gt_events']).tolist() == list(video.labels)
            shapes = [sample[key].shape for key in ('audio', 'visual', 'visual_st')]
            assert shapes == [(10, 6), (10, 8), (10, 7)]
            for modality in ('audio', 'visual') if split == 'test' else ():
                truth = video.segments(modality, CONFIG)
                np.testing.assert_array_equal(sample[f'gt_{modality}'][:, :4], truth)
                assert not sample[f'gt_{modality}'][:, 4:].any()
    clips = open_split(root, 'pretrain.csv')
    assert len(clips) == 2 and 'gt_events' not in clips[0]


def test_pseudo_labels_of_the_training_videos_are_read(root):
    dataset = open_split(
        root, 'AVVP_train.csv', pseudo_labels=dict(audio='pseudo_audio.tsv', visual='pseudo_visual.tsv')
    )
    for index in range(5):
        drawn = draw_pseudo_labels(sample_llp_video(CONFIG, 'train', index), CONFIG)
        for modality in ('audio', 'visual'):
            wanted = np.zeros((10, 25))
            for label, onset, offset, score in drawn[modality]:
                wanted[onset:offset, label] = np.maximum(wanted[onset:offset, label], score)
            np.testing.assert_allclose(dataset[index][f'pseudo_{modality}'], wanted, rtol=1e-6)


def test_shares_of_events_are_those_asked_for():
    kinds = [
        frozenset(m for m in ('audio', 'visual') if any(event[0] == label for event in video.events[m]))
        for video in MANY
        for label in video.labels
    ]
    shares = [
        kinds.count(frozenset(kind)) / len(kinds) for kind in (('audio',), ('visual',), ('audio', 'visual'))
    ]
    np.testing.assert_allclose(shares, [0.35, 0.2, 0.45], atol=0.04)
    assert {len(video.labels) for video in MANY} == {1, 2, 3}
    assert {label for video in MANY for label in video.labels} == set(range(12))


def test_events_lie_within_the_video_and_do_not_touch():
    for video in MANY:
        for events in video.events.values():
            assert all(0 <= onset < offset <= 10 for _, onset, offset in events)
            runs = [(label, end) for label, _, end in events]
            assert not any((label, onset) in runs for label, onset, _ in events)


def test_pseudo_labels_have_the_errors_asked_for():
    config = replace(make_llp_config('demo'), pseudo_shift=0.0, pseudo_false=0.0)
    lacking, total = 0, 0
    for video in MANY:
        for modality, labels in draw_pseudo_labels(video, config).items():
            found = {event[:3] for event in labels}
            assert found <= set(video.events[modality]) and all(0.6 <= event[3] <= 1 for event in labels)
            lacking, total = (
                lacking + len(set(video.events[modality]) - found),
                total + len(video.events[modality]),
            )
    assert lacking / total == pytest.approx(0.15, abs=0.03)
    perfect = replace(config, pseudo_missing=0.0)
    for video in MANY[:50]:
        for modality, labels in draw_pseudo_labels(video, perfect).items():
            cells = segments_of(tuple(event[:3] for event in labels), perfect)
            np.testing.assert_array_equal(cells, video.segments(modality, perfect))


def test_seconds_with_an_event_point_its_way():
    # without noise and variation a second's feature is its events' strengths, told apart by the directions
    config = replace(CONFIG, audio_channels=64, noise=0.0, variation=0.0, strength=(1.0, 1.0), likeness=0.0)
    features, truth = [], []
    for index in range(40):
        video = sample_llp_video(config, 'train', index)
        features.append(llp_features(video, config)['audio'])
        truth.append(video.segments('audio', config))
    features, truth = np.concatenate(features), np.concatenate(truth)
    directions, _, rank, _ = np.linalg.lstsq(truth, features, rcond=None)
    assert rank == 4
    np.testing.assert_allclose(truth @ directions, features, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-5)


def test_frames_of_a_second_share_its_events():
    config = replace(CONFIG, frames_per_second=8, noise=0.0, variation=0.0)
    frames = llp_features(sample_llp_video(config, 'train', 0), config)['visual']
    assert frames.shape == (80, 8)
    np.testing.assert_array_equal(frames[::8], frames[7::8])


def test_bytes_depend_on_the_configuration_alone_and_a_stopped_run_goes_on(root, tmp_path, monkeypatch):
    written = []
    write = llp_dataset._write_features

    def stop(*args):
        written.append(args)
        if len(written) == 4:
            raise KeyboardInterrupt
        write(*args)

    monkeypatch.setattr(llp_dataset, '_write_features', stop)
    with pytest.raises(KeyboardInterrupt):
        simulate_llp(tmp_path / 'llp', CONFIG, workers=0, progress=False)
    written.clear()
    monkeypatch.setattr(llp_dataset, '_write_features', write)
    (tmp_path / f'llp/feats/vggish/.tr000000004.npy.7{TEMPORARY_SUFFIX}').write_bytes(b'truncated')
    simulate_llp(tmp_path / 'llp', CONFIG, workers=0, progress=False)
    assert digest(tmp_path / 'llp') == digest(root)
    other = simulate_llp(tmp_path / 'other', replace(CONFIG, seed=1), workers=0, progress=False)
    assert digest(other) != digest(root)
    with pytest.raises(FileExistsError, match='seed: 0 there, 1 now'):
        simulate_llp(root, replace(CONFIG, seed=1), workers=0, progress=False)


def test_the_manifest_tells_the_parameters(root):
    manifest = json.loads((root / 'manifest.json').read_text())
    assert manifest['parameters']['videos'] == [5, 2, 3, 2] and CONFIG.classes == LLP_CLASSES[:4]


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(num_classes=26), 'num_classes'),
        (dict(num_classes=2), 'num_classes'),
        (dict(events=(0, 2)), 'events'),
        (dict(audio_only=0.7, visual_only=0.4), 'audio_only'),
        (dict(pseudo_shift=1.5), 'pseudo_shift'),
        (dict(videos=(1, 2, 3)), 'videos'),
        (dict(strength=(1.0, 0.5)), 'strength'),
        (dict(num_segments=1), 'num_segments'),
        (dict(preset='huge'), 'preset'),
    ],
)
def test_bad_parameters_are_refused(options, message):
    options = dict(options)
    with pytest.raises(ValueError, match=message):
        make_llp_config(options.pop('preset', 'tiny'), **options)
