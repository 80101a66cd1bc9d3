"""Another array or camera at the test than in the training is an error by name."""

from types import SimpleNamespace

import pytest
from mmengine.logging import MMLogger
from rigs import make_rig

from mmav.engine import RigCheckHook
from mmav.models.data_preprocessors import AudioVisualDataPreprocessor

RIG = make_rig()
OTHER = make_rig(speed_of_sound=350.0)


def runner(rig_of_data=None, rig_of_model=None) -> SimpleNamespace:
    metainfo = dict(classes=('vehicle',)) if rig_of_data is None else dict(rig=rig_of_data.to_dict())
    loader = SimpleNamespace(dataset=SimpleNamespace(metainfo=metainfo))
    options = dict(log_mel={}) if rig_of_model is None else dict(acoustic_image=dict(rig=rig_of_model))
    preprocessor = AudioVisualDataPreprocessor(audio_size=(8, 8), **options)
    loaders = dict(train_dataloader=loader, val_dataloader=loader, test_dataloader=loader)
    model = SimpleNamespace(data_preprocessor=preprocessor)
    return SimpleNamespace(model=model, logger=MMLogger('rigs'), **loaders)


def checkpoint(rig=None) -> dict:
    return dict(meta=dict(dataset_meta={} if rig is None else dict(rig=rig.to_dict())))


@pytest.mark.parametrize('data, model', [(RIG, RIG), (None, RIG), (RIG, None), (None, None)])
def test_the_same_or_an_unknown_rig_passes(data, model):
    hook, run = RigCheckHook(), runner(data, model)
    for moment in (hook.before_train, hook.before_val, hook.before_test):
        assert moment(run) is None  # a refusal would be raised


@pytest.mark.parametrize('moment', ['before_train', 'before_val', 'before_test'])
def test_data_of_another_rig_than_the_models(moment):
    with pytest.raises(ValueError, match=r'not that of the model: speed_of_sound: 343.*350'):
        getattr(RigCheckHook(), moment)(runner(OTHER, RIG))


def test_data_of_another_rig_than_the_trainings():
    hook = RigCheckHook()
    hook.after_load_checkpoint(runner(), checkpoint(RIG))
    with pytest.raises(ValueError, match="checkpoint's training data: speed_of_sound"):
        hook.before_test(runner(OTHER))
    assert hook.before_train(runner(OTHER)) is None  # fine-tuning
    hook.after_load_checkpoint(runner(), checkpoint())
    assert hook.before_test(runner(OTHER)) is None


def test_allowed_with_a_warning():
    run, warnings = runner(OTHER, RIG), []
    run.logger = SimpleNamespace(warning=warnings.append)
    RigCheckHook(allow_other_rig=True).before_test(run)
    assert len(warnings) == 1 and 'speed_of_sound' in warnings[0]
