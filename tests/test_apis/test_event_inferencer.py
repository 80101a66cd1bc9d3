import itertools
import json

import cv2
import numpy as np
import pytest
import torch
from mmdet.registry import MODELS

from mmav.apis import EventInferencer
from mmav.apis.event_inferencer import event_bands
from mmav.datasets import SampleError
from mmav.visualization import EventBand, MapBand, ValueBand

pytestmark = pytest.mark.stack

SMALL = dict(visual_channels=6, audio_channels=5, embed_dims=8)
ENCODER = dict(num_heads=2, num_layers=1, feedforward_channels=8)
CLASSES = ('Cat', 'Dog', 'Cow')


def config(**model) -> dict:
    return dict(model=dict(SMALL, encoder=ENCODER, **model), default_scope='mmdet')


DMIN = config(type='DMIN', num_categories=3, fusion_heads=2, agta=dict(embed_dims=4, squeeze_channels=4))
DCMR = config(type='DCMR', direction='v2a')


def features(segments: int = 10, seed: int = 0, **more) -> dict:
    rng = np.random.default_rng(seed)
    return dict(
        visual=rng.normal(size=(segments, 2, 3, 6)).astype(np.float32),
        audio=rng.normal(size=(segments, 5)).astype(np.float32),
        **more,
    )


def finder(relevance: float = 0.0) -> EventInferencer:
    """DMIN whose relevance lies around the threshold, unless it is moved."""
    torch.manual_seed(0)
    inferencer = EventInferencer(DMIN, device='cpu', classes=CLASSES, show_progress=False)
    inferencer.model.relevance_head.bias.data.fill_(relevance)
    return inferencer


def test_events_are_the_runs_of_the_models_labels():
    inferencer = finder()
    source = features(name='dog')
    inputs = {key: [torch.from_numpy(source[key])] for key in ('visual', 'audio')}
    with torch.no_grad():
        (direct,) = inferencer.model.test_step(dict(inputs=inputs))
    # the threshold in the middle of the relevance: some seconds hold an event, some do not
    inferencer.model.relevance_thr = float(direct.pred_relevance.median())
    with torch.no_grad():
        (direct,) = inferencer.model.test_step(dict(inputs=inputs))
    labels = direct.pred_labels.tolist()
    assert 3 in labels and set(labels) != {3}

    (prediction,) = inferencer(source)['predictions']

    drawn = [3] * 10
    for event in prediction['events']:
        span = slice(int(event['onset']), int(event['offset']))
        drawn[span] = [CLASSES.index(event['label'])] * (span.stop - span.start)
        probability = float(direct.pred_scores[CLASSES.index(event['label'])])
        expected = probability * float(direct.pred_relevance[span].mean())
        assert event['score'] == pytest.approx(expected, rel=1e-5)
    assert drawn == labels
    assert prediction['input'] == 'dog' and prediction['duration'] == 10
    np.testing.assert_allclose(prediction['attention'], direct.pred_attention, rtol=1e-5)


def test_longer_videos_are_gone_through_in_windows():
    inferencer = finder(relevance=9)
    source = features(25)
    (whole,) = inferencer(source)['predictions']
    parts = [{key: value[start : start + 10] for key, value in source.items()} for start in (0, 10, 20)]
    parts = inferencer(parts)['predictions']
    np.testing.assert_allclose(
        whole['relevance'], np.concatenate([part['relevance'] for part in parts]), rtol=1e-5
    )
    assert whole['attention'].shape == (25, 2, 3)
    # each window is one event; equal neighbors go on over the border
    labels = [part['events'][0]['label'] for part in parts]
    expected = 1 + sum(a != b for a, b in itertools.pairwise(labels))
    assert len(whole['events']) == expected and whole['events'][-1]['offset'] == 25


