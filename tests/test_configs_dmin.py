"""Every config and row of event localization builds, trains and predicts; the paper's rows are pinned."""

import functools
from pathlib import Path

import pytest
import torch
from config_rows import ConfigRow, table_rows
from mmdet.registry import DATASETS, HOOKS, METRICS, MODELS, RUNNERS, TRANSFORMS, VISUALIZERS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from one_step import train_a_step

from mmav.simulation.videos.ave_dataset import simulate_ave
from mmav.simulation.videos.ave_videos import make_ave_config
from mmav.structures import SegmentDataSample

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[1] / 'configs' / 'dmin'
TABLE = table_rows('dmin')
CASES = [ConfigRow(f'dmin/{path.name}') for path in sorted(ROOT.glob('*.py'))]
CASES += [row for row in TABLE if row.options]
VIDEOS, SEGMENTS, SIDE, VISUAL, AUDIO = 3, 4, 2, 8, 6

# What a row of the paper's tables changes in the model; each holds for both ways of supervision.
ROWS = {
    'Table III, without AGTA': dict(use_agta=False),
    'Table III, AGTA without LSTM': dict(agta=dict(lstm=False)),
    'Table III, AGTA without MFB': dict(agta=dict(mfb=False)),
    'Table III, AGTA without channel': dict(agta=dict(channel=False)),
    'Table III, AGTA without spatial': dict(agta=dict(spatial=False)),
    'Table IV, without DIMA': dict(use_dima=False),
    'Table IV, "CMRA"; Table V, MHA and MHA': dict(dima=dict(own_score='dot', other_score='dot')),
    'Table V, DFA and MHA': dict(dima=dict(own_score='dense', other_score='dot')),
    'Table V, DFA and DFA': dict(dima=dict(own_score='dense', other_score='dense')),
    **{
        f'Table VI, lambda = {weight}': dict(unimodal_weight=float(weight))
        for weight in ('0.0', '0.02', '0.04', '0.06', '0.08', '0.10')
    },
}
# The row of lambda that is the main config.
MAIN = dict(dmin_ave='Table VI, lambda = 0.10', dmin_ave_weakly='Table VI, lambda = 0.08')


@functools.cache
def load(name: str) -> Config:
    """A shipped config, not to be changed."""
    return Config.fromfile(ROOT / f'{name}.py')


def toy(row: ConfigRow) -> Config:
    """The config with narrow layers and features."""
    cfg = row.load()
    cfg.model.update(visual_channels=VISUAL, audio_channels=AUDIO, embed_dims=8)
    cfg.merge_from_dict({'model.encoder': dict(num_heads=2, num_layers=1, feedforward_channels=8)})
    if cfg.model.type == 'DMIN':
        cfg.model.fusion_heads = 2
        if cfg.model.get('use_agta', True):
            cfg.merge_from_dict({'model.agta': dict(embed_dims=4, squeeze_channels=4)})
    return cfg


def toy_batch(cfg: Config) -> dict:
    """What the pipeline would pack: for each video an event of two seconds."""
    generator = torch.Generator().manual_seed(0)
    images = (SEGMENTS, SIDE, SIDE, VISUAL) if cfg.model.type == 'DMIN' else (SEGMENTS, VISUAL)
    inputs, samples = dict(visual=[], audio=[]), []
    for index in range(VIDEOS):
        inputs['visual'].append(torch.rand(images, generator=generator))
        inputs['audio'].append(torch.rand(SEGMENTS, AUDIO, generator=generator))
        sample = SegmentDataSample(metainfo=dict(video_id=f'video {index}', num_segments=SEGMENTS))
        relevant = torch.zeros(SEGMENTS)
        relevant[index : index + 2] = 1
        if cfg.model.type == 'DCMR':
            inputs.setdefault('query_mask', []).append(relevant)
            sample.gt_segments = relevant[:, None]
        else:
            sample.gt_segments = torch.zeros(SEGMENTS, 29)
            sample.gt_segments[:, index], sample.gt_segments[:, 28] = relevant, 1 - relevant
            sample.gt_events = sample.gt_segments.amax(0)
        samples.append(sample)
    keys = cfg.train_dataloader.dataset.pipeline[-1]['keys']
    return dict(inputs={key: inputs[key] for key in keys}, data_samples=samples)


@pytest.mark.parametrize('row', CASES, ids=str)
def test_config_trains_a_step_and_predicts(row):
    cfg = toy(row)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    _, changed = train_a_step(model, toy_batch(cfg), lr=1.0)
    assert {key.split('.')[0] for key in changed} == {
        key.split('.')[0] for key, _ in model.named_parameters()
    }
    double = row.name.endswith('official')
    assert {value.dtype for value in model.parameters()} == {torch.float64 if double else torch.float32}

    with torch.no_grad():
        results = model.eval().test_step(toy_batch(cfg))

    assert len(results) == VIDEOS
    for result in results:
        if cfg.model.type == 'DCMR':
            assert 0 <= result.pred_start <= SEGMENTS - 2 and result.pred_window_scores.shape == (3,)
        else:
            assert result.pred_labels.shape == (SEGMENTS,) and result.pred_relevance.isfinite().all()


