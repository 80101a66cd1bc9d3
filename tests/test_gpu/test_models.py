"""The methods' models on a device: losses, gradients and predictions beside the CPU's, and under AMP."""

from typing import Any

import pytest
import torch
from mmdet.registry import METRICS, MODELS
from mmengine.registry import init_default_scope
from on_device import assert_near, tensors_of

from mmav.structures import SegmentDataSample

pytestmark = pytest.mark.gpu

DETECTORS = {
    'avd/faster_rcnn_r50_fpn_mavd.py': ('audio', 'rgb'),
    'avd/faster_rcnn_r50_fpn_mavd_acoustic_avd.py': ('audio', 'rgb'),
    'avd/faster_rcnn_r50_fpn_mavd_mta.py': ('audio', 'rgb'),
    'mm_distillnet/efficientdet_d2_mavd_audio.py': ('audio',),
    'mm_distillnet/distillnet_effdet_d2_mavd.py': ('audio', 'rgb', 'thermal', 'depth'),
}
PRECISIONS = {'fp32': None, 'bf16': torch.bfloat16, 'fp16': torch.float16}
B, T, D = 3, 4, 8
ENCODER = dict(num_heads=2, num_layers=1, feedforward_channels=D)
SEGMENT_MODELS = {
    'DMIN': dict(
        type='DMIN',
        visual_channels=D,
        audio_channels=D,
        embed_dims=D,
        encoder=ENCODER,
        fusion_heads=2,
        agta=dict(embed_dims=4, squeeze_channels=4),
    ),
    'DMIN, weakly': dict(
        type='DMIN', supervision='weakly', visual_channels=D, audio_channels=D, embed_dims=D, encoder=ENCODER
    ),
    'DCMR': dict(type='DCMR', visual_channels=D, audio_channels=D, embed_dims=D, encoder=ENCODER),
    'HybridAttentionParser': dict(
        type='HybridAttentionParser',
        audio_channels=D,
        visual_channels=D,
        visual_st_channels=D,
        embed_dims=D,
        feedforward_channels=D,
    ),
    'AVGPretrainer': dict(
        type='AVGPretrainer',
        audio_channels=D,
        visual_channels=D,
        embed_dims=D,
        num_heads=2,
        num_layers=1,
        feedforward_channels=D,
        audio_threshold=0.5,
        visual_threshold=0.5,
    ),
}


def without_dropout(model: torch.nn.Module) -> torch.nn.Module:
    """Rates of 0: devices draw other numbers."""
    for part in model.modules():
        for name in ('dropout', 'p', 'drop_prob'):
            if isinstance(getattr(part, name, None), float):
                setattr(part, name, 0.0)
    return model


def train(model: torch.nn.Module, batch: dict, device: str, amp: torch.dtype | None) -> tuple[dict, list]:
    """Losses and gradients of a step, on the CPU."""
    model = without_dropout(model).to(device).train()
    with torch.autocast(device, dtype=amp, enabled=amp is not None):
        data = model.data_preprocessor(batch, True)
        torch.manual_seed(2)  # mmdet draws the samples' numbers on the CPU
        losses = model(**data, mode='loss')
        total, logs = model.parse_losses(losses)
    total.backward()
    gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
    assert all(value.isfinite().all() for value in logs.values()), logs
    assert gradients and not any(value.isnan().any() for value in gradients)
    return {key: float(value) for key, value in logs.items()}, [value.cpu() for value in gradients]


@pytest.mark.parametrize('precision', PRECISIONS)
@pytest.mark.parametrize('name', DETECTORS)
def test_detector_learns_and_detects(name, precision, device, toy_config, build_detector, toy_batch):
    amp = PRECISIONS[precision]

    def batch() -> dict:
        return toy_batch(DETECTORS[name])

    found, _ = train(build_detector(toy_config(name)), batch(), device, amp)
    expected, _ = train(build_detector(toy_config(name)), batch(), 'cpu', None)
    assert found.keys() == expected.keys()
    # a RoI that rounding moves across a threshold changes what is sampled
    tolerance = 0.02 if amp is None else 0.2
    assert abs(found['loss'] - expected['loss']) <= tolerance * abs(expected['loss'])
    for key in found.keys() & {'loss_rpn_cls', 'loss_rpn_bbox'}:
        assert abs(found[key] - expected[key]) <= (1e-3 if amp is None else 0.1) * abs(expected[key])

    model = build_detector(toy_config(name)).to(device).eval()
    with torch.autocast(device, dtype=amp, enabled=amp is not None):
        results = model.test_step(batch())
    assert all(result.pred_instances.bboxes.isfinite().all() for result in results)


