"""Every config and row of sound localization builds, trains and predicts; the papers' rows are pinned."""

import copy
import functools
import logging
import math
from pathlib import Path

import pytest
import torch
from config_rows import ConfigRow, table_rows
from mmdet.registry import DATASETS, HOOKS, METRICS, MODELS, RUNNERS, TRANSFORMS, VISUALIZERS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.hub import get_config
from mmengine.registry import init_default_scope
from one_step import train_a_step

import mmav  # noqa: F401  registers everything
from mmav.simulation import make_clip_config, simulate_clips

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[1] / 'configs' / 'avc'
NAMES = sorted(path.stem for path in ROOT.glob('*.py'))
TEACHERS = sorted(f'teachers/{path.stem}' for path in ROOT.glob('teachers/*.py'))
# Configs of one another's model and way of training differ in their data sets alone: one of each is trained.
SAME = {
    name: {
        'avc': 'avc_r18_flickr10k',
        'og_avc': 'og_avc_r18_flickr10k',
        'og_avc_detr': 'og_avc_detr_r18_flickr144k',
    }[name.split('_r18_')[0]]
    for name in NAMES
    if '_sim' not in name and '_teacher' not in name and not name.endswith('_online')
}
TABLE = [row for row in table_rows('avc') if '_teacher' not in row.config and not row.name.startswith('og_')]
GUIDED = [ConfigRow(row.config.replace('avc_r18', 'og_avc_r18'), row.options, row.label) for row in TABLE]
TRAINED = [ConfigRow(f'avc/{name}.py') for name in sorted({SAME.get(name, name) for name in NAMES})]
TRAINED += [row for row in (*TABLE, *GUIDED) if row.options]
SIZE = 64  # pixels of a toy image
CHANNELS = 16

init_default_scope('mmdet')


@pytest.fixture(autouse=True)
def no_line_for_every_parameter():
    """mmengine logs how each parameter was initialized."""
    logging.disable(logging.INFO)
    yield
    logging.disable(logging.NOTSET)


@functools.cache
def load(name: str) -> Config:
    """A shipped config, not to be changed."""
    return Config.fromfile(ROOT / f'{name}.py')


def shrink_resnet(cfg: dict) -> None:
    """A sixteenth of the channels; in place."""
    cfg.update(depth=18, base_channels=4, stem_channels=4)
    if isinstance(cfg.get('init_cfg'), dict):
        cfg['init_cfg'] = None


def shrink_localizer(cfg: dict) -> None:
    shrink_resnet(cfg['visual_backbone'])
    shrink_resnet(cfg['audio_backbone'])
    channels = {
        f'{part}_channels': 4 << cfg[f'{part}_backbone'].num_stages - 1 for part in ('visual', 'audio')
    }
    cfg.update(channels, embed_channels=CHANNELS)


def map_size(cfg: dict) -> int:
    """Rows and columns of a toy image's map."""
    backbone = cfg.get('localizer', cfg).visual_backbone
    return SIZE // (4 * math.prod(backbone.get('strides', (1, 2, 2, 2))))


def toy_detr() -> dict:
    """MMDetection's DETR with ResNet-18, one layer and 16 channels."""
    cfg = get_config('mmdet::detr/detr_r50_8xb2-150e_coco.py').model
    shrink_resnet(cfg.backbone)
    cfg.neck.update(in_channels=[32], out_channels=CHANNELS)
    for part, attentions in (('encoder', ('self',)), ('decoder', ('self', 'cross'))):
        cfg[part].num_layers = 1
        layer = cfg[part].layer_cfg
        layer.ffn_cfg.update(embed_dims=CHANNELS, feedforward_channels=CHANNELS)
        for attention in attentions:
            layer[f'{attention}_attn_cfg'].update(embed_dims=CHANNELS, num_heads=2)
    cfg.positional_encoding.num_feats = CHANNELS // 2
    cfg.bbox_head.embed_dims = CHANNELS
    return cfg


