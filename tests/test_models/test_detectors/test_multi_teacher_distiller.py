"""The distiller: what the student learns from, what the teachers do, what prediction reads."""

import json

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import nn

CONFIG = 'mm_distillnet/distillnet_r18_sim.py'
KEEP_ALL = {'model.student.test_cfg.rcnn.score_thr': 0.0}
ALL = ('audio', 'rgb', 'thermal', 'depth')


@MODELS.register_module()
class RecordingLoss(nn.Module):
    """Keeps what it is given; the sum of the student's features."""

    def forward(self, student_feats, teacher_feats):
        self.student, self.teachers = student_feats, teacher_feats
        return sum(feat.sum() for feat in student_feats)


@pytest.fixture
def toy_distiller(toy_config, build_detector):
    def build(options: dict | None = None, name: str = CONFIG, seed: int = 0) -> nn.Module:
        return build_detector(toy_config(name, options), seed)

    return build


def call(detector, batch, training=True):
    data = detector.data_preprocessor(batch, training)
    return dict(batch_inputs=data['inputs'], batch_data_samples=data['data_samples'])


def predictions(detector, batch):
    results = detector.eval().test_step(batch)
    return [value for r in results for value in (r.pred_instances.bboxes, r.pred_instances.scores)]


# teachers


@pytest.mark.parametrize('paramwise', [None, dict(norm_decay_mult=0.0)])
def test_no_optimizer_and_no_training_mode_reaches_the_teachers(toy_distiller, toy_batch, paramwise):
    distiller = toy_distiller().train()
    wrapper = build_optim_wrapper(
        distiller, dict(optimizer=dict(type='SGD', lr=0.1, weight_decay=0.1), paramwise_cfg=paramwise)
    )
    held = {id(parameter) for group in wrapper.optimizer.param_groups for parameter in group['params']}
    assert held == {id(parameter) for parameter in distiller.student.parameters()}
    assert not any(module.training for module in distiller.teachers.modules())
    before = {name: value.clone() for name, value in distiller.teachers.state_dict().items()}
    student = distiller.student.backbone.conv1.weight.clone()

    distiller.train_step(toy_batch(ALL), wrapper)

    assert not torch.equal(distiller.student.backbone.conv1.weight, student)
    # batch statistics included
    assert all(torch.equal(value, before[name]) for name, value in distiller.teachers.state_dict().items())
    assert all(not p.requires_grad and p.grad is None for p in distiller.teachers.parameters())
    distiller.teachers.train()
    assert not any(module.training for module in distiller.teachers.modules())


@pytest.mark.parametrize(('labeling', 'heads'), [('teachers', 1), ('data', 0)])
def test_each_teacher_runs_once_a_batch(toy_distiller, toy_batch, labeling, heads):
    name = CONFIG if labeling == 'teachers' else 'mm_distillnet/distillnet_r18_sim_offline.py'
    distiller = toy_distiller(name=name).train()
    runs = []
    for modality, teacher in distiller.teachers.items():
        for part in ('backbone', 'neck', 'rpn_head', 'roi_head.bbox_head'):
            teacher.get_submodule(part).register_forward_hook(
                lambda *_, key=(modality, part): runs.append((*key, torch.is_grad_enabled()))
            )
    distiller.loss(**call(distiller, toy_batch(ALL)))
    parts = ['backbone', 'neck'] + ['rpn_head', 'roi_head.bbox_head'] * heads
    assert runs == [(m, part, False) for m in ('rgb', 'thermal', 'depth') for part in parts]


def test_teachers_follow_to_other_devices_and_types(toy_distiller):
    distiller = toy_distiller().double()
    assert {p.dtype for p in distiller.teachers.parameters()} == {torch.float64}
    assert {p.device.type for p in distiller.to('meta').teachers.parameters()} == {'meta'}


# losses


def recording(**options):
    loss = dict(loss=dict(type='RecordingLoss'), levels=(0, 2), **options)
    return {'model.distill_losses': dict(_delete_=True, seen=loss), 'model.pseudo_labels': None}


