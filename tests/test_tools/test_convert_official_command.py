"""The command reads files as the authors publish them, safely, and writes what loads strictly."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch
from golden import golden_state_dict
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'model_converters' / 'convert_official.py'


@pytest.fixture
def convert(monkeypatch):
    """Run the tool's command with these arguments."""
    spec = importlib.util.spec_from_file_location('convert_official', TOOL)
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    def run(*args: object) -> None:
        monkeypatch.setattr(sys, 'argv', [str(TOOL), *map(str, args)])
        tool.main()

    return run


@pytest.fixture(scope='module')
def official():
    return {
        name: value.float() if value.is_floating_point() else value
        for name, value in golden_state_dict('efficientdet_d2_audio').items()
    }


@pytest.fixture
def released(official, tmp_path):
    """A file in the layout of the released training: .pth.tar, nested, from a data-parallel wrapper."""
    path = tmp_path / 'best.0.pth.tar'
    state_dict = {f'module.{name}': value for name, value in official.items()}
    torch.save(dict(best_loss=0.5, best_epoch=40, state_dict=state_dict), path)
    return path


def test_released_file_loads_strictly_and_scores_one_class(
    released, official, convert, tmp_path, build_detector
):
    convert('efficientdet_d2_audio', released, tmp_path / 'student.pth', '--classes', 6)

    checkpoint = torch.load(tmp_path / 'student.pth', weights_only=True)
    assert checkpoint['meta']['official'] == 'efficientdet_d2_audio'
    cfg = Config.fromfile(ROOT / 'configs/mm_distillnet/efficientdet_d2_mavd_audio.py')
    cfg.model.init_cfg = None
    detector = build_detector(cfg).eval()
    detector.load_state_dict(checkpoint['state_dict'], strict=True)
    stem = official['backbone_net.model._conv_stem.conv.weight']
    assert torch.equal(detector.backbone.layers[0].conv.weight, stem)
    bias = official['classifier.header.pointwise_conv.conv.bias']
    assert torch.equal(detector.bbox_head.conv_cls.pointwise.bias, bias[6::20])


def test_overwrites_only_by_force(released, convert, tmp_path, capsys):
    target = tmp_path / 'student.pth'
    target.write_text('precious')
    with pytest.raises(SystemExit):
        convert('efficientdet_d2_audio', released, target)
    assert '--force' in capsys.readouterr().err and target.read_text() == 'precious'
    convert('efficientdet_d2_audio', released, target, '--force')
    assert len(torch.load(target, weights_only=True)['state_dict']) == 1076


def test_partial_file_is_refused_with_the_names(official, convert, tmp_path):
    part = dict(list(official.items())[:174])
    torch.save(part, tmp_path / 'part.pth')
    with pytest.raises(SystemExit) as error:
        convert('efficientdet_d2_audio', tmp_path / 'part.pth', tmp_path / 'out.pth')
    text = str(error.value)
    assert 'part.pth' in text and 'only 174 of the 1076 published names' in text
    assert all(f' {name}' in text for name in official if name not in part)
    assert not (tmp_path / 'out.pth').exists()


class Payload:
    """Unpickling it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return Path.write_text, (self.path, 'run')


def test_code_in_a_file_is_not_run(official, convert, tmp_path):
    marker = tmp_path / 'marker'
    torch.save(dict(state_dict=official, extra=Payload(marker)), tmp_path / 'evil.pth')
    with pytest.raises(SystemExit, match=r'evil\.pth cannot be read as a checkpoint|holds more than weights'):
        convert('efficientdet_d2_audio', tmp_path / 'evil.pth', tmp_path / 'out.pth')
    assert not marker.exists() and not (tmp_path / 'out.pth').exists()
    torch.load(tmp_path / 'evil.pth', weights_only=False)
    assert marker.exists()  # the payload is live: only the safe reading kept it from running