def toy(row: ConfigRow, folder: Path) -> Config:
    """The config with narrow networks; those that guide have random weights in files."""
    cfg = row.load()
    model = cfg.model
    if model.type == 'AVCLocalizer':
        shrink_localizer(model)
        if model.get('teachers') is not None:
            model.teachers.allow_untrained = True
            del model.teachers.visual['config']
            model.teachers.visual.update(source='encoder', model=toy_detr())
            model.teachers.audio.update(base_channels=2, sample_rate=8000, f_max=4000.0, n_fft=256)
            model.audio_hint.update(student_channels=CHANNELS, teacher_channels=64)
        return cfg
    shrink_localizer(model.localizer)
    shrink_resnet(model.object_model.model)
    guides = dict(object_model=model.object_model)
    if 'detector' in model:
        model.detector.update(model=toy_detr(), score_thr=0.0)
        guides['detector'] = model.detector
    for key, guide in guides.items():
        guide.checkpoint = str(folder / f'{key}.pth')
        weights = MODELS.build(copy.deepcopy(guide.model)).state_dict()
        start = f'{guide.prefix}.' if guide.get('prefix') else ''
        torch.save({start + key: value for key, value in weights.items()}, guide.checkpoint)
    return cfg


def steps_of(loader: dict) -> dict[str, dict]:
    """Steps of a loader's pipeline; sounds by their key."""
    dataset = loader['dataset']
    pipeline = dataset.get('pipeline') or dataset['dataset']['pipeline']
    return {step.get('key', step['type']): step for step in pipeline}


def toy_batch(loader: dict, size: int, clips: int = 3) -> dict:
    """What the last step of a loader's pipeline would pack."""
    generator = torch.Generator().manual_seed(0)
    steps = steps_of(loader)
    teachers = steps.get('LoadTeacherEmbeddings', {}).get('names', ())
    shapes = dict(audio=(3000,))
    if 'teacher_waveform' in steps:
        shapes['teacher_waveform'] = (12000,)
    if 'audio' in teachers:
        shapes['teacher_audio'] = (CHANNELS,)
    if 'visual' in teachers:
        shapes['teacher_visual'] = (CHANNELS, size, size)
    inputs = {
        name: [torch.randn(shape, generator=generator) / 10 for _ in range(clips)]
        for name, shape in shapes.items()
    }
    image = (3, SIZE, SIZE)
    inputs['image'] = [
        torch.randint(0, 256, image, generator=generator, dtype=torch.uint8) for _ in range(clips)
    ]
    samples = [DetDataSample(metainfo=dict(img_shape=(SIZE, SIZE))) for _ in range(clips)]
    return dict(inputs=inputs, data_samples=samples)


@pytest.mark.parametrize('row', TRAINED, ids=str)
def test_config_trains_a_step_and_predicts(row, tmp_path):
    cfg = toy(row, tmp_path)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    size = map_size(cfg.model)
    logs, changed = train_a_step(model, toy_batch(cfg.train_dataloader, size), lr=1e-4)

    assert {key for key, _ in model.named_parameters() if '_proj' in key} <= changed
    model_cfg = cfg.model.get('localizer', cfg.model)
    hints = {f'loss_{kind}_hint' for kind in ('audio', 'visual') if model_cfg[f'{kind}_hint'] is not None}
    assert set(logs) == {'loss', 'loss_similarity', *hints}

    results = model.eval().test_step(toy_batch(cfg.test_dataloader, size))

    assert [tuple(result.pred_map.shape) for result in results] == [(SIZE, SIZE)] * 3
    assert all(result.pred_map.isfinite().all() and result.pred_map.std() > 0 for result in results)


@pytest.fixture(scope='module')
def clips(tmp_path_factory) -> str:
    config = make_clip_config('small', clips=(1, 2, 2, 2), offscreen_share=0.0)
    root = tmp_path_factory.mktemp('simulated') / 'clips'
    return str(simulate_clips(root, config, workers=0, progress=False))


@pytest.mark.parametrize('name', TEACHERS)
def test_teacher_trains_a_step_on_clips_and_predicts(name, clips):
    cfg = load(name)
    batches = []
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        dataset = DATASETS.build(dict(loader.dataset, data_root=clips))
        assert len(dataset) == 2
        batches.append(pseudo_collate([dataset[0], dataset[1]]))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    train, *tests = batches
    logs, changed = train_a_step(model, train, lr=0.1)

    assert set(logs) == {'loss'}
    assert {'backbone.conv1.weight', 'head.fc.weight', 'head.fc.bias'} <= changed
    for batch in tests:
        with torch.no_grad():
            results = model.eval().test_step(batch)
        assert [tuple(result.pred_score.shape) for result in results] == [(8,)] * 2
        assert all(result.pred_score.sum().isclose(torch.tensor(1.0)) for result in results)
    # the localizer takes its weights strictly
    part = name.rpartition('_')[2]
    teacher = dict(load('avc_r18_sim').teachers[part], init_cfg=None)
    MODELS.build(teacher).load_state_dict(model.backbone.state_dict())


