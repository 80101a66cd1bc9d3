import numpy as np
import pytest
import torch
from mmdet.models.test_time_augs import DetTTAModel
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.config import ConfigDict
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData

from mmav.datasets import OCTAGON_POSITIONS
from mmav.datasets.transforms import MirrorFlip


class StubDetector(torch.nn.Module):
    def test_step(self, data):
        raise NotImplementedError


@pytest.fixture
def results():
    rng = np.random.default_rng(0)
    return dict(
        img_shape=(50, 100),
        rgb=rng.integers(0, 256, (50, 100, 3), dtype=np.uint8),
        thermal=rng.integers(0, 256, (50, 100, 1), dtype=np.uint8),
        visual_modalities=('rgb', 'thermal'),
        gt_bboxes=HorizontalBoxes(torch.tensor([[20.0, 10.0, 60.0, 30.0]])),
        audio=rng.integers(-99, 99, (8, 10)).astype(np.int16),
        microphone_positions=OCTAGON_POSITIONS,
    )


def test_everything_is_mirrored(results):
    out = MirrorFlip(1.0)(dict(results))
    np.testing.assert_array_equal(out['rgb'], results['rgb'][:, ::-1])
    np.testing.assert_array_equal(out['thermal'], results['thermal'][:, ::-1])
    np.testing.assert_array_equal(out['audio'], results['audio'][::-1])
    assert out['gt_bboxes'].tensor.tolist() == [[40.0, 10.0, 80.0, 30.0]]
    assert (out['flip'], out['flip_direction']) == (True, 'horizontal')


def test_two_flips_are_none(results):
    out = MirrorFlip(1.0)(MirrorFlip(1.0)(dict(results)))
    for name in ('rgb', 'thermal', 'audio'):
        np.testing.assert_array_equal(out[name], results[name])
    assert torch.equal(out['gt_bboxes'].tensor, results['gt_bboxes'].tensor)


def test_letterboxed_content_stays_in_its_corner(results):
    canvas = np.zeros((100, 120, 3), np.uint8)
    canvas[:50, :100] = results['rgb']
    out = MirrorFlip(1.0)(dict(results, rgb=canvas, visual_modalities=('rgb',)))
    np.testing.assert_array_equal(out['rgb'][:50, :100], results['rgb'][:, ::-1])
    assert not out['rgb'][50:].any() and not out['rgb'][:, 100:].any()


def test_spectrograms_are_mirrored_too(results):
    spectrogram = np.random.default_rng(1).random((8, 4, 5), dtype=np.float32)
    del results['audio']
    out = MirrorFlip(1.0)(dict(results, spectrogram=spectrogram))
    np.testing.assert_array_equal(out['spectrogram'], spectrogram[::-1])


def test_no_flip_changes_nothing(results):
    out = MirrorFlip(0.0)(dict(results))
    assert out['rgb'] is results['rgb'] and out['flip'] is False and out['flip_direction'] is None


def test_probability(results):
    np.random.seed(0)
    flips = sum(MirrorFlip(0.25)(dict(results))['flip'] for _ in range(400))
    assert 70 < flips < 130


def test_array_without_symmetry_or_of_other_size(results):
    with pytest.raises(ValueError, match='not mirror symmetric'):
        MirrorFlip(1.0)(dict(results, microphone_positions=[(0.1 * k, 0, 0) for k in range(8)]))
    with pytest.raises(ValueError, match='4 microphones in the sound, 8'):
        MirrorFlip(1.0)(dict(results, audio=results['audio'][:4]))


def test_test_time_augmentation_merges_back(tiny_mavd, load_mavd):
    """A detector that finds the drawn truth in both views gives it once, where it was."""
    resize = dict(type='ResizeModalities', scale=(96, 64))
    load = [dict(type='LoadMultichannelAudio'), dict(type='LoadAnnotations', with_bbox=True)]
    views = [
        [resize],
        [dict(type='MirrorFlip', prob=p) for p in (0.0, 1.0)],
        [dict(type='PackAudioVisualInputs')],
    ]
    dataset = load_mavd(tiny_mavd, [*load, dict(type='TestTimeAug', transforms=views)])
    batch = pseudo_collate([dataset[3]])
    plain, flipped = batch['inputs']
    assert torch.equal(plain['audio'][0], flipped['audio'][0].flip(0))
    found = []
    for view in batch['data_samples']:
        sample = view[0]
        boxes = sample.gt_instances.bboxes.tensor / torch.tensor(sample.scale_factor).repeat(2)
        sample.pred_instances = InstanceData(
            bboxes=boxes,
            scores=torch.full((len(boxes),), 0.9),
            labels=torch.zeros(len(boxes), dtype=torch.long),
        )
        found.append(sample)

    tta_cfg = ConfigDict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=10)
    model = DetTTAModel(module=StubDetector(), tta_cfg=tta_cfg)
    merged = model.merge_preds([found])[0].pred_instances.bboxes
    expected = torch.tensor([[10.0, 5.0, 30.0, 20.0], [100.0, 30.0, 140.0, 50.0]])
    order = merged[:, 0].argsort()
    torch.testing.assert_close(merged[order], expected, atol=1e-3, rtol=0)
