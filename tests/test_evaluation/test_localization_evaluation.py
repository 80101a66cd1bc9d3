"""From simulated clips through a model to the figures, as one loader with every kind of sample gives them."""

import numpy as np
import pytest
import torch
from mmdet.registry import DATASETS, METRICS
from mmdet.structures import SampleList
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope

from mmav.evaluation import ciou
from mmav.simulation import make_clip_config, simulate_clips

PIPELINE = [
    dict(type='LoadClipFrame'),
    dict(type='LoadAudioSegment', duration=1.0),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='PackLocalizationInputs'),
]


class Oracle(BaseModel):
    """Knows the truth, hears how loud the sound is, and multiplies both."""

    def forward(self, inputs: dict, data_samples: SampleList, mode: str = 'tensor') -> SampleList:
        for audio, sample in zip(inputs['audio'], data_samples):
            gt = sample.gt_map if 'gt_map' in sample else torch.zeros(32, 32)
            sample.pred_map = audio.square().mean().sqrt() * (gt + 0.001 * torch.rand(32, 32))
        return data_samples


@pytest.fixture(scope='module')
def samples(tmp_path_factory) -> SampleList:
    """Predictions for test clips with every sound, validation clips, and off-screen clips."""
    settings = make_clip_config('small', clips=(0, 6, 8, 0), offscreen_share=0.4, picture=(48, 64))
    root = str(simulate_clips(tmp_path_factory.mktemp('clips') / 'set', settings, workers=0, progress=False))
    common = dict(data_root=root, pipeline=PIPELINE, test_mode=True)
    test, val = (dict(type='VGGSSDataset', split_file=f'{name}.txt', **common) for name in ('test', 'val'))
    offscreen = dict(type='VGGSoundDataset', split_file='offscreen.txt', **common)
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmdet'):
        cfg = dict(
            type='ConcatDataset',
            ignore_keys=['classes'],
            datasets=[dict(type='NegativeSoundDataset', dataset=test), val, offscreen],
        )
        dataset = DATASETS.build(Config(cfg)._cfg_dict)
        return Oracle().test_step(pseudo_collate([dataset[index] for index in range(len(dataset))]))


def evaluate(samples: SampleList, **kwargs) -> dict[str, float]:
    evaluator = Evaluator(METRICS.build(dict(type='CIoUMetric', **kwargs)))
    evaluator.process(samples)
    return evaluator.evaluate(len(samples))


def test_an_oracle_that_uses_the_audio(samples):
    kinds = [sample.get('negative') for sample in samples if sample.get('split') == 'test']
    clips = kinds.count(None)
    assert {kind: kinds.count(kind) for kind in kinds} == dict.fromkeys(
        (None, 'silence', 'noise', 'other'), clips
    )
    assert 0 < clips < 8, 'some clips are off screen'
    values = evaluate(samples, protocol='best')
    assert values['ciou/mean_ciou'] == pytest.approx(100), 'the threshold is one that separates'
    assert values['ciou/whole_image/mean_ciou'] < 80
    assert values['ciou/silence/false_positive_rate'] == 0 and values['ciou/silence/auroc'] == 100
    assert values['ciou/offscreen/false_positive_rate'] == 0, 'nothing in the image makes the sound'
    assert 0 <= values['ciou/other/false_positive_rate'] <= 100


def test_figures_are_those_of_the_own_sounds_alone(samples):
    own = [sample for sample in samples if not sample.get('negative') and 'gt_map' in sample]
    maps, truth = (torch.stack([sample.get(key) for sample in own]) for key in ('pred_map', 'gt_map'))
    assert len(own) < len(samples) / 2
    expected = ciou(maps, truth)
    values = evaluate(samples)
    assert values['ciou/auc'] == pytest.approx(100 * expected['auc'])
    assert values['ciou/mean_ciou'] == pytest.approx(100 * np.mean(expected['ciou']))
