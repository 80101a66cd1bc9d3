"""Every config and row of the detectors builds, trains a step and predicts; pipelines and metrics build."""

from pathlib import Path

import pytest
import torch
from config_rows import ConfigRow, table_rows
from mmdet.registry import HOOKS, METRICS, RUNNERS, TRANSFORMS, VISUALIZERS
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmengine.registry import init_default_scope
from mmpretrain.structures import DataSample

from mmav.utils.config_text import without_layout

pytestmark = pytest.mark.stack

ROOT = Path(__file__).parents[1] / 'configs'
FOLDERS = ('avd', 'mm_distillnet')  # of the detectors; the other methods' configs have tests of their own
CASES = [
    ConfigRow(f'{folder}/{path.name}') for folder in FOLDERS for path in sorted((ROOT / folder).glob('*.py'))
]
CHANGED = {row.label: row for page in FOLDERS for row in table_rows(page) if row.options}
CASES += CHANGED.values()


def modalities_of(cfg: Config) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the training and the test pipeline load."""
    loaded = []
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        steps = {step.type: step for step in loader.dataset.pipeline}
        names = ('audio',) if 'LoadMultichannelAudio' in steps else ()
        loaded.append(names + tuple(steps.get('LoadVisualModalities', {}).get('modalities', ())))
    return tuple(loaded)


def with_classes(batch: dict) -> dict:
    """The batch as PackClassInputs packs it for a classifier that counts."""
    samples = [DataSample().set_gt_label(len(sample.gt_instances)) for sample in batch['data_samples']]
    return dict(batch, data_samples=samples)


@pytest.mark.parametrize('row', CASES, ids=str)
def test_config_trains_a_step_and_predicts(row, toy_config, build_detector, toy_batch):
    cfg = toy_config(row.config, row.changes())
    trained_on, tested_on = modalities_of(cfg)
    model = build_detector(cfg)
    counts = cfg.model.type == 'AudioClassifier'
    pack = with_classes if counts else dict
    reached = set()
    for key, parameter in model.named_parameters():
        parameter.register_post_accumulate_grad_hook(lambda _, key=key: reached.add(key))
    trained = {key for key, parameter in model.named_parameters() if parameter.requires_grad}
    before = {key: parameter.detach().clone() for key, parameter in model.named_parameters()}

    logs = model.train().train_step(
        pack(toy_batch(trained_on)), OptimWrapper(torch.optim.SGD(model.parameters(), lr=1e-3))
    )

    assert all(value.isfinite().all() for value in logs.values())
    # a parameter without a gradient would stop distributed training
    assert reached == trained
    changed = {key for key, parameter in model.named_parameters() if not torch.equal(parameter, before[key])}
    assert changed <= trained
    # every part of the detector has learned: backbone, neck, heads, ...
    assert {key.split('.')[0] for key in changed} == {key.split('.')[0] for key in trained}

    results = model.eval().test_step(pack(toy_batch(tested_on)))

    assert len(results) == 2
    found = [result.pred_score if counts else result.pred_instances.bboxes for result in results]
    assert all(torch.isfinite(values).all() for values in found)


@pytest.mark.parametrize('row', CASES, ids=str)
def test_config_builds_pipelines_and_metrics_and_survives_a_dump(row, tmp_path):
    cfg = without_layout(row.load())
    init_default_scope('mmdet')
    assert cfg.default_scope == 'mmdet' and cfg.custom_imports.imports[0] == 'mmav'
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        for step in loader.dataset.pipeline:
            TRANSFORMS.build(step)
    for evaluator in (*cfg.val_evaluator, *cfg.test_evaluator):
        METRICS.build({**evaluator, 'ann_file': None} if 'ann_file' in evaluator else evaluator)
    for hook in cfg.default_hooks.values():
        assert HOOKS.get(hook.type) is not None
    for part, registry in ((cfg.runner_type, RUNNERS), (cfg.visualizer.type, VISUALIZERS)):
        assert registry.get(part) is not None
    cfg.dump(tmp_path / 'dumped.py')
    assert Config.fromfile(tmp_path / 'dumped.py').to_dict() == cfg.to_dict()


def test_paper_config_holds_the_papers_settings():
    cfg = Config.fromfile(ROOT / 'avd/faster_rcnn_r50_fpn_mavd.py')
    loss = cfg.model.roi_head.loss_avd
    assert (loss.temperature, loss.gcl_weight, loss.avkd_weight, cfg.model.roi_head.avd_loss_weight) == (
        0.1,
        1,
        1,
        1,
    )
    assert cfg.optim_wrapper.optimizer.type == 'SGD' and cfg.optim_wrapper.optimizer.lr == 0.008
    assert cfg.train_cfg.max_epochs == 30 and cfg.param_scheduler[1].milestones == [20]
    assert cfg.auto_scale_lr.base_batch_size == 32 == 4 * cfg.train_dataloader.batch_size
    assert cfg.model.data_preprocessor.audio_size == (576, 576)
    assert cfg.model.data_preprocessor.log_mel.n_mels == 80
    assert cfg.model.backbone.depth == 50 and cfg.model.backbone.in_channels == 8


def test_efficientdet_config_holds_the_papers_settings():
    cfg = Config.fromfile(ROOT / 'mm_distillnet/efficientdet_d2_mavd_audio.py')
    model = cfg.model
    assert (model.backbone.arch, model.neck.num_cells, model.neck.out_channels) == ('b2', 5, 112)
    assert model.bbox_head.anchor_generator.factors == [(1.0, 1.0), (1.4, 0.7), (0.7, 1.4)]
    assert (model.bbox_head.loss_cls.alpha, model.bbox_head.loss_cls.gamma) == (0.25, 2.0)
    assert model.data_preprocessor.audio_size == (768, 768) == cfg.resize.scale
    optimizer = cfg.optim_wrapper.optimizer
    assert (optimizer.type, optimizer.lr, optimizer.betas) == ('Adam', 1e-5, (0.9, 0.999))
    assert optimizer.weight_decay == 5e-4 and cfg.param_scheduler[0].type == 'ReduceOnPlateauLR'
    assert cfg.train_cfg.max_epochs == 50 and cfg.train_dataloader.batch_size == 2


@pytest.mark.parametrize(('modality', 'channels'), [('audio', 8), ('rgb', 3), ('thermal', 1), ('depth', 3)])
def test_efficientdet_of_each_modality_sees_that_alone(modality, channels):
    cfg = Config.fromfile(ROOT / f'mm_distillnet/efficientdet_d2_mavd_{modality}.py')
    assert cfg.model.backbone.in_channels == channels
    assert cfg.model.data_preprocessor.modality == modality
    assert modalities_of(cfg) == ((modality,), (modality,))


@pytest.mark.parametrize(
    ('name', 'changed'),
    [
        ('thermal', {'model', 'train_dataloader', 'train_pipeline'}),
        ('depth', {'model', 'train_dataloader', 'train_pipeline'}),
        ('rtd', {'model', 'train_dataloader', 'train_pipeline'}),
        ('no_avd', {'model', 'train_dataloader', 'train_pipeline'}),
        ('audio_visual', {'model', 'val_dataloader', 'test_dataloader', 'test_pipeline'}),
    ],
)
def test_variants_differ_from_the_main_config_in_what_their_name_says(name, changed):
    main = Config.fromfile(ROOT / 'avd/faster_rcnn_r50_fpn_mavd.py')
    variant = Config.fromfile(ROOT / f'avd/faster_rcnn_r50_fpn_mavd_{name}.py')
    assert {key for key in {*main, *variant} if main.get(key) != variant.get(key)} == changed


PSEUDO_LABELS = {'train_dataloader.dataset.ann_file': 'annotations/pseudo_train.json'}
# What the rows with options change: config and values
CHANGES = {
    'RGB, fused without weights': (
        'avd/faster_rcnn_r50_fpn_mavd.py',
        {'model.roi_head.fusion.use_weights': False},
    ),
    "RGB, AVD's weights 0.1": (
        'avd/faster_rcnn_r50_fpn_mavd.py',
        {f'model.roi_head.loss_avd.{name}_weight': 0.1 for name in ('gcl', 'avkd')},
    ),
    'the same, teachers only label': ('mm_distillnet/distillnet_r18_sim.py', {'model.distill_losses': None}),
    'labels from that file alone: no teacher, no image (the control of `_offline`)': (
        'avd/faster_rcnn_r18_sim_audio.py',
        PSEUDO_LABELS,
    ),
    'its control': ('avd/faster_rcnn_r18_sim_acoustic.py', PSEUDO_LABELS),
    **{
        label: (
            'mm_distillnet/distillnet_effdet_d2_mavd.py',
            {'model.distill_losses.mta.loss.multi_teacher': kind},
        )
        for label, kind in (
            ('Table 1, MM-DistillNet Avg', 'feature_mean'),
            ('Table 2, Avg. MTA loss', 'loss_mean'),
        )
    },
}


def test_rows_with_options_change_what_they_say():
    assert {label: (row.config, row.changes()) for label, row in CHANGED.items()} == CHANGES


def test_distillation_config_holds_the_papers_settings():
    cfg = Config.fromfile(ROOT / 'mm_distillnet/distillnet_effdet_d2_mavd.py')
    model, mta = cfg.model, cfg.model.distill_losses.mta
    assert (model.detection_weight, mta.weight, mta.loss.loss_weight) == (
        1.0,
        0.05,
        0.5,
    )  # delta, omega, beta
    assert (mta.loss.temperature, mta.loss.exponent, mta.loss.protocol) == (9.0, 2.0, 'paper')
    assert model.pseudo_labels == dict(score_thr=0.3, nms_iou=0.5, min_size=1.0)
    assert mta.levels == (0, 1, 2) and model.student.bbox_head.anchor_generator.strides[:3] == [8, 16, 32]
    assert not model.save_teachers and not cfg.train_dataloader.dataset.ann_file
    fpn = Config.fromfile(ROOT / 'avd/faster_rcnn_r50_fpn_mavd_mta.py').model
    strides = fpn.student.rpn_head.anchor_generator.strides
    assert [strides[level] for level in fpn.distill_losses.mta.levels] == [8, 16, 32]
    assert fpn.pseudo_labels is None and fpn.init_cfg.submodules == {'student.backbone': ''}


ROWS = dict(  # the tables of MM-DistillNet and Table 2 of AVD: student, teachers, loss, multi_teacher
    distillnet_effdet_d2_mavd=('audio', 'rgb thermal depth', 'MTALoss', None),
    distillnet_effdet_d2_mavd_offline=('audio', 'rgb thermal depth', 'MTALoss', None),
    distillnet_effdet_d2_mavd_pretext=('audio', 'rgb thermal depth', 'MTALoss', None),
    distillnet_effdet_d2_mavd_rgb=('audio', 'rgb', 'MTALoss', None),
    distillnet_effdet_d2_mavd_rd=('audio', 'rgb depth', 'MTALoss', None),
    distillnet_effdet_d2_mavd_rt=('audio', 'rgb thermal', 'MTALoss', None),
    distillnet_effdet_d2_mavd_dt=('audio', 'thermal depth', 'MTALoss', None),
    distillnet_effdet_d2_mavd_depth=('audio', 'depth', 'MTALoss', None),
    distillnet_effdet_d2_mavd_thermal=('audio', 'thermal', 'MTALoss', None),
    distillnet_effdet_d2_mavd_depth_student=('depth', 'rgb', 'MTALoss', None),
    distillnet_effdet_d2_mavd_thermal_student=('thermal', 'rgb', 'MTALoss', None),
    distillnet_effdet_d2_mavd_rgb_ranking=('audio', 'rgb', 'RankingLoss', None),
    distillnet_effdet_d2_mavd_rgb_pairwise=('audio', 'rgb', 'PairwiseSimilarityLoss', None),
    distillnet_effdet_d2_mavd_rgb_afd=('audio', 'rgb', 'AFDLoss', None),
    distillnet_effdet_d2_mavd_avg_ranking=('audio', 'rgb thermal depth', 'RankingLoss', 'loss_mean'),
    distillnet_effdet_d2_mavd_avg_afd=('audio', 'rgb thermal depth', 'AFDLoss', 'loss_mean'),
    faster_rcnn_r50_fpn_mavd_mta=('audio', 'rgb', 'MTALoss', None),
    faster_rcnn_r50_fpn_mavd_mta_thermal=('audio', 'thermal', 'MTALoss', None),
    faster_rcnn_r50_fpn_mavd_mta_depth=('audio', 'depth', 'MTALoss', None),
    faster_rcnn_r50_fpn_mavd_mta_rtd=('audio', 'rgb thermal depth', 'MTALoss', None),
    **{  # rows with options
        'Table 1, MM-DistillNet Avg': ('audio', 'rgb thermal depth', 'MTALoss', 'feature_mean'),
        'Table 2, Avg. MTA loss': ('audio', 'rgb thermal depth', 'MTALoss', 'loss_mean'),
    },
)


@pytest.mark.parametrize('name', ROWS)
def test_each_row_of_the_papers_tables_has_its_config(name):
    student, teachers, loss, multi_teacher = ROWS[name]
    folder = 'avd' if name.startswith('faster_rcnn') else 'mm_distillnet'
    cfg = CHANGED.get(name, ConfigRow(f'{folder}/{name}.py')).load()
    model = cfg.model
    assert (model.student_modality, set(model.teachers)) == (student, set(teachers.split()))
    ((_, distillation),) = model.distill_losses.items()
    assert distillation.loss.type == loss and distillation.weight == 0.05
    assert distillation.loss.get('multi_teacher') == multi_teacher
    assert distillation.loss.get('num_teachers', len(model.teachers)) == len(model.teachers)
    # training loads what student and teachers read and no more, tests what the student reads
    trained_on, tested_on = modalities_of(cfg)
    assert set(trained_on) == {student, *model.teachers} and tested_on == (student,)
    load_boxes = any(step.type == 'LoadAnnotations' for step in cfg.train_pipeline)
    assert load_boxes == (model.pseudo_labels is None) == bool(cfg.train_dataloader.dataset.ann_file)


@pytest.mark.parametrize(
    ('distiller', 'teacher'),
    [
        ('mm_distillnet/distillnet_r18_sim', 'avd/faster_rcnn_r18_sim_{}'),
        ('mm_distillnet/distillnet_effdet_d2_mavd', 'mm_distillnet/efficientdet_d2_mavd_{}'),
        ('avd/faster_rcnn_r50_fpn_mavd_mta_rtd', 'avd/faster_rcnn_r50_fpn_mavd_visual_{}'),
    ],
)
def test_teachers_within_a_distiller_are_those_of_their_own_configs(distiller, teacher):
    model = Config.fromfile(ROOT / f'{distiller}.py').model
    for modality in ('rgb', 'thermal', 'depth'):
        own = Config.fromfile(ROOT / f'{teacher.format(modality)}.py'.replace('visual_rgb', 'visual')).model
        within = model.teachers[modality].model
        same = {*own, *within} - {'data_preprocessor', 'init_cfg'}
        assert all(within[key] == own[key] for key in same) and 'backbone' in same
        assert own.data_preprocessor.modality == modality
        shared = dict(own.data_preprocessor, modality=None, modalities=model.data_preprocessor.modalities)
        assert shared == model.data_preprocessor
        assert own.data_preprocessor.modalities[modality] == model.data_preprocessor.modalities[modality]
