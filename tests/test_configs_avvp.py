"""Every config and row of video parsing builds, trains a step and predicts; the papers' rows are pinned."""

import functools
from pathlib import Path

import pytest
import torch
from config_rows import ConfigRow, table_rows
from mmdet.registry import HOOKS, METRICS, MODELS, RUNNERS, TRANSFORMS, VISUALIZERS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from one_step import train_a_step

from mmav.structures import SegmentDataSample

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[1] / 'configs' / 'avvp'
LABELS = {row.label: row for row in table_rows('avvp')}


def row_of(label: str, data: str = 'llp') -> ConfigRow:
    """A row of the tables, or with ``data='sim'`` its small twin."""
    row = LABELS[label]
    config = row.config if data == 'llp' else row.config.replace('_llp', '_sim').replace('_audioset', '_sim')
    return ConfigRow(config, row.options, label)


CASES = [ConfigRow(f'avvp/{path.name}') for path in sorted(ROOT.glob('*.py'))]
CASES += [row_of(label, data) for label, row in LABELS.items() if row.options for data in ('llp', 'sim')]
SEGMENTS, FRAMES = 4, 8  # frames of each segment
SWITCHES = ('base', 'skip', 'gcaa')


@functools.cache
def load(name: str) -> Config:
    """A shipped config, not to be changed."""
    return Config.fromfile(ROOT / f'{name}.py')


def toy(row: ConfigRow) -> Config:
    """The config with narrow layers; inputs and classes stay."""
    cfg = row.load()
    width = dict(embed_dims=16, feedforward_channels=16)
    cfg.model.update(width, num_heads=2, num_layers=1)
    return cfg


def toy_batch(cfg: Config, packed: Config, videos: int = 2, seed: int = 0) -> dict:
    """What the last step of a pipeline would pack."""
    generator = torch.Generator().manual_seed(seed)
    lengths = dict(audio=SEGMENTS, visual=SEGMENTS, visual_st=SEGMENTS)
    if cfg.model.visual_channels == 2048:
        lengths['visual'] *= FRAMES
    inputs = {
        key: [
            torch.randn(lengths[key], cfg.model.get(f'{key}_channels', 0), generator=generator)
            for _ in range(videos)
        ]
        for key in packed['keys']
    }
    samples = []
    for index in range(videos):
        sample = SegmentDataSample(metainfo=dict(video_id=f'video {index}', num_segments=SEGMENTS))
        shapes = dict(gt_events=(25,), pseudo_audio=(SEGMENTS, 25), pseudo_visual=(SEGMENTS, 25))
        for key in packed.get('gt_keys', ('gt_events',)):
            setattr(sample, key, (torch.rand(shapes[key], generator=generator) > 0.8).float())
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


@pytest.mark.parametrize('row', CASES, ids=str)
def test_config_trains_a_step_and_predicts(row):
    cfg = toy(row)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    packed = cfg.train_dataloader.dataset.pipeline[-1]
    _, changed = train_a_step(model, toy_batch(cfg, packed), lr=0.1)
    # every part has learned: embeddings, attention, pooling, discriminator, ...
    assert {key.split('.')[0] for key in changed} == {
        key.split('.')[0] for key, _ in model.named_parameters()
    }

    with torch.no_grad():
        results = model.eval().test_step(toy_batch(cfg, packed))

    assert len(results) == 2
    pretrains = cfg.model.type == 'AVGPretrainer'
    fields = ('pred_audio_embeds', 'pred_visual_embeds') if pretrains else ('pred_audio', 'pred_visual')
    for result in results:
        for field in fields:
            assert result.get(field).shape == (SEGMENTS, 16 if pretrains else 25)
            assert result.get(field).isfinite().all()


@pytest.mark.parametrize('row', CASES, ids=str)
def test_config_builds_its_pipelines_and_runtime_and_survives_a_dump(row, tmp_path):
    cfg = row.load()
    assert cfg.default_scope == 'mmdet' and cfg.custom_imports.imports == ['mmav']
    init_default_scope('mmdet')
    for split in ('train', 'val', 'test'):
        for step in cfg.get(f'{split}_dataloader', {}).get('dataset', {}).get('pipeline', ()):
            TRANSFORMS.build(step)
        for evaluator in cfg.get(f'{split}_evaluator', ()):
            METRICS.build(evaluator)
    for hook in cfg.default_hooks.values():
        assert HOOKS.get(hook.type) is not None
    for part, registry in ((cfg.runner_type, RUNNERS), (cfg.visualizer.type, VISUALIZERS)):
        assert registry.get(part) is not None
    # what is validated has all that mmengine asks for, what is not has none
    for split in ('val', 'test'):
        present = [f'{split}_{part}' in cfg for part in ('cfg', 'dataloader', 'evaluator')]
        assert all(present) if cfg.model.type == 'HybridAttentionParser' else not any(present)
    cfg.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == cfg.to_dict()