@pytest.mark.parametrize('row', CASES, ids=str)
def test_config_names_what_exists_and_survives_a_dump(row, tmp_path):
    cfg = row.load()
    assert cfg.default_scope == 'mmdet' and cfg.custom_imports.imports == ['mmav']
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        assert DATASETS.get(loader.dataset.type) is not None
        for step in loader.dataset.pipeline:
            TRANSFORMS.build(step)
    for evaluator in (*cfg.val_evaluator, *cfg.test_evaluator):
        METRICS.build(evaluator)
    for hook in cfg.default_hooks.values():
        assert HOOKS.get(hook.type) is not None
    for part, registry in ((cfg.runner_type, RUNNERS), (cfg.visualizer.type, VISUALIZERS)):
        assert registry.get(part) is not None
    metric = METRICS.get(cfg.test_evaluator[0].type).__name__
    assert metric == ('CrossModalityMetric' if cfg.model.type == 'DCMR' else 'AVEMetric')
    cfg.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == cfg.to_dict()


@pytest.fixture(scope='module')
def simulated(tmp_path_factory) -> Path:
    return simulate_ave(tmp_path_factory.mktemp('data') / 'ave', make_ave_config('tiny'), progress=False)


@pytest.mark.parametrize('name', ['dmin_ave', 'dmin_ave_weakly', 'dcmr_ave_a2v', 'dmin_sim', 'dcmr_sim_v2a'])
def test_data_sets_give_what_the_models_take(name, simulated):
    cfg = load(name)
    init_default_scope('mmdet')
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        dataset = DATASETS.build(dict(loader.dataset, data_root=str(simulated), serialize_data=False))
        packed, wanted = dataset[len(dataset) - 1], toy_batch(cfg)
        assert packed['inputs'].keys() == wanted['inputs'].keys()
        for key, value in packed['inputs'].items():
            assert value.ndim == wanted['inputs'][key][0].ndim and value.dtype == torch.float32
        learned = name == 'dmin_ave_weakly' and loader is cfg.train_dataloader
        assert ('gt_events' if learned else 'gt_segments') in packed['data_samples']


def test_every_row_of_the_tables_has_options_that_change_that_alone():
    rows = {(row.name, row.label): row for row in TABLE if row.options}
    assert set(rows) == {(base, label) for base in MAIN for label in ROWS if label != MAIN[base]}
    assert len(rows) == 28
    for (base, label), row in rows.items():
        expected = load(base).to_dict()
        expected['model'].update(ROWS[label])
        assert row.load().to_dict() == expected
    assert {(row.name, row.label) for row in TABLE if not row.options} >= set(MAIN.items())
    assert load('dmin_ave').model.unimodal_weight == 0.1
    assert load('dmin_ave_weakly').model.unimodal_weight == 0.08


@pytest.mark.parametrize('name', ['dmin_ave', 'dmin_ave_weakly', 'dcmr_ave_a2v', 'dcmr_ave_v2a'])
def test_paper_configs_hold_the_papers_settings(name):
    cfg = load(name)
    assert cfg.model.protocol == 'paper'
    optimizer, schedule = cfg.optim_wrapper.optimizer, cfg.param_scheduler[0]
    assert (optimizer.type, optimizer.lr, cfg.optim_wrapper.clip_grad.max_norm) == ('Adam', 5e-5, 0.1)
    assert (schedule.type, schedule.milestones, schedule.gamma) == ('MultiStepLR', [10, 20, 30], 0.5)
    assert cfg.train_dataloader.batch_size == cfg.auto_scale_lr.base_batch_size == 32
    assert cfg.randomness.seed == 456
    supervision = dict(dmin_ave='fully', dmin_ave_weakly='weakly').get(name, 'cross_modality')
    assert {
        loader.dataset.supervision
        for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader)
    } == {supervision}
    if name.startswith('dcmr'):
        assert cfg.model.direction == name[-3:]


def test_defaults_are_the_papers_network():
    """Sizes as published: tests/data/official_keys lists them; here what has no weights."""
    model = MODELS.build(dict(type='DMIN'))
    assert model.fusion.attention.num_heads == model.interaction.dima['audio'].attention.num_heads == 4
    assert MODELS.build(dict(type='DMIN', supervision='weakly')).fusion.attention.num_heads == 2
    assert (model.visual_fc[2].p, model.agta.dropout, model.fusion.dropout.p) == (0.2, 0.1, 0.1)
    assert model.interaction.dima['visual'].attention.alpha == 0.5
    assert model.event_loss.unimodal_weight == 0.1