@pytest.mark.parametrize('precision', PRECISIONS)
@pytest.mark.parametrize('name', SEGMENT_MODELS)
def test_segment_model_learns_and_predicts(name, precision, device):
    amp = PRECISIONS[precision]

    def build() -> torch.nn.Module:
        init_default_scope('mmdet')
        torch.manual_seed(0)
        return MODELS.build({**SEGMENT_MODELS[name]})

    found, gradients = train(build(), segment_batch(name), device, amp)
    expected, expected_gradients = train(build(), segment_batch(name), 'cpu', None)
    assert found == pytest.approx(expected, rel=1e-4 if amp is None else 0.1, abs=1e-5)
    if amp is None:
        assert_near(gradients, expected_gradients, 5e-3, 'gradient')

    model = build().to(device).eval()
    with torch.autocast(device, dtype=amp, enabled=amp is not None), torch.no_grad():
        if name == 'AVGPretrainer':
            data = model.data_preprocessor(segment_batch(name))
            outputs = list(tensors_of(model(data['inputs'], mode='tensor')))
        else:
            results = model.test_step(segment_batch(name))
            outputs = [value for result in results for value in tensors_of(dict(result.items()))]
    assert outputs and not any(value.isnan().any() for value in outputs)


def segment_batch(name: str) -> dict:
    """Features of videos with an event each, as a loader collates them."""
    generator = torch.Generator().manual_seed(0)
    shapes = dict(audio=(T, D), visual=(T, 2, 2, D) if name.startswith('DMIN') else (T, D))
    if name == 'HybridAttentionParser':
        shapes['visual_st'] = (T, D)
    inputs = {
        key: [torch.rand(shape, generator=generator) for _ in range(B)] for key, shape in shapes.items()
    }
    samples = []
    for index in range(B):
        sample = SegmentDataSample(metainfo=dict(video_id=str(index), num_segments=T))
        relevant = torch.zeros(T)
        relevant[index : index + 2] = 1
        if name == 'DCMR':
            inputs.setdefault('query_mask', []).append(relevant)
            sample.gt_segments = relevant[:, None]
        elif name.startswith('DMIN'):
            sample.gt_segments = torch.zeros(T, 29)
            sample.gt_segments[:, index], sample.gt_segments[:, 28] = relevant, 1 - relevant
            sample.gt_events = sample.gt_segments.amax(0)
        else:
            sample.gt_events = (torch.rand(25, generator=generator) > 0.7).float()
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def test_metrics_take_results_of_the_device(device, toy_config, build_detector, toy_batch):
    model = build_detector(toy_config('avd/faster_rcnn_r50_fpn_mavd.py')).to(device).eval()
    batch = toy_batch(('audio',))
    for number, sample in enumerate(batch['data_samples']):
        sample.set_metainfo(dict(img_id=number))
    with torch.no_grad():
        results = model.test_step(batch)

    def evaluate(where: str) -> dict[str, Any]:
        samples = []
        for sample in results:
            content = sample.to(where).to_dict()
            truth = content['gt_instances']
            content['instances'] = [
                dict(bbox=box.tolist(), bbox_label=int(label), ignore_flag=0)
                for box, label in zip(truth['bboxes'], truth['labels'])
            ]
            samples.append(content)
        figures = {}
        for kind in ('MAVDMetric', 'CenterDistanceMetric'):
            metric = METRICS.build(dict(type=kind))
            metric.dataset_meta = dict(classes=('vehicle',))
            metric.process({}, samples)
            figures |= metric.evaluate(size=len(samples))
        return figures

    found, expected = evaluate(device), evaluate('cpu')
    assert found == expected and 'mavd/CDx' in found