def test_a_weakly_supervised_model_serves_as_well():
    torch.manual_seed(0)
    weak = dict(DMIN, model=dict(DMIN['model'], supervision='weakly'))
    inferencer = EventInferencer(weak, device='cpu', classes=CLASSES, show_progress=False)
    assert inferencer(features())['predictions'][0]['relevance'].shape == (10,)


def test_a_query_is_searched_for_in_the_other_modality():
    torch.manual_seed(0)
    inferencer = EventInferencer(DCMR, device='cpu', show_progress=False)
    source = features(query=(2, 5))
    (prediction,) = inferencer(source)['predictions']
    mask = torch.zeros(10)
    mask[2:5] = 1
    inputs = dict(
        visual=[torch.from_numpy(source['visual'].mean((1, 2)))],
        audio=[torch.from_numpy(source['audio'])],
        query_mask=[mask],
    )
    with torch.no_grad():
        (direct,) = inferencer.model.test_step(dict(inputs=inputs))
    start = int(direct.pred_start)
    np.testing.assert_allclose(prediction['windows'], direct.pred_window_scores, rtol=1e-5)
    assert prediction['query'] == dict(modality='visual', onset=2.0, offset=5.0)
    answer = prediction['answer']
    assert (answer['modality'], answer['onset'], answer['offset']) == ('audio', start, start + 3)
    assert answer['score'] == pytest.approx(float(direct.pred_window_scores.max()) / 3, rel=1e-5)


def test_what_is_found_is_written_as_json_and_images(tmp_path):
    inferencer = finder(relevance=9)
    paths = {}
    for key, value in features(seed=1).items():
        paths[key] = tmp_path / f'{key}.npy'
        np.save(paths[key], value)
    results = inferencer([features(name='a b.mp4'), paths], return_vis=True, out_dir=tmp_path / 'found')
    predictions = results['predictions']
    written = json.loads((tmp_path / 'found/predictions.json').read_text())['predictions']
    assert [entry['events'] for entry in written] == [entry['events'] for entry in predictions]
    assert set(written[0]) == {'input', 'duration', 'events'}
    for name, image in zip(('0000_a_b', '0001_input_1'), results['visualization'], strict=True):
        assert image.dtype == np.uint8 and image.shape[1] == 720
        stored = cv2.imread(str(tmp_path / f'found/timelines/{name}.png'))
        np.testing.assert_array_equal(stored[..., ::-1], image)


def test_bands_show_events_relevance_and_attention():
    found, relevance, attention = event_bands(finder(relevance=9)(features())['predictions'][0])
    assert isinstance(found, EventBand) and found.rows[0][0][:2] == (0, 10)
    assert isinstance(relevance, ValueBand) and isinstance(attention, MapBand)
    searcher = EventInferencer(DCMR, device='cpu', show_progress=False)
    (prediction,) = searcher(features(query=(0, 4)))['predictions']
    assert [band.name for band in event_bands(prediction)] == ['query: images', 'answer: audio']


