"""What surrounds the networks on a device: data preprocessors and mmcv's operators, beside the CPU."""

import pytest
import torch
from mmcv.ops import RoIAlign, batched_nms, nms, sigmoid_focal_loss
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.registry import init_default_scope
from on_device import assert_near, tensors_of
from rigs import make_rig

pytestmark = pytest.mark.gpu

IMAGES = dict(
    rgb=dict(mean=[123.7, 116.3, 103.5], std=[58.4, 57.1, 57.4], bgr_to_rgb=True), thermal=dict(std=255.0)
)
PREPROCESSORS = {
    'log-mel': dict(type='AudioVisualDataPreprocessor', log_mel={}, audio_size=(96, 96), modalities=IMAGES),
    'acoustic image': dict(
        type='AudioVisualDataPreprocessor',
        acoustic_image=dict(rig=make_rig().to_dict(), grid=(6, 12)),
        audio_size=(96, 96),
        modalities=IMAGES,
    ),
    'both, masked': dict(
        type='AudioVisualDataPreprocessor',
        log_mel=dict(phase_channels=True),
        acoustic_image=dict(rig=make_rig().to_dict(), grid=(6, 12)),
        spec_augment={},
        audio_size=(96, 96),
        pad_size_divisor=64,
        modalities=IMAGES,
    ),
    'sound localization': dict(type='SoundLocalizationDataPreprocessor'),
    'segments': dict(type='SegmentDataPreprocessor'),
}


def raw_batch(name: str) -> dict:
    """Two samples as a loader collates them."""
    generator = torch.Generator().manual_seed(0)

    def integers(low: int, high: int, *shape: int, dtype: torch.dtype) -> list[torch.Tensor]:
        return [torch.randint(low, high, shape, generator=generator, dtype=dtype) for _ in range(2)]

    if name == 'segments':
        inputs = dict(audio=[torch.rand(4, 8, generator=generator) for _ in range(2)])
    elif name == 'sound localization':
        inputs = dict(
            audio=[torch.rand(22050, generator=generator) - 0.5 for _ in range(2)],
            image=integers(0, 256, 3, 32, 32, dtype=torch.uint8),
        )
    else:
        inputs = dict(
            audio=integers(-9000, 9000, 8, 44100, dtype=torch.int16),
            rgb=integers(0, 256, 3, 96, 96, dtype=torch.uint8),
            thermal=integers(0, 256, 1, 96, 96, dtype=torch.uint8),
        )
    samples = [DetDataSample(metainfo=dict(img_shape=(96, 96))) for _ in range(2)]
    return dict(inputs=inputs, data_samples=samples)


@pytest.mark.parametrize('amp', [None, torch.bfloat16, torch.float16], ids=['fp32', 'bf16', 'fp16'])
@pytest.mark.parametrize('name', PREPROCESSORS)
def test_preprocessor_makes_the_same_inputs(name, amp, device):
    init_default_scope('mmdet')
    results = []
    for where in (device, 'cpu'):
        preprocessor = MODELS.build({**PREPROCESSORS[name]}).to(where)
        torch.manual_seed(3)  # of the masks
        with torch.autocast(where, dtype=amp, enabled=amp is not None and where == device):
            inputs = preprocessor(raw_batch(name), True)['inputs']
        assert all(value.device.type == where for value in tensors_of(inputs))
        results.append([value.cpu() for value in tensors_of(inputs)])
    # sound stays in single precision under autocast
    assert_near(*results, 1e-4 if amp is None or name != 'both, masked' else 1e-3, 'input')


def boxes(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    corners = torch.rand(count, 2, generator=generator) * 60
    extents = 5 + torch.rand(count, 2, generator=generator) * 40
    classes = torch.randint(0, 3, (count,), generator=generator)
    return torch.cat((corners, corners + extents), 1), torch.rand(count, generator=generator), classes


def test_suppression_keeps_the_same_boxes(device):
    corners, scores, classes = boxes(300)
    on_device = [value.to(device) for value in (corners, scores, classes)]
    expected, kept = nms(corners, scores, 0.5)
    found, indices = nms(*on_device[:2], 0.5)
    assert indices.tolist() == kept.tolist() and torch.equal(found.cpu(), expected)
    for kind in ('nms', 'soft_nms'):
        options = dict(type=kind, iou_threshold=0.5)
        expected, kept = batched_nms(corners, scores, classes, options)
        found, indices = batched_nms(*on_device, options)
        assert indices.device.type == device and indices.tolist() == kept.tolist()
        torch.testing.assert_close(found.cpu(), expected)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16], ids=['fp32', 'fp16'])
def test_roi_align_and_its_gradient(dtype, device):
    generator = torch.Generator().manual_seed(2)
    features = torch.randn(2, 8, 24, 24, generator=generator)
    rois = torch.cat((torch.arange(40).view(-1, 1) % 2, boxes(40)[0]), 1)
    results = []
    for where, precision in ((device, dtype), ('cpu', torch.float32)):
        leaf = features.to(where, precision).requires_grad_()
        output = RoIAlign((7, 7), 0.25, 0)(leaf, rois.to(where, precision))
        output.square().sum().backward()
        results.append([value.detach().float().cpu() for value in (output, leaf.grad)])
    assert_near(*results, 1e-5 if dtype is torch.float32 else 0.02, 'value')


def test_focal_loss_and_its_gradient(device):
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(50, 3, generator=generator)
    labels = torch.randint(0, 4, (50,), generator=generator)
    results = []
    for where in (device, 'cpu'):
        leaf = logits.to(where).requires_grad_()
        loss = sigmoid_focal_loss(leaf, labels.to(where), 2.0, 0.25, None, 'mean')
        loss.backward()
        results.append([value.detach().cpu() for value in (loss, leaf.grad)])
    assert_near(*results, 1e-5, 'value')
