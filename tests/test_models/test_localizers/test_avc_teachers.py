import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope
from torch import nn

RESNET = dict(type='ResNet', depth=18, base_channels=2, stem_channels=2, out_indices=(3,))
CNN14 = dict(type='CNN14', base_channels=1)


@pytest.fixture(autouse=True)
def mmdet_scope():
    init_default_scope('mmdet')


@pytest.fixture
def weights(tmp_path):
    """Checkpoints of both toy teachers, the visual one under the name that detectors give it."""
    torch.manual_seed(3)
    eye, ear = MODELS.build(RESNET), MODELS.build(CNN14)
    eye.init_weights()
    ear.init_weights()
    torch.save({f'backbone.{name}': value for name, value in eye.state_dict().items()}, tmp_path / 'eye.pth')
    torch.save(dict(model=ear.state_dict()), tmp_path / 'ear.pth')
    init_cfg = dict(type='StrictPretrained', checkpoint=str(tmp_path / 'eye.pth'), prefix='backbone')
    visual = dict(RESNET, init_cfg=init_cfg)
    return dict(visual=visual, audio=dict(CNN14, checkpoint=str(tmp_path / 'ear.pth'))), eye, ear


@pytest.fixture
def inputs():
    generator = torch.Generator().manual_seed(1)
    shapes = dict(image=(2, 3, 64, 64), teacher_waveform=(2, 9920), spectrogram=(2, 1, 65, 70))
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def test_embeddings_are_those_of_the_networks_that_were_saved(weights, inputs):
    configs, eye, ear = weights
    teachers = MODELS.build(dict(type='AVCTeachers', **configs)).train()
    embeds = teachers(inputs)
    eye.eval()
    ear.eval()
    with torch.no_grad():
        torch.testing.assert_close(embeds['teacher_visual'], eye(inputs['image'])[-1])
        torch.testing.assert_close(embeds['teacher_audio'], ear(inputs['teacher_waveform']))
    assert embeds['teacher_visual'].shape == (2, 16, 2, 2) and embeds['teacher_audio'].shape == (2, 32)
    assert not any(embed.requires_grad for embed in embeds.values())
    assert not any(module.training for module in teachers.modules())


def test_training_leaves_them_alone(weights, inputs, toy_localizer):
    """Neither the optimizer nor batch norm's statistics nor a checkpoint of the run reaches them."""
    configs, eye, _ = weights
    hints = dict(audio_hint=dict(type='FeatureHintLoss', student_channels=16, teacher_channels=32))
    hints['visual_hint'] = dict(type='FeatureHintLoss', loss_weight=10.0)
    model = MODELS.build({**toy_localizer, **hints, 'teachers': dict(type='AVCTeachers', **configs)})
    model.init_weights()
    without = MODELS.build({**toy_localizer, **hints})
    assert model.state_dict().keys() == without.state_dict().keys()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    assert len(optimizer.param_groups[0]['params']) == len(list(without.parameters()))
    model.train()
    sum(model.loss(inputs).values()).backward()
    optimizer.step()
    after = model.teachers['visual'].state_dict()
    assert all(torch.equal(value, after[name]) for name, value in eye.state_dict().items())
    model.double()  # they move with the student
    assert {p.dtype for p in model.teachers.parameters()} == {torch.float64}


def test_teachers_without_weights_are_refused_when_asked(weights, inputs):
    configs, *_ = weights
    teachers = MODELS.build(dict(type='AVCTeachers', visual=configs['visual'], audio=CNN14))
    with pytest.raises(ValueError, match=r"\['audio'\] have no weights: .* teachers\.audio\.checkpoint=FILE"):
        teachers(inputs)
    named = dict(RESNET, init_cfg=dict(type='StrictPretrained', checkpoint=None))
    with pytest.raises(ValueError, match=r'teachers\.visual\.init_cfg\.checkpoint=FILE'):
        MODELS.build(dict(type='AVCTeachers', visual=named)).init_weights()
    untrained = dict(type='AVCTeachers', audio=CNN14, allow_untrained=True)
    assert MODELS.build(untrained)(inputs).keys() == {'teacher_audio'}
    with pytest.raises(ValueError, match='there is no teacher'):
        MODELS.build(dict(type='AVCTeachers'))


def test_stand_ins_of_the_students_own_spectrograms(inputs):
    ear = dict(type='AudioResNet', in_channels=1, **{k: v for k, v in RESNET.items() if k != 'type'})
    teachers = MODELS.build(
        dict(type='AVCTeachers', audio=ear, audio_input='spectrogram', allow_untrained=True)
    )
    embeds = teachers(inputs)
    with torch.no_grad():
        maps = teachers['audio'](inputs['spectrogram'])[-1]
    torch.testing.assert_close(embeds['teacher_audio'], maps.flatten(2).mean(2))


class Flat(nn.Module):
    """An eye that forgets where."""

    def forward(self, image):
        return image.mean((2, 3))


def test_what_does_not_fit_is_named(weights, inputs):
    configs, *_ = weights
    teachers = MODELS.build(dict(type='AVCTeachers', **configs))
    with pytest.raises(KeyError, match=r"lack \['teacher_waveform'\].*LoadAudioSegment"):
        teachers(dict(image=inputs['image']))
    teachers['visual'] = Flat()
    with pytest.raises(ValueError, match=r'visual teacher, Flat, returns \(2, 3\), expected a map'):
        teachers(inputs)


def test_images_of_another_normalization_are_refused():
    teachers = MODELS.build(dict(type='AVCTeachers', visual=dict(type='DETRFeatures')))
    same = dict(type='SoundLocalizationDataPreprocessor')
    teachers.check_images(MODELS.build(same))
    for change in (dict(mean=128.0), dict(bgr_to_rgb=False)):
        with pytest.raises(ValueError, match='the visual teacher was trained on images'):
            teachers.check_images(MODELS.build({**same, **change}))
    with pytest.raises(ValueError, match=r"\['visual'\] have no weights"):  # ImageNet's make no DETR
        teachers.init_weights()


def test_identity_is_that_of_the_weights(weights):
    configs, *_ = weights
    identities = []
    for audio in (configs['audio'], configs['audio'], CNN14):
        teachers = MODELS.build(dict(type='AVCTeachers', audio=audio, allow_untrained=True))
        teachers.init_weights()
        identities.append(teachers.identity())
    assert identities[0] == identities[1]
    assert identities[0]['audio']['model'] == identities[2]['audio']['model']
    assert identities[0]['audio']['weights'] != identities[2]['audio']['weights']
