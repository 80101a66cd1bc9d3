"""The classifier of the pretext task, beside its parts, and the student that starts from it."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper
from mmpretrain.structures import DataSample
from torch.nn.functional import cross_entropy

CONFIGS = Path(__file__).parents[3] / 'configs'
PRETEXT = 'mm_distillnet/pretext_r18_sim.py'
STUDENT = 'mm_distillnet/faster_rcnn_r18_sim_audio_pretext.py'


def make_batch(counts, seed=0):
    """A second of sound for each number: as many tones, of any pitch, in faint noise."""
    generator = torch.Generator().manual_seed(seed)
    time = torch.arange(44100) / 44100
    clips, samples = [], []
    for count in counts:
        clip = 30 * torch.randn(8, 44100, generator=generator)
        for pitch in 300 + 6000 * torch.rand(count, generator=generator):
            clip += 4000 * torch.sin(2 * torch.pi * pitch * time)
        clips.append(clip.to(torch.int16))
        samples.append(DataSample().set_gt_label(count))
    return dict(inputs=dict(audio=clips), data_samples=samples)


@pytest.fixture
def classifier(toy_config, build_detector):
    return build_detector(toy_config(PRETEXT))


def test_loss_and_predictions_follow_from_the_parts(classifier):
    batch = make_batch([0, 3, 1])
    classifier.eval()
    data = classifier.data_preprocessor(batch, training=False)
    assert data['inputs'].shape == (3, 8, 64, 64)
    pooled = classifier.backbone(data['inputs'])[-1].mean((2, 3))
    hidden, last = classifier.head.layers
    logits = last.fc(hidden.fc(pooled).clamp(min=0))

    losses = classifier(**data, mode='loss')
    torch.testing.assert_close(losses['loss'], cross_entropy(logits, torch.tensor([0, 3, 1])))
    results = classifier.test_step(batch)
    assert [result.pred_label.item() for result in results] == logits.argmax(1).tolist()
    torch.testing.assert_close(torch.stack([result.pred_score for result in results]), logits.softmax(1))
    # without labels, as sound of unknown drives comes
    again = classifier.test_step(dict(inputs=batch['inputs']))
    assert [result.pred_label for result in again] == [result.pred_label for result in results]


def test_it_learns_to_count_tones(classifier):
    optimizer = OptimWrapper(torch.optim.AdamW(classifier.parameters(), lr=3e-3))
    batch = make_batch([0, 1, 2, 3] * 3, seed=1)
    for _ in range(60):
        loss = classifier.train().train_step(batch, optimizer)['loss']
    assert loss < 0.1
    found = [result.pred_label.item() for result in classifier.eval().test_step(batch)]
    assert found == [0, 1, 2, 3] * 3


def test_a_class_too_many_is_named(classifier):
    for call in (classifier.test_step, classifier.val_step):
        with pytest.raises(ValueError, match=r'class 6.*max_count=4.*num_classes=7'):
            call(make_batch([1, 6]))
    data = classifier.data_preprocessor(make_batch([1, 5]), training=True)
    with pytest.raises(ValueError, match='class 5'):
        classifier(**data, mode='loss')


@pytest.fixture
def checkpoint(toy_config, build_detector, tmp_path):
    """Path and weights of a classifier as the runner saves it."""
    state_dict = build_detector(toy_config(PRETEXT), seed=5).state_dict()
    torch.save(dict(state_dict=state_dict, meta={}), tmp_path / 'pretext.pth')
    return str(tmp_path / 'pretext.pth'), state_dict


def check_backbone(started, prefix, state_dict):
    names = [name for name in state_dict if name.startswith('backbone.')]
    own = {name for name in started if name.startswith(f'{prefix}backbone.')}
    assert own == {prefix + name for name in names} and len(names) > 100
    for name in names:
        assert torch.equal(started[prefix + name], state_dict[name]), name


def test_student_starts_from_the_pretext_task(checkpoint, toy_config, build_detector):
    path, state_dict = checkpoint
    cfg = toy_config(STUDENT)
    fresh = build_detector(cfg, seed=1).state_dict()
    cfg.model.init_cfg = Config.fromfile(CONFIGS / STUDENT).model.init_cfg  # which the toy leaves out
    cfg.merge_from_dict({'model.init_cfg.checkpoint': path})
    started = build_detector(cfg, seed=1).state_dict()
    check_backbone(started, '', state_dict)
    assert not torch.equal(started['backbone.conv1.weight'], fresh['backbone.conv1.weight'])


@pytest.mark.parametrize('name', ['distillnet_r18_sim_pretext', 'distillnet_effdet_d2_mavd_pretext'])
def test_distilled_student_starts_from_the_pretext_task(toy_config, build_detector, tmp_path, name):
    task = 'pretext_r18_sim' if 'sim' in name else 'pretext_effdet_d2_mavd'
    state_dict = build_detector(toy_config(f'mm_distillnet/{task}.py'), seed=5).state_dict()
    torch.save(dict(state_dict=state_dict), tmp_path / 'pretext.pth')
    cfg = toy_config(f'mm_distillnet/{name}.py')
    cfg.model.init_cfg = Config.fromfile(CONFIGS / f'mm_distillnet/{name}.py').model.init_cfg
    cfg.merge_from_dict({'model.init_cfg.checkpoint': str(tmp_path / 'pretext.pth')})
    check_backbone(build_detector(cfg, seed=1).state_dict(), 'student.', state_dict)


def test_shipped_student_and_task_have_one_backbone():
    for task, student in (
        (PRETEXT, STUDENT),
        ('mm_distillnet/pretext_effdet_d2_mavd.py', 'mm_distillnet/efficientdet_d2_mavd_audio.py'),
    ):
        task, student = (Config.fromfile(CONFIGS / name) for name in (task, student))
        assert task.model.backbone == student.model.backbone
        assert task.model.data_preprocessor == student.model.data_preprocessor


@pytest.mark.parametrize('damage', ['missing', 'misshapen'])
def test_a_checkpoint_that_does_not_fit_is_refused(checkpoint, toy_config, build_detector, damage):
    path, state_dict = checkpoint
    name = 'backbone.layer1.0.conv1.weight'
    if damage == 'missing':
        del state_dict[name]
    else:
        state_dict[name] = state_dict[name][:, :2]
    torch.save(dict(state_dict=state_dict), path)
    cfg = toy_config(STUDENT)
    cfg.model.init_cfg = dict(type='StrictPretrained', checkpoint=path, submodules=dict(backbone='backbone'))
    with pytest.raises(RuntimeError, match=r'layer1\.0\.conv1\.weight'):
        build_detector(cfg)