def test_the_other_configs_train_alike():
    assert len(SAME) > len(ROWS)
    for name, trained in SAME.items():
        cfg, same = load(name), load(trained)
        assert cfg.model == same.model, name
        for key in ('optim_wrapper', 'train_cfg', 'visualizer', 'default_hooks'):
            assert cfg[key] == same[key], name
        for loader in ('train_dataloader', 'test_dataloader'):
            steps, expected = (copy.deepcopy(steps_of(each[loader])) for each in (cfg, same))
            for found in (steps, expected):
                found.get('LoadTeacherEmbeddings', {}).pop('store', None)
            assert steps == expected, name


@pytest.mark.parametrize('name', [*NAMES, *TEACHERS])
def test_config_builds_pipelines_and_metrics(name):
    cfg = load(name)
    assert cfg.default_scope == 'mmdet' and cfg.custom_imports.imports[0] == 'mmav'
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        for step in steps_of(loader).values():
            TRANSFORMS.build(step)
        assert DATASETS.get(loader.dataset.type) is not None
    for evaluator in (*cfg.val_evaluator, *cfg.test_evaluator):
        METRICS.build(evaluator)
    for hook in cfg.default_hooks.values():
        assert HOOKS.get(hook.type) is not None
    assert RUNNERS.get(cfg.runner_type) is not None and VISUALIZERS.get(cfg.visualizer.type) is not None


@pytest.mark.parametrize(
    'row',
    [*TRAINED, *(ConfigRow(f'avc/{name}.py') for name in (*TEACHERS, 'avc_r18_vggsound144k_negatives'))],
    ids=str,
)
def test_config_survives_a_dump(row, tmp_path):
    row.load().dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == row.load().to_dict()


def test_the_network_is_the_papers():
    cfg = copy.deepcopy(load('avc_r18_flickr10k').model)
    assert cfg.visual_backbone.init_cfg == dict(type='StrictPretrained', checkpoint='torchvision://resnet18')
    cfg.visual_backbone.init_cfg = None
    model, bare = MODELS.build(cfg), MODELS.build(dict(type='AVCLocalizer'))
    assert {k: v.shape for k, v in model.state_dict().items()} == {
        k: v.shape for k, v in bare.state_dict().items()
    }
    assert model.contrastive_loss.temperature == bare.contrastive_loss.temperature == 0.03
    assert not model.contrastive_loss.gather and model.contrastive_loss.loss_weight == 1
    assert {name: hint.loss_weight for name, hint in model.hints.items()} == dict(audio=1e3, visual=1e5)
    waveform = torch.zeros(2, 3 * 22050)
    image = torch.zeros(2, 3, 224, 224)
    inputs = model.data_preprocessor(dict(inputs=dict(image=image, audio=waveform)))['inputs']
    assert inputs['spectrogram'].shape == (2, 1, 257, 276)
    silence = torch.tensor(1e-7).log() / 12
    torch.testing.assert_close(inputs['spectrogram'], silence.expand(2, 1, 257, 276))


def test_training_is_the_papers():
    cfg = load('avc_r18_flickr10k')
    assert cfg.optim_wrapper.optimizer == dict(type='Adam', lr=1e-4)
    assert cfg.train_cfg.max_epochs == 100 and cfg.get('param_scheduler') is None
    assert cfg.train_dataloader.batch_size == 128 == cfg.auto_scale_lr.base_batch_size
    steps, test_steps = steps_of(cfg.train_dataloader), steps_of(cfg.test_dataloader)
    assert steps['Resize'].scale == (246, 246) and steps['RandomCrop'].crop_size == (224, 224)
    assert steps['RandomFlip'].prob == 0.5 and test_steps['Resize'].scale == (224, 224)
    assert 'RandomCrop' not in test_steps and 'RandomFlip' not in test_steps
    assert cfg.test_evaluator == [dict(type='CIoUMetric', protocol='median')]


# Tables 1 and 3 (and with them 4 to 7): list to train on, data sets to train on and to test on
ROWS = {
    f'{train}-{number} -> {test}': (f'{stem}_{number}.txt', trained, tested)
    for train, stem, trained in (
        ('Flickr', 'flickr', 'FlickrSoundNetDataset'),
        ('VGGS', 'vggss', 'VGGSoundDataset'),
    )
    for number in ('10k', '144k')
    for test, tested in (('Flickr', 'FlickrSoundNetDataset'), ('VGG-SS', 'VGGSSDataset'))
}