@pytest.mark.parametrize('tap', ['neck', 'backbone'])
def test_loss_is_given_the_tapped_features(toy_distiller, toy_batch, tap):
    distiller = toy_distiller(recording(student_tap=tap, teacher_tap=tap, weight=0.5)).train()
    inputs = call(distiller, toy_batch(ALL))
    losses = distiller.loss(**inputs)
    seen = distiller.distill_losses.seen

    images = inputs['batch_inputs']
    for given, (modality, teacher) in zip(seen.teachers, distiller.teachers.items(), strict=True):
        levels = teacher.backbone(images[modality])
        levels = teacher.neck(levels) if tap == 'neck' else levels
        assert all(torch.equal(a, levels[i]) for a, i in zip(given, (0, 2), strict=True))
        assert not any(feat.requires_grad for feat in given)
    levels = distiller.student.backbone(images['audio'])
    levels = distiller.student.neck(levels) if tap == 'neck' else levels
    assert all(torch.equal(a, levels[i]) for a, i in zip(seen.student, (0, 2), strict=True))
    assert all(feat.requires_grad for feat in seen.student)
    torch.testing.assert_close(losses['loss_seen'], 0.5 * (levels[0].sum() + levels[2].sum()))


def test_levels_and_taps_by_modality(toy_distiller, toy_batch):
    other = dict(
        teacher_tap=dict(rgb='neck', thermal='backbone', depth='neck.fpn_convs.1'),
        teacher_levels=dict(rgb=(2, 3), thermal=(0, 0), depth=(0, 0)),
    )
    distiller = toy_distiller(recording(**other)).train()
    distiller.loss(**call(distiller, toy_batch(ALL)))
    widths = [[feat.shape[-1] for feat in feats] for feats in distiller.distill_losses.seen.teachers]
    assert widths == [[2, 1], [8, 8], [4, 4]]  # of 64 pixels, strides from 8


def test_losses_are_the_students_own_and_the_weighted_distillation(toy_distiller, toy_batch):
    distiller = toy_distiller({'model.pseudo_labels': None, 'model.detection_weight': 3.0}).train()
    inputs = call(distiller, toy_batch(ALL))
    torch.manual_seed(0)  # samplers draw
    losses = distiller.loss(**inputs)
    torch.manual_seed(0)
    own = distiller.student.loss(inputs['batch_inputs']['audio'], inputs['batch_data_samples'])
    assert set(losses) == {*own, 'loss_mta'}
    for name, value in own.items():
        factor = 3.0 if 'loss' in name else 1.0
        for ours, theirs in zip(*(v if isinstance(v, list) else [v] for v in (losses[name], value))):
            torch.testing.assert_close(ours, factor * theirs)
    # omega does not touch the other terms, and a weight of 0 leaves them alone
    distiller.alignments = {
        name: type(a)(**{**vars(a), 'weight': 0.0}) for name, a in distiller.alignments.items()
    }
    assert distiller.loss(**inputs)['loss_mta'] == 0 < losses['loss_mta']


def test_the_mta_loss_alone_brings_the_attention_maps_together(toy_distiller, toy_batch):
    distiller = toy_distiller({'model.pseudo_labels': None, 'model.detection_weight': 0.0}).train()
    optimizer = torch.optim.Adam(distiller.parameters(), lr=3e-3)
    inputs = call(distiller, toy_batch(ALL))
    values = []
    for _ in range(15):
        loss = distiller.loss(**inputs)['loss_mta']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.7 * values[0]


# labels