def test_videos_of_a_batch_are_predicted_as_alone():
    inferencer = finder()
    sources = [features(segments, seed) for seed, segments in enumerate((10, 25, 4, 10))]
    together = inferencer(sources, batch_size=3, return_datasamples=True)['predictions']
    for number, (source, sample) in enumerate(zip(sources, together, strict=True)):
        (alone,) = inferencer(source, batch_size=1, return_datasamples=True)['predictions']
        assert (sample.input_index, sample.input_name) == (number, f'input {number}')
        assert sample.pred_scores.shape == (-(-len(source['audio']) // 10), 3)  # a row for each window
        for key in ('pred_labels', 'pred_relevance', 'pred_scores', 'pred_attention'):
            torch.testing.assert_close(sample.get(key), alone.get(key))
    searcher = EventInferencer(DCMR, device='cpu', show_progress=False)
    queries = [features(segments, query=(1, end)) for segments, end in ((12, 4), (9, 3), (12, 6))]
    together = searcher(queries)['predictions']
    for query, prediction in zip(queries, together, strict=True):
        (alone,) = searcher(query)['predictions']
        assert prediction['query'] == alone['query'] and prediction['duration'] == len(query['audio'])
        np.testing.assert_allclose(prediction['windows'], alone['windows'], rtol=1e-5)


def test_results_are_taken_by_number_as_from_the_former_list():
    results = finder()([features(), features(seed=1)])
    assert set(results) == {'predictions', 'visualization'} and not results['visualization']
    with pytest.warns(DeprecationWarning, match=r"results\['predictions'\]\[i\]"):
        assert results[-1] is results['predictions'][1]
    with pytest.raises(KeyError, match='events'):
        results['events']


def test_arguments_that_do_not_exist_or_fit_are_named():
    with pytest.raises(ValueError, match=r'unknown argument.*threshold'):
        finder()(features(), threshold=0.5)
    with pytest.raises(ValueError, match='EventInferencer: batch_size must be above 0'):
        finder()(features(), batch_size=0)


class Extractor:
    """Stands for the feature networks."""

    def __call__(self, video) -> dict:
        return features(seed=7)


def test_videos_go_through_the_extractor():
    inferencer = finder(relevance=9)
    inferencer.extractor = Extractor()
    (prediction,) = inferencer('clips/dog.mp4')['predictions']
    assert prediction['input'] == 'dog.mp4'
    (expected,) = inferencer(features(seed=7))['predictions']
    np.testing.assert_array_equal(prediction['relevance'], expected['relevance'])
    with pytest.raises(SampleError, match=r'dog\.txt: is no video'):
        inferencer('dog.txt')


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(more=1), r"x: has \['audio', 'more', 'visual'\], the model takes"),
        (dict(audio=np.zeros((10, 4))), r'audio of x: must be \(segments, 5\), got \(10, 4\)'),
        (dict(visual=np.zeros((10, 6))), r'visual of x: must be \(segments, height, width, 6\)'),
        (dict(audio=np.full((10, 5), np.nan)), 'audio of x: holds NaN'),
        (dict(audio=np.zeros((9, 5))), 'x: audio and images are of different lengths'),
        (dict(audio='nowhere.npy'), r'nowhere\.npy: the file is missing'),
    ],
)
def test_features_that_do_not_fit_are_named(change, message):
    with pytest.raises(SampleError, match=message):
        finder()(dict(features(name='x'), **change))


@pytest.mark.parametrize('query', [None, (5, 2), (0.5, 2), (8, 11)])
def test_queries_that_do_not_fit_are_refused(query):
    inferencer = EventInferencer(DCMR, device='cpu', show_progress=False)
    with pytest.raises(SampleError, match=r'x: .*quer'):
        inferencer(features(name='x', query=query))


def test_other_models_and_names_are_refused():
    with pytest.raises(ValueError, match='not DMIN or DCMR'):
        EventInferencer(dict(model=dict(type='SegmentDataPreprocessor')), device='cpu')
    with pytest.raises(ValueError, match='2 names for 3 categories'):
        EventInferencer(DMIN, device='cpu', classes=('Cat', 'Dog'))
    with pytest.raises(ValueError, match='window'):
        EventInferencer(DMIN, device='cpu', classes=CLASSES, window=0)
    with pytest.raises(TypeError, match='input 0 is a int'):
        finder()(7 for _ in range(1))


def test_names_and_weights_come_from_the_checkpoint(tmp_path):
    model = MODELS.build(DMIN['model'])
    meta = dict(dataset_meta=dict(classes=CLASSES))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), tmp_path / 'dmin.pth')
    inferencer = EventInferencer(DMIN, str(tmp_path / 'dmin.pth'), device='cpu', show_progress=False)
    assert inferencer.classes == CLASSES
    for key, value in model.state_dict().items():
        torch.testing.assert_close(inferencer.model.state_dict()[key], value)
