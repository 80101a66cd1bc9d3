"""The AVD detector: sound alone decides at test, everything is trained."""

import pytest
import torch
from mmdet.models.detectors import FasterRCNN
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from mmav.models.detectors import VISUAL_PREFIXES

CONFIG = 'avd/av_faster_rcnn_r18_sim.py'
KEEP_ALL = {'model.test_cfg.rcnn.score_thr': 0.0}


def predictions(detector, batch):
    results = detector.eval().test_step(batch)
    return [value for r in results for value in (r.pred_instances.bboxes, r.pred_instances.scores)]


def test_predictions_do_not_depend_on_what_is_seen(toy_config, build_detector, toy_batch):
    detector = build_detector(toy_config(CONFIG, KEEP_ALL))
    alone = predictions(detector, toy_batch(('audio',)))
    assert all(len(value) for value in alone)
    seen, other = toy_batch(), toy_batch()
    other['inputs']['rgb'] = [255 - image for image in other['inputs']['rgb']]
    for batch in (seen, other):
        assert all(torch.equal(a, b) for a, b in zip(predictions(detector, batch), alone))

    # nor on the visual branch's parameters, NaN included
    for name, parameter in detector.named_parameters():
        if name.startswith(VISUAL_PREFIXES):
            parameter.data.fill_(torch.nan)
    assert all(torch.equal(a, b) for a, b in zip(predictions(detector, toy_batch()), alone))


def test_visual_streams_do_not_run_at_test(toy_config, build_detector, toy_batch):
    detector = build_detector(toy_config(CONFIG)).eval()
    runs = []
    for module in (detector.visual_streams.rgb, detector.roi_head.visual_bbox_head, detector.roi_head.fusion):
        module.register_forward_hook(lambda module, *_: runs.append(type(module).__name__))
    detector.test_step(toy_batch())
    assert runs == []
    detector.loss(**call(detector, toy_batch()))
    assert runs == ['VisualStream', 'Shared2FCBBoxHead', 'ScoreWeightedFusion']


def call(detector, batch, training=True):
    data = detector.data_preprocessor(batch, training)
    return dict(batch_inputs=data['inputs'], batch_data_samples=data['data_samples'])


def test_rpn_reads_the_audio_pyramid(toy_config, build_detector, toy_batch):
    detector = build_detector(toy_config(CONFIG)).train()
    inputs = call(detector, toy_batch())
    torch.manual_seed(0)  # the sampler draws anchors
    first = detector.loss(**inputs)
    inputs['batch_inputs']['rgb'] = torch.zeros_like(inputs['batch_inputs']['rgb'])
    torch.manual_seed(0)
    second = detector.loss(**inputs)
    for name in ('loss_rpn_cls', 'loss_rpn_bbox'):
        assert torch.equal(torch.stack(first[name]), torch.stack(second[name]))
    assert not torch.equal(first['loss_cls_v'], second['loss_cls_v'])


def test_audio_path_has_the_names_of_mmdets_detector(toy_config, build_detector):
    ours = build_detector(toy_config(CONFIG)).state_dict()
    stock = build_detector(toy_config('avd/faster_rcnn_r18_sim_audio.py'))
    assert type(stock) is FasterRCNN
    audio_path = {name: value for name, value in ours.items() if not name.startswith(VISUAL_PREFIXES)}
    stock.load_state_dict(audio_path, strict=True)
    streams = {name.split('.')[2] for name in ours if name.startswith('visual_streams.rgb.')}
    assert streams == {'backbone', 'neck'}


@pytest.mark.parametrize('num_boxes', [(0, 0), (0, 3)])
def test_training_step_with_empty_images(toy_config, build_detector, toy_batch, num_boxes):
    detector = build_detector(toy_config(CONFIG)).train()
    loss, _ = detector.parse_losses(detector.loss(**call(detector, toy_batch(num_boxes=num_boxes))))
    loss.backward()
    assert loss.isfinite()
    assert all(
        parameter.grad is not None and parameter.grad.isfinite().all() for parameter in detector.parameters()
    )


def test_three_modalities_and_three_classes(toy_config, build_detector, toy_batch):
    cfg = toy_config(
        'avd/faster_rcnn_r50_fpn_mavd_rtd.py', {'model.roi_head.bbox_head.num_classes': 3, **KEEP_ALL}
    )
    detector = build_detector(cfg).train()
    batch = toy_batch(('audio', 'rgb', 'thermal', 'depth'), num_boxes=(3, 2), num_classes=3)
    losses = detector.loss(**call(detector, batch))
    loss, _ = detector.parse_losses(losses)
    loss.backward()
    assert all(parameter.grad is not None for parameter in detector.parameters())
    result = detector.eval().test_step(toy_batch(('audio',)))[0]
    assert set(result.pred_instances.labels.tolist()) <= {0, 1, 2}


def test_both_modalities_at_test(toy_config, build_detector, toy_batch):
    options = {'model.test_modalities': 'audio_visual', **KEEP_ALL}
    detector = build_detector(toy_config(CONFIG, options))
    both = predictions(detector, toy_batch())
    dark = toy_batch()
    dark['inputs']['rgb'] = [torch.zeros_like(image) for image in dark['inputs']['rgb']]
    assert not all(torch.equal(a, b) for a, b in zip(both, predictions(detector, dark)))
    with pytest.raises(KeyError, match='rgb'):
        predictions(detector, toy_batch(('audio',)))


@pytest.mark.parametrize('test_modalities', ['audio', 'audio_visual'])
def test_tensor_mode(toy_config, build_detector, toy_batch, test_modalities):
    detector = build_detector(toy_config(CONFIG, {'model.test_modalities': test_modalities})).eval()
    data = detector.data_preprocessor(toy_batch())
    with torch.no_grad():
        ((cls_score, bbox_pred),) = detector(**data, mode='tensor')
        assert cls_score.shape[1:] == (2,) and bbox_pred.shape[1:] == (4,)
        if test_modalities == 'audio':  # the bare tensor will do
            ((again, _),) = detector(data['inputs']['audio'], data['data_samples'], mode='tensor')
            assert torch.equal(again, cls_score)


def test_missing_inputs_are_named(toy_config, build_detector, toy_batch):
    detector = build_detector(toy_config(CONFIG))
    inputs = call(detector, toy_batch(('audio',)))
    with pytest.raises(KeyError, match='rgb'):
        detector.loss(**inputs)
    with pytest.raises(KeyError, match='audio'):
        detector.predict(dict(rgb=torch.zeros(1, 3, 64, 64)), inputs['batch_data_samples'][:1])


@pytest.mark.parametrize(
    ('change', 'message'),
    [(dict(visual_streams={}), 'visual_streams'), (dict(test_modalities='rgb'), 'test_modalities')],
)
def test_refuses_bad_options(toy_config, change, message):
    init_default_scope('mmdet')
    with pytest.raises(ValueError, match=message):
        MODELS.build({**toy_config(CONFIG).model, **change})


def test_building_does_not_change_the_config(toy_config, build_detector):
    cfg = toy_config(CONFIG)
    before = cfg.to_dict()
    build_detector(cfg)
    assert cfg.to_dict() == before