ROWS = {  # Tables 1 and 2: base, skip, gcaa, lambda_ad, lambda_g, features of sound
    'HAN': (False, False, False, None, 1.0, 'feats/vggish'),
    'Base': (True, False, False, None, 0.6, 'feats/vggish'),
    'Base + GCAA': (True, False, True, None, 0.6, 'feats/vggish'),
    'Base + Adv+Skip': (True, True, False, 0.4, 0.6, 'feats/vggish'),
    'Base + Adv+Skip+GCAA': (True, True, True, 0.4, 0.6, 'feats/vggish'),
    'Pretrain (uni)': (True, True, True, 0.4, 0.6, 'feats_avg_uni/audio'),
    'Pretrain (cross)': (True, True, True, 0.4, 0.6, 'feats_avg_cross/audio'),
    'Pretrain (multi)': (True, True, True, 0.4, 0.6, 'feats_avg_multi/audio'),
}


@pytest.mark.parametrize('data', ['llp', 'sim'])
@pytest.mark.parametrize('label', ROWS)
def test_each_row_of_the_papers_tables_has_its_config(label, data):
    base, skip, gcaa, lambda_ad, lambda_g, audio = ROWS[label]
    cfg = row_of(label, data).load()
    model = cfg.model
    assert [model[switch] for switch in SWITCHES] == [base, skip, gcaa]
    assert model.get('discriminator', {}).get('weight') == lambda_ad
    loss = model.loss
    assert (loss.guided_weight, loss.audio_confidence, loss.visual_confidence) == (lambda_g, 1.0, 0.9)
    assert 'pseudo_loss' not in model and model.video_threshold == 0.5
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert loader.dataset.data_prefix.audio == audio
        assert loader.dataset.data_prefix.visual_st == 'feats/r2plus1d_18'


@pytest.mark.parametrize('label', ROWS)
def test_rows_are_trained_as_the_paper_says(label):
    cfg = row_of(label).load()
    assert (cfg.model.embed_dims, cfg.model.num_heads, cfg.model.num_layers) == (512, 1, 1)
    assert (cfg.model.feedforward_channels, cfg.model.dropout, cfg.model.num_classes) == (512, 0.1, 25)
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr) == ('Adam', 3e-4)
    (schedule,) = cfg.param_scheduler
    assert (schedule.type, schedule.step_size, schedule.gamma, schedule.by_epoch) == ('StepLR', 5, 0.5, True)
    assert cfg.train_cfg.max_epochs == 40
    assert cfg.train_dataloader.batch_size == 64 == cfg.auto_scale_lr.base_batch_size
    splits = [cfg[f'{split}_dataloader'].dataset.ann_file for split in ('train', 'val', 'test')]
    assert splits == ['AVVP_train.csv', 'AVVP_val_pd.csv', 'AVVP_test_pd.csv']


@pytest.mark.parametrize('objective', ['uni', 'cross', 'multi'])
@pytest.mark.parametrize('data', ['llp', 'sim'])
def test_parsers_read_what_their_pretraining_gives(objective, data):
    first = row_of(f'pretraining for Pretrain ({objective})', data).load()
    second = row_of(f'Pretrain ({objective})', data).load()
    assert first.model.loss.objective == objective
    assert set(first.train_dataloader.dataset.data_prefix) == {'audio', 'visual'}
    assert second.model.audio_channels == second.model.visual_channels == first.model.embed_dims
    plain = load(f'adv_skip_gcaa_{data}')
    changed = {key for key in plain.model if plain.model[key] != second.model[key]}
    assert changed <= {'audio_channels', 'visual_channels'}


@pytest.mark.parametrize('data', ['llp', 'sim'])
def test_pseudo_labels_are_read_where_they_are_learned(data):
    cfg = load(f'han_pseudo_{data}')
    assert cfg.model.pseudo_loss.type == 'SegmentPseudoLabelLoss'
    train, test = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
    assert set(train.pseudo_labels) == {'audio', 'visual'} and 'pseudo_labels' not in test
    assert {'gt_events', 'pseudo_audio', 'pseudo_visual'} == set(train.pipeline[-1].gt_keys)


def test_official_training_of_han_differs_in_what_its_authors_do_otherwise():
    ours, theirs = load('han_llp'), load('han_llp_official')
    changed = {key for key in {*ours, *theirs} if ours.get(key) != theirs.get(key)}
    assert changed == {'train_dataloader', 'param_scheduler', 'auto_scale_lr'}
    assert theirs.train_dataloader.batch_size == 16
    assert (theirs.param_scheduler[0].step_size, theirs.param_scheduler[0].gamma) == (10, 0.1)
