import logging
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from mmdet.registry import METRICS
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.logging import MMLogger
from sklearn.metrics import roc_auc_score

from mmav.datasets import SampleError
from mmav.evaluation import CIoUMetric, ciou

SIZE = 16


def sample(pred: np.ndarray, gt: np.ndarray | None = None, **metainfo) -> DetDataSample:
    data_sample = DetDataSample(metainfo=dict(img_path='frames/a.jpg', **metainfo))
    data_sample.pred_map = torch.from_numpy(np.asarray(pred, np.float32))
    if gt is not None:
        data_sample.gt_map = torch.from_numpy(np.asarray(gt, np.float32))
    return data_sample


def clips(count: int, seed: int = 0, **metainfo) -> list[DetDataSample]:
    """Random maps that are somewhat higher within a random box."""
    rng = np.random.RandomState(seed)
    samples = []
    for number in range(count):
        gt = np.zeros((SIZE, SIZE))
        side = rng.randint(6, 15)
        x, y = rng.randint(0, SIZE - side, 2)
        gt[y : y + side, x : x + side] = 1
        pred = 0.3 * rng.standard_normal(gt.shape) + rng.rand() * gt
        samples.append(sample(pred, gt, category='dog' if number % 3 else 'bell', **metainfo))
    return samples


def evaluate(samples: Sequence[DetDataSample], **kwargs) -> dict[str, float]:
    """Through mmengine's evaluator, in batches of 4."""
    evaluator = Evaluator(METRICS.build(dict(type='CIoUMetric', **kwargs)))
    for start in range(0, len(samples), 4):
        evaluator.process(samples[start : start + 4])
    return evaluator.evaluate(len(samples))