def test_pseudo_labels_worked_by_hand(toy_distiller):
    distiller = toy_distiller({'model.pseudo_labels': dict(score_thr=0.5)})
    sample = DetDataSample(
        metainfo=dict(img_shape=(32, 64), ori_shape=(100, 200), scale_factor=(0.32, 0.32), flip=True)
    )
    sample.gt_instances = InstanceData(bboxes=torch.ones(1, 4), labels=torch.zeros(1))

    def boxes(*rows):
        table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
        return [InstanceData(bboxes=table[:, :4], scores=table[:, 4], labels=table[:, 5].long())]

    found = dict(
        rgb=boxes((0, 0, 50, 50, 0.9, 0), (100, 0, 150, 50, 0.4, 0)),
        thermal=boxes((0, 0, 50, 40, 0.8, 0), (150, 50, 200, 100, 0.6, 0)),  # the first overlaps by 0.8
        depth=boxes(),
    )
    (labeled,) = distiller.label(found, [sample])
    expected = torch.tensor([[0.0, 0.0, 16.0, 16.0], [48.0, 16.0, 64.0, 32.0]])
    torch.testing.assert_close(labeled.gt_instances.bboxes, expected)
    assert labeled.gt_instances.labels.tolist() == [0, 0]
    assert labeled.metainfo == sample.metainfo
    assert len(sample.gt_instances) == 1  # what was there stays as it was


def test_labels_of_the_data_set_are_not_read_when_teachers_label(toy_distiller, toy_batch):
    distiller = toy_distiller().train()
    labeled, bare = toy_batch(ALL), toy_batch(ALL)
    for sample in bare['data_samples']:
        del sample.gt_instances
    values = []
    for batch in (labeled, bare):
        inputs = call(distiller, batch)
        torch.manual_seed(0)
        losses = distiller.loss(**inputs)
        values.append(distiller.parse_losses(losses)[0])
    assert losses['pseudo_labels_per_frame'] > 0
    assert torch.equal(*values)


def test_a_batch_in_which_no_teacher_sees_anything(toy_distiller, toy_batch):
    distiller = toy_distiller({'model.pseudo_labels': dict(score_thr=1.0)}).train()
    losses = distiller.loss(**call(distiller, toy_batch(ALL)))
    loss, _ = distiller.parse_losses(losses)
    loss.backward()
    assert losses['pseudo_labels_per_frame'] == 0 and loss.isfinite()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in distiller.parameters())


def test_teachers_with_other_classes(toy_distiller, toy_batch):
    options = {
        'model.teachers.rgb.model.roi_head.bbox_head.num_classes': 3,
        'model.teachers.rgb.classes': ('person', 'car', 'truck'),
        'model.teachers.rgb.class_map': dict(car='vehicle', truck='vehicle'),
        'model.pseudo_labels.classes': ('vehicle',),
        'model.teachers.rgb.model.test_cfg.rcnn': dict(score_thr=0.0, max_per_img=500),  # every class
    }
    distiller = toy_distiller(options).train()
    inputs = call(distiller, toy_batch(ALL))
    _, mapped = distiller.teachers(inputs['batch_inputs'], inputs['batch_data_samples'], {}, predict=True)
    distiller.teachers.classes['rgb'] = None
    _, raw = distiller.teachers(inputs['batch_inputs'], inputs['batch_data_samples'], {}, predict=True)
    for ours, theirs in zip(mapped['rgb'], raw['rgb']):
        assert set(theirs.labels.tolist()) == {0, 1, 2}
        assert set(ours.labels.tolist()) == {0} and len(ours) == (theirs.labels > 0).sum()


# students and teachers of other kinds


def retina_net(cfg: Config) -> ConfigDict:
    """A RetinaNet with backbone and neck of the config's student."""
    return ConfigDict(
        type='RetinaNet',
        backbone=cfg.model.student.backbone,
        neck=cfg.model.student.neck,
        bbox_head=dict(
            type='RetinaHead',
            num_classes=1,
            in_channels=16,
            feat_channels=16,
            stacked_convs=1,
            anchor_generator=dict(
                type='AnchorGenerator',
                octave_base_scale=2,
                scales_per_octave=1,
                ratios=[1.0],
                strides=[8, 16, 32, 64],
            ),
            bbox_coder=dict(type='DeltaXYWHBBoxCoder'),
            loss_cls=dict(type='FocalLoss', use_sigmoid=True),
            loss_bbox=dict(type='L1Loss'),
        ),
        train_cfg=dict(
            assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0),
            sampler=dict(type='PseudoSampler'),
            allowed_border=-1,
            pos_weight=-1,
            debug=False,
        ),
        test_cfg=dict(
            nms_pre=100,
            min_bbox_size=0,
            score_thr=0.0,
            nms=dict(type='nms', iou_threshold=0.5),
            max_per_img=20,
        ),
    )