def test_the_tables_have_all_rows():
    for rows in (TABLE, GUIDED):
        assert sorted(row.label for row in rows) == sorted(ROWS)


@pytest.mark.parametrize('label', ROWS)
def test_each_row_of_the_papers_tables_has_its_config(label):
    split_file, trained, tested = ROWS[label]
    for rows, kind in ((TABLE, 'AVCLocalizer'), (GUIDED, 'ObjectGuidedLocalizer')):
        (cfg,) = (row.load() for row in rows if row.label == label)
        assert cfg.model.type == kind
        trained_on, tested_on = cfg.train_dataloader.dataset, cfg.test_dataloader.dataset
        assert trained_on.split_file == split_file
        assert (trained_on.type, tested_on.type) == (trained, tested)
        assert cfg.val_dataloader == cfg.test_dataloader
        assert trained_on.data_root in steps_of(cfg.train_dataloader)['LoadTeacherEmbeddings'].store
        model = cfg.model.get('localizer', cfg.model)
        assert model.audio_hint is not None and model.visual_hint is not None


def test_object_guides_are_the_papers():
    plain, guided, detr = (
        load(name).model
        for name in ('avc_r18_flickr10k', 'og_avc_r18_flickr10k', 'og_avc_detr_r18_flickr144k')
    )
    assert guided.weights == (0.6, 0.4) and 'detector' not in guided
    assert guided.object_model.checkpoint == 'torchvision://resnet18'
    assert {**guided.localizer, 'data_preprocessor': plain.data_preprocessor} == plain
    assert detr.weights == (1 / 3, 1 / 3, 1 / 3) and detr.detector.score_thr == 0.3
    assert detr.localizer == guided.localizer and detr.object_model == guided.object_model
    for train, stem in (('flickr', 'flickr'), ('vggsound', 'vggss')):
        trained_on = load(f'og_avc_detr_r18_{train}144k').train_dataloader.dataset
        assert trained_on.split_file == f'{stem}_144k.txt'


@pytest.mark.parametrize('base', ['avc_r18_flickr10k', 'avc_r18_sim'])
@pytest.mark.parametrize('teachers', ['', 'audio', 'visual'])
def test_ablations_differ_in_their_teachers_alone(base, teachers):
    main, variant = load(base), load(f'{base}_{teachers or "no"}_teacher')
    different = {key for key in {*main, *variant} if main.get(key) != variant.get(key)}
    assert different == {'model', 'train_pipeline', 'train_dataloader'}
    hints = {kind: variant.model[f'{kind}_hint'] for kind in ('audio', 'visual')}
    assert hints == {kind: main.model[f'{kind}_hint'] if kind == teachers else None for kind in hints}
    loaded = steps_of(variant.train_dataloader).get('LoadTeacherEmbeddings', {}).get('names', ())
    assert tuple(loaded) == ((teachers,) if teachers else ())
    assert {**variant.model, **{f'{kind}_hint': main.model[f'{kind}_hint'] for kind in hints}} == main.model


def test_teachers_on_line_are_those_of_the_store():
    online, offline = load('avc_r18_flickr10k_online'), load('avc_r18_flickr10k')
    assert online.model.teachers == offline.teachers
    assert steps_of(online.train_dataloader)['teacher_waveform'].sample_rate == 32000


def test_stand_ins_fit_the_small_student():
    cfg = copy.deepcopy(load('avc_r18_sim'))
    for teacher in (cfg.teachers.visual, cfg.teachers.audio):
        teacher.init_cfg = None
    steps = steps_of(cfg.test_dataloader)
    (width, height), segment = steps['Resize'].scale, steps['LoadAudioSegment']
    batch = dict(
        image=[torch.zeros(3, height, width)],
        audio=[torch.zeros(round(segment.sample_rate * segment.duration))],
    )
    student = MODELS.build(cfg.model).eval()
    inputs = student.data_preprocessor(dict(inputs=batch))['inputs']
    with torch.no_grad():
        own = student(inputs)
        embeds = MODELS.build({**cfg.teachers, 'allow_untrained': True})(inputs)
    for part in ('audio', 'visual'):
        assert own[f'{part}_embeds'].shape == embeds[f'teacher_{part}'].shape
    assert student.data_preprocessor.log_spectrogram.sample_rate == segment.sample_rate
