"""The AVC localizer against the published network's outputs, its losses and its maps."""

import numpy as np
import pytest
import torch
import torchvision
from golden import GOLDEN, golden_input, golden_state_dict
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.optim import OptimWrapper
from torch import nn

from mmav.models.losses import feature_hint_loss
from mmav.utils import convert_official_state_dict

HINTS = dict(
    audio_hint=dict(type='FeatureHintLoss', loss_weight=10.0),
    visual_hint=dict(type='FeatureHintLoss', loss_weight=100.0),
)


@MODELS.register_module()
class ToyEye(nn.Module):
    """A visual teacher: the mean color of 32 x 32 pixels, in 16 channels."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) to (B, 16, h, w)."""
        return nn.functional.avg_pool2d(image, 32).repeat(1, 6, 1, 1)[:, :16]


def test_equals_the_published_network(build):
    model = build(dict(type='AVCLocalizer')).double().eval()
    model.load_state_dict(convert_official_state_dict('avc', golden_state_dict('avc')), strict=True)
    with np.load(GOLDEN / 'avc_student.npz') as stored:
        expected, seed = dict(stored), int(stored['seed'])
    inputs = dict(
        image=golden_input('image', (3, 3, 224, 224), seed=seed),
        spectrogram=golden_input('spectrogram', (3, 1, 257, 276), seed=seed),
    )
    with torch.no_grad():
        out = model(inputs, mode='tensor')
    for name in ('similarity_loss', 'localization_maps_over_tau'):
        np.testing.assert_allclose(out[name].numpy(), expected[name], rtol=1e-9, atol=1e-12)
    assert model.contrastive_loss.temperature == pytest.approx(float(expected['tau']))
    np.testing.assert_allclose(
        out['similarity'].diagonal().numpy(), out['localization_maps'].flatten(1).amax(1).numpy()
    )


def test_size_and_layout_are_the_papers():
    model = MODELS.build(dict(type='AVCLocalizer'))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    assert round(parameters / 1e6, 1) == 24.4  # the paper: 24.5
    resnet = torchvision.models.resnet18()
    names = {name: value.shape for name, value in resnet.state_dict().items() if not name.startswith('fc.')}
    assert {name: value.shape for name, value in model.visual_backbone.state_dict().items()} == names
    assert not model.hints and model.teachers is None


def test_fresh_weights_start_as_documented(build):
    model = build(dict(type='AVCLocalizer'))
    norm = torch.cat([m.weight.detach() for m in model.modules() if isinstance(m, nn.BatchNorm2d)])
    assert norm.mean().item() == pytest.approx(1, abs=2e-3) and norm.std().item() == pytest.approx(
        0.02, rel=0.05
    )
    assert model.audio_proj.weight.std().item() == pytest.approx(0.01, rel=0.05)
    for conv in (model.audio_backbone.conv1, model.visual_backbone.layer4[1].conv2, model.visual_proj):
        fan_out = conv.out_channels * conv.kernel_size[0] ** 2
        assert conv.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)


def test_visual_backbone_starts_from_torchvisions_names(build, toy_localizer, tmp_path):
    trained = MODELS.build(toy_localizer['visual_backbone'])
    weights = {**trained.state_dict(), 'fc.weight': torch.zeros(2, 2), 'fc.bias': torch.zeros(2)}
    torch.save(weights, tmp_path / 'resnet.pth')
    toy_localizer['visual_backbone']['init_cfg'] = dict(
        type='StrictPretrained', checkpoint=str(tmp_path / 'resnet.pth')
    )
    model = build(toy_localizer)
    for name, value in model.visual_backbone.state_dict().items():
        torch.testing.assert_close(value, weights[name])
    assert model.audio_proj.weight.std().item() == pytest.approx(0.01, rel=0.1)


def test_losses_are_those_of_the_equations(build, toy_localizer, toy_inputs):
    model = build({**toy_localizer, **HINTS}).eval()
    losses, out = model(toy_inputs, mode='loss'), model(toy_inputs, mode='tensor')
    assert set(losses) == {'loss_similarity', 'loss_audio_hint', 'loss_visual_hint'}
    torch.testing.assert_close(losses['loss_similarity'], out['similarity_loss'])
    audio = feature_hint_loss(out['audio_embeds'], toy_inputs['teacher_audio'])
    visual = feature_hint_loss(out['visual_embeds'], toy_inputs['teacher_visual'])
    torch.testing.assert_close(losses['loss_audio_hint'], 10 * audio)
    torch.testing.assert_close(losses['loss_visual_hint'], 100 * visual)