def seeing(model: ConfigDict, channels: int) -> ConfigDict:
    model = ConfigDict(json.loads(json.dumps(model.to_dict())))
    model.backbone.in_channels = channels
    return model


@pytest.mark.parametrize('student', ['faster_rcnn', 'retina_net', 'efficientdet'])
def test_any_detector_is_student_and_teacher(student, toy_config, build_detector, toy_batch):
    cfg = toy_config(CONFIG, {'model.pseudo_labels.score_thr': 0.005})
    effdet = toy_config('mm_distillnet/efficientdet_d2_mavd_audio.py').model
    effdet.pop('init_cfg', None)
    effdet.pop('data_preprocessor')
    kinds = dict(faster_rcnn=cfg.model.student, retina_net=retina_net(cfg), efficientdet=effdet)
    cfg.model.student = kinds[student]
    for (modality, channels), kind in zip((('rgb', 3), ('thermal', 1), ('depth', 3)), kinds):
        cfg.model.teachers[modality].model = seeing(kinds[kind], channels)
    cfg.model.data_preprocessor.pad_size_divisor = 128
    distiller = build_detector(cfg).train()

    loss, logs = distiller.parse_losses(distiller.loss(**call(distiller, toy_batch(ALL))))
    loss.backward()

    assert loss.isfinite() and logs['loss_mta'] > 0 and logs['pseudo_labels_per_frame'] > 0
    assert all(p.grad is not None for p in distiller.parameters())
    assert len(distiller.eval().test_step(toy_batch(('audio',)))) == 2


def test_a_student_that_sees(toy_distiller, toy_batch):
    distiller = toy_distiller(name='mm_distillnet/distillnet_effdet_d2_mavd_depth_student.py').train()
    assert set(distiller.loss(**call(distiller, toy_batch(('rgb', 'depth'))))) >= {'loss_cls', 'loss_mta'}
    assert len(distiller.eval().test_step(toy_batch(('depth',)))) == 2
    with pytest.raises(KeyError, match='depth'):
        distiller.test_step(toy_batch(('audio',)))


# training elsewhere


@pytest.mark.parametrize(
    ('variant', 'precision'), [('_offline', torch.bfloat16), ('', torch.float32)], ids=['offline', 'online']
)
def test_step_under_autocast(toy_distiller, toy_batch, variant, precision):
    # a student of one stage: mmcv's NMS, which trains two stages, takes no half precision on a CPU
    distiller = toy_distiller(name=f'mm_distillnet/distillnet_effdet_d2_mavd{variant}.py').train()
    inputs = call(distiller, toy_batch(ALL))
    types = dict(student=set(), teacher=set())
    for name, part in (('student', distiller.student), ('teacher', distiller.teachers['rgb'])):
        part.neck.register_forward_hook(lambda *a, name=name: types[name].add(a[2][0].dtype))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = distiller.loss(**inputs)
    assert types == dict(student={torch.bfloat16}, teacher={precision})
    loss, _ = distiller.parse_losses(losses)
    loss.backward()
    assert loss.isfinite() and losses['loss_mta'] > 0
    assert all(p.grad is not None and p.grad.isfinite().all() for p in distiller.parameters())


def test_distributed_training_waits_for_no_parameter(toy_distiller, toy_batch, tmp_path):
    name = 'mm_distillnet/distillnet_effdet_d2_mavd_avg_afd.py'  # a loss with parameters
    distiller = toy_distiller(name=name).train()
    torch.distributed.init_process_group('gloo', f'file://{tmp_path}/store', rank=0, world_size=1)
    try:
        wrapped = MMDistributedDataParallel(distiller)
        wrapper = OptimWrapper(torch.optim.SGD(distiller.parameters(), lr=1e-4))
        for seed in range(2):  # a parameter without gradient is an error in the step after
            logs = wrapped.train_step(toy_batch(ALL, seed=seed), wrapper)
    finally:
        torch.distributed.destroy_process_group()
    assert logs['loss'].isfinite()
    assert any(name.startswith('distill_losses.afd.') for name, _ in distiller.named_parameters())