def maps_of(samples: Sequence[DetDataSample]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.stack([s.pred_map for s in samples]), torch.stack([s.gt_map for s in samples])


@pytest.mark.parametrize(
    'arguments, threshold', [({}, 'median'), (dict(protocol='fixed', threshold=0.6), 0.6)]
)
def test_equals_the_function_in_percent(arguments, threshold):
    samples = clips(10)
    values = evaluate(samples, **arguments)
    expected = ciou(*maps_of(samples), threshold)
    assert 0 < expected['ciou_at_50'] < 1, 'the test shows nothing'
    assert values['ciou/ciou_at_50'] == pytest.approx(100 * expected['ciou_at_50'])
    assert values['ciou/auc'] == pytest.approx(100 * expected['auc'])
    assert values['ciou/mean_ciou'] == pytest.approx(100 * expected['ciou'].mean())
    for level in (0.1, 0.6):
        swept = ciou(*maps_of(samples), level)['ciou_at_50']
        assert values[f'ciou/sweep/{level:g}'] == pytest.approx(100 * swept)


def test_classes():
    samples = clips(10)
    values = evaluate(samples, classwise=True)
    bells = [s for s in samples if s.category == 'bell']
    assert len(bells) == 4
    expected = ciou(*maps_of(bells))
    assert values['ciou/class/bell/auc'] == pytest.approx(100 * expected['auc'])
    assert not any('class' in name for name in evaluate(samples))


def test_baselines_use_no_input():
    gt = np.zeros((SIZE, SIZE))
    gt[4:12, 4:12] = 1  # a quarter of the image, in its middle
    tall = np.zeros((SIZE, SIZE))
    tall[:, :12] = 1  # three quarters
    rng = np.random.RandomState(0)
    samples = [sample(rng.rand(SIZE, SIZE), truth) for truth in (gt, tall)]
    values = evaluate(samples, center_area=0.25)
    assert values['ciou/whole_image/mean_ciou'] == pytest.approx(100 * (0.25 + 0.75) / 2)
    assert values['ciou/whole_image/ciou_at_50'] == 50
    assert values['ciou/centred_box/mean_ciou'] == pytest.approx(100 * (1 + 64 / 192) / 2)


def test_threshold_of_the_validation_split_scores_the_others():
    gt = np.zeros((SIZE, SIZE))
    gt[:, :6] = 1
    low, high = np.where(gt, 1, 0.2), np.where(gt, 0.5, 0.3)
    low[0, -1] = high[0, -1] = 0  # both reach down to 0
    high[-1, -1] = 1
    val, test = sample(high, gt, split='val'), sample(low, gt, split='test')
    options = dict(protocol='best', sweep=(0.25, 0.4, 0.7))
    values = evaluate([val, test], **options)
    # of the validation clip only 0.4 separates 0.3 from 0.5
    assert values['ciou/threshold'] == 0.4
    assert values['ciou/mean_ciou'] == pytest.approx(100)
    # the other way round 0.25 is as good as the others and comes first; there the clip is all on
    values = evaluate([val, test], **options, validation_split='test')
    assert values['ciou/threshold'] == 0.25
    assert values['ciou/mean_ciou'] == pytest.approx(100 * 96 / 255)
    for samples in ([val], [test]):
        with pytest.raises(ValueError, match='ConcatDataset'):
            evaluate(samples, **options)


def test_negatives_have_rows_of_their_own():
    samples = clips(10)
    own = [float(s.pred_map.max()) for s in samples]
    silent = [sample(s.pred_map - 0.5, s.gt_map, negative='silence') for s in samples]
    offscreen = [sample(np.full((SIZE, SIZE), 0.99 * max(own)), offscreen=True)]
    values = evaluate(samples + silent + offscreen, on_recall=0.9)
    for name, value in evaluate(samples).items():
        assert values[name] == value, 'negatives have no part in the other figures'
    level = sorted(own)[1]
    quieter = np.array(own) - 0.5
    assert values['ciou/silence/false_positive_rate'] == pytest.approx(
        100 * (quieter >= level).mean(), abs=1e-5
    )
    expected = roc_auc_score([1] * 10 + [0] * 10, [*own, *quieter])
    assert values['ciou/silence/auroc'] == pytest.approx(100 * expected)
    assert values['ciou/offscreen/false_positive_rate'] == 100
    assert values['ciou/offscreen/auroc'] == 10
    assert evaluate(samples + silent, on_level=9.0)['ciou/silence/false_positive_rate'] == 0


def test_model_that_ignores_the_sound():
    samples = clips(20)
    deaf = [sample(s.pred_map, s.gt_map, negative='noise') for s in samples]
    values = evaluate(samples + deaf)
    assert values['ciou/noise/false_positive_rate'] == 95
    assert values['ciou/noise/auroc'] == 50


def test_order_and_batches_do_not_matter():
    samples = clips(9) + clips(3, seed=1, negative='other')
    backwards = evaluate(samples[::-1])
    assert evaluate(samples) == {name: pytest.approx(value) for name, value in backwards.items()}


def test_tables_are_logged():
    lines = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())
    logger = MMLogger.get_current_instance()
    logger.addHandler(handler)
    try:
        evaluate(clips(3) + clips(1, negative='silence'), classwise=True)
    finally:
        logger.removeHandler(handler)
    for words in ('model (median)', 'whole image', 'centered box', '| bell', '| silence', '0.95'):
        assert words in '\n'.join(lines)


@pytest.mark.parametrize(
    'samples, error, message',
    [
        ([sample(np.zeros((4, 4)))], SampleError, 'frames/a.jpg: has no gt_map'),
        ([sample(np.zeros((4, 4)), np.zeros((4, 5)))], SampleError, r'\(4, 4\) and gt_map \(4, 5\)'),
        ([sample(np.full((4, 4), np.nan), np.zeros((4, 4)))], SampleError, 'pred_map must be finite'),
        ([DetDataSample(metainfo=dict(img_id=7))], SampleError, 'sample 7: has no pred_map'),
        ([sample(np.zeros((4, 4)), negative='noise')], ValueError, 'no clip with its own sound'),
    ],
)
def test_samples_that_cannot_be_scored(samples, error, message):
    with pytest.raises(error, match=message):
        evaluate(samples)


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(protocol='mean'), 'protocol'),
        (dict(protocol='fixed'), 'go together'),
        (dict(threshold=0.5), 'go together'),
        (dict(protocol='best', sweep=()), 'sweep'),
        (dict(sweep=(0.5, 1.2)), '0..1'),
        (dict(center_area=0), 'center_area'),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        CIoUMetric(**arguments)
