"""The stripped checkpoint runs in mmdet's own detector and finds the same boxes."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from mmdet.models.detectors import FasterRCNN, SingleStageDetector
from mmengine.config import Config

pytestmark = pytest.mark.stack

TOOL = Path(__file__).parents[2] / 'tools' / 'model_converters' / 'strip_visual.py'


@pytest.fixture
def strip(monkeypatch):
    """Run the tool's command with these arguments."""
    spec = importlib.util.spec_from_file_location('strip_visual', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*args: object) -> None:
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, args)])
        tool.main()

    return run


@pytest.mark.parametrize('variant', ['faster_rcnn_r50_fpn_mavd', 'faster_rcnn_r50_fpn_mavd_rtd'])
def test_stripped_checkpoint_in_stock_mmdet(variant, strip, tmp_path, toy_config, build_detector, toy_batch):
    cfg = toy_config(f'avd/{variant}.py', {'model.test_cfg.rcnn.score_thr': 0.0})
    cfg.dump(tmp_path / 'av.py')
    detector = build_detector(cfg).eval()
    state_dict = detector.state_dict()
    torch.save(
        dict(meta=dict(epoch=30, cfg='model = None'), state_dict=state_dict, optimizer={}),
        tmp_path / 'av.pth',
    )

    strip(tmp_path / 'av.pth', tmp_path / 'audio.pth', '--config', tmp_path / 'av.py')

    deployed = torch.load(tmp_path / 'audio.pth', weights_only=True)
    assert set(deployed) == {'meta', 'state_dict'} and deployed['meta']['epoch'] == 30
    stock = build_detector(Config.fromfile(tmp_path / 'audio.py'), seed=1).eval()
    assert type(stock) is FasterRCNN
    stock.load_state_dict(deployed['state_dict'], strict=True)
    batch = toy_batch(('audio',))
    for ours, theirs in zip(detector.test_step(batch), stock.test_step(toy_batch(('audio',)))):
        assert len(ours.pred_instances) > 0
        assert torch.equal(ours.pred_instances.bboxes, theirs.pred_instances.bboxes)
        assert torch.equal(ours.pred_instances.scores, theirs.pred_instances.scores)


@pytest.mark.parametrize(
    ('name', 'stock_type', 'modality'),
    [
        ('distillnet_r18_sim', FasterRCNN, 'audio'),
        ('distillnet_effdet_d2_mavd', SingleStageDetector, 'audio'),
        ('distillnet_effdet_d2_mavd_depth_student', SingleStageDetector, 'depth'),
    ],
)
def test_student_of_a_distiller_in_stock_mmdet(
    name, stock_type, modality, strip, tmp_path, toy_config, build_detector, toy_batch
):
    cfg = toy_config(f'mm_distillnet/{name}.py', {'model.save_teachers': True})
    test_cfg = cfg.model.student.test_cfg
    test_cfg.get('rcnn', test_cfg).score_thr = 0.0
    cfg.dump(tmp_path / 'distiller.py')
    distiller = build_detector(cfg).eval()
    state_dict = distiller.state_dict()
    assert any(key.startswith('teachers.') for key in state_dict)
    torch.save(dict(meta=dict(epoch=50), state_dict=state_dict, optimizer={}), tmp_path / 'distiller.pth')

    strip(tmp_path / 'distiller.pth', tmp_path / 'student.pth', '--config', tmp_path / 'distiller.py')

    deployed = torch.load(tmp_path / 'student.pth', weights_only=True)
    deployed_cfg = Config.fromfile(tmp_path / 'student.py')
    assert not {'train_dataloader', 'optim_wrapper'} & set(deployed_cfg)
    assert deployed_cfg.model.data_preprocessor.modality == modality
    stock = build_detector(deployed_cfg, seed=1).eval()
    assert type(stock) is stock_type
    stock.load_state_dict(deployed['state_dict'], strict=True)
    results = distiller.test_step(toy_batch((modality,))), stock.test_step(toy_batch((modality,)))
    for ours, theirs in zip(*results):
        assert len(ours.pred_instances) > 0
        assert torch.equal(ours.pred_instances.bboxes, theirs.pred_instances.bboxes)
        assert torch.equal(ours.pred_instances.scores, theirs.pred_instances.scores)


def test_refuses_the_config_of_another_model(strip, tmp_path):
    torch.save(dict(state_dict={'student.neck.x': torch.zeros(2)}), tmp_path / 'distiller.pth')
    (tmp_path / 'plain.py').write_text("model = dict(type='RetinaNet')")
    with pytest.raises(ValueError, match='has a RetinaNet'):
        strip(tmp_path / 'distiller.pth', tmp_path / 'out.pth', '--config', tmp_path / 'plain.py')
    assert not (tmp_path / 'out.pth').exists()


def test_refuses_a_checkpoint_without_a_visual_branch(strip, tmp_path):
    torch.save(dict(state_dict={'roi_head.bbox_head.fc_cls.bias': torch.zeros(2)}), tmp_path / 'audio.pth')
    with pytest.raises(ValueError, match='no visual branch'):
        strip(tmp_path / 'audio.pth', tmp_path / 'out.pth')
    assert not (tmp_path / 'out.pth').exists()


def test_refuses_to_overwrite(strip, tmp_path, capsys):
    torch.save(dict(state_dict={'visual_streams.rgb.neck.x': torch.zeros(2)}), tmp_path / 'av.pth')
    with pytest.raises(SystemExit):
        strip(tmp_path / 'av.pth', tmp_path / 'av.pth')
    assert '--force' in capsys.readouterr().err