# prediction


def test_predictions_depend_on_sound_alone(toy_distiller, toy_batch):
    distiller = toy_distiller(KEEP_ALL)
    alone = predictions(distiller, toy_batch(('audio',)))
    assert all(len(value) for value in alone)
    seen, other = toy_batch(ALL), toy_batch(ALL)
    for name in ALL[1:]:
        other['inputs'][name] = [255 - image for image in other['inputs'][name]]
    for batch in (seen, other):
        assert all(torch.equal(a, b) for a, b in zip(predictions(distiller, batch), alone))
    # nor on the teachers
    for parameter in distiller.teachers.parameters():
        parameter.fill_(torch.nan)
    assert all(torch.equal(a, b) for a, b in zip(predictions(distiller, toy_batch(ALL)), alone))
    # the bare tensor will do
    data = distiller.data_preprocessor(toy_batch(('audio',)))
    with torch.no_grad():
        results = distiller(data['inputs']['audio'], data['data_samples'], mode='predict')
        raw = distiller(**distiller.data_preprocessor(toy_batch(('audio',))), mode='tensor')
    assert torch.equal(results[0].pred_instances.bboxes, alone[0])
    assert len(raw) > 0


# what is refused


def test_missing_inputs_are_named(toy_distiller, toy_batch):
    distiller = toy_distiller()
    with pytest.raises(KeyError, match='thermal'):
        distiller.loss(**call(distiller, toy_batch(('audio', 'rgb', 'depth'))))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'model.pseudo_labels': None, 'model.distill_losses': None}, 'no work'),
        ({'model.teachers': dict(_delete_=True)}, 'no teacher'),
        ({'model.data_preprocessor.modality': 'audio'}, 'modality=None'),
        ({'model.distill_losses.mta.student_tap': 'nek'}, "student has no submodule 'nek'"),
        ({'model.distill_losses.mta.teacher_tap': dict(_delete_=True, rgb='neck')}, 'thermal'),
        ({'model.distill_losses.mta.teacher_levels': (0, 1)}, 'positions'),
        ({'model.distill_losses.mta.level': (0, 1)}, "'level'"),
        ({'model.teachers.rgb.weights': 'x.pth'}, 'weights'),
        ({'model.teachers.rgb.config': 'x.py'}, 'either'),
        ({'model.teachers.rgb.model.roi_head.bbox_head.num_classes': 3}, r'teachers.rgb tells \[3\] classes'),
        ({'model.teachers.rgb.classes': ('car',)}, 'pseudo_labels.classes'),
        ({'model.teachers.rgb.classes': ('car',), 'model.pseudo_labels.classes': ('vehicle',)}, 'class_map'),
    ],
)
def test_refuses_bad_options(toy_config, options, message):
    init_default_scope('mmdet')
    with pytest.raises(ValueError, match=message):
        MODELS.build(toy_config(CONFIG, options).model)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        ({'model.distill_losses.mta.levels': (0, 1, 7)}, 'has 4 levels'),
        ({'model.distill_losses.mta.student_tap': 'roi_head.bbox_head.loss_bbox.nothing'}, 'no submodule'),
        ({'model.pseudo_labels': None, 'model.distill_losses.mta.teacher_tap': 'rpn_head'}, 'did not run'),
    ],
)
def test_taps_that_give_nothing_are_named(toy_config, build_detector, toy_batch, options, message):
    with pytest.raises(ValueError, match=message):
        distiller = build_detector(toy_config(CONFIG, options))
        distiller.loss(**call(distiller, toy_batch(ALL)))


def test_building_does_not_change_the_config(toy_config, build_detector):
    cfg = toy_config(CONFIG)
    before = cfg.to_dict()
    build_detector(cfg)
    assert cfg.to_dict() == before