def test_each_hint_reaches_its_own_student(build, toy_localizer, toy_inputs):
    model = build({**toy_localizer, **HINTS})
    losses = model(toy_inputs, mode='loss')
    for name, other in (('audio', 'visual'), ('visual', 'audio')):
        model.zero_grad()
        losses[f'loss_{name}_hint'].backward(retain_graph=True)
        reached = {key.split('_')[0] for key, value in model.named_parameters() if value.grad is not None}
        assert reached == {name} and other not in reached


def test_teachers_on_line_give_the_losses_of_stored_embeddings(build, toy_localizer, toy_inputs):
    teachers = dict(type='AVCTeachers', visual=dict(type='ToyEye'), allow_untrained=True)
    online = build({**toy_localizer, 'visual_hint': HINTS['visual_hint'], 'teachers': teachers})
    offline = build({**toy_localizer, 'visual_hint': HINTS['visual_hint']})
    assert list(online.state_dict()) == list(offline.state_dict())
    seen = {name: toy_inputs[name] for name in ('image', 'spectrogram')}
    stored = dict(seen, teacher_visual=ToyEye()(toy_inputs['image']))
    for name, value in online(seen, mode='loss').items():
        torch.testing.assert_close(value, offline(stored, mode='loss')[name], rtol=0, atol=0)


def test_learns_to_tell_pairs_apart(build, toy_localizer, toy_inputs):
    model = build(toy_localizer).train()
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=5e-3))
    reached = set()
    for name, parameter in model.named_parameters():
        parameter.register_post_accumulate_grad_hook(lambda _, name=name: reached.add(name))
    data = dict(inputs=toy_inputs, data_samples=None)
    logs = [model.train_step(data, optimizer)['loss'].item() for _ in range(8)]
    assert logs[-1] < 0.2 * logs[0]
    assert reached == {name for name, _ in model.named_parameters()}


def test_maps_have_the_size_of_the_image(build, toy_localizer, toy_inputs):
    model = build(toy_localizer).eval()
    samples = [
        DetDataSample(metainfo=dict(img_shape=shape)) for shape in [(64, 96), (30, 40), (1, 1), (2, 3)]
    ]
    with torch.no_grad():
        results = model(toy_inputs, samples, mode='predict')
        coarse = model(toy_inputs, mode='tensor')['localization_maps']
        alone = model(dict(toy_inputs), mode='predict')
    assert [tuple(result.pred_map.shape) for result in results] == [(64, 96), (30, 40), (1, 1), (2, 3)]
    for result, cosines in zip(results, coarse):
        corners = result.pred_map[[0, 0, -1, -1], [0, -1, 0, -1]]
        if result.pred_map.numel() > 1:  # corners aligned
            torch.testing.assert_close(corners, cosines[[0, 0, -1, -1], [0, -1, 0, -1]])
    torch.testing.assert_close(results[3].pred_map, coarse[3])
    assert alone[1].pred_map.shape == (64, 96) and alone[1].pred_map.dtype == torch.float32


def test_a_prediction_depends_on_its_own_pair_alone(build, toy_localizer, toy_inputs):
    model = build(toy_localizer).eval()
    alone = {name: value[2:3] for name, value in toy_inputs.items()}
    changed = dict(alone, spectrogram=toy_inputs['spectrogram'][:1])
    with torch.no_grad():
        together, one, other = (model(i, mode='predict') for i in (toy_inputs, alone, changed))
    torch.testing.assert_close(together[2].pred_map, one[0].pred_map, rtol=1e-4, atol=1e-5)
    assert (one[0].pred_map - other[0].pred_map).abs().max() > 1e-3  # it hears


def test_what_is_missing_is_named(build, toy_localizer, toy_inputs):
    model = build({**toy_localizer, **HINTS})
    with pytest.raises(KeyError, match=r"\['teacher_visual'\].*LoadTeacherEmbeddings"):
        model({k: v for k, v in toy_inputs.items() if k != 'teacher_visual'}, mode='loss')
    with pytest.raises(KeyError, match=r"needs \['spectrogram'\]"):
        model(dict(image=toy_inputs['image']), mode='predict')
    with pytest.raises(ValueError, match="mode must be 'loss'"):
        model(toy_inputs, mode='losses')
    teachers = dict(type='AVCTeachers', visual=dict(type='ToyEye'), allow_untrained=True)
    with pytest.raises(ValueError, match='teachers have no work without audio_hint'):
        MODELS.build({**toy_localizer, 'teachers': teachers})
