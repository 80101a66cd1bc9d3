"""Fixtures shared by the tests: the shipped detectors, shrunk, and batches for them."""

import os
from collections.abc import Callable
from pathlib import Path

# Two processes of tests share two cores; threads of both would wait for each other. Before torch is imported.
os.environ.setdefault('OMP_NUM_THREADS', '1')

# isort: split
import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

import mmav  # noqa: F401  registers everything

CONFIGS = Path(__file__).parents[1] / 'configs'
SIZE = 64  # pixels


def _shrink(cfg: dict) -> None:
    """An eighth (ResNet-50) or a quarter (ResNet-18) of the channels, EfficientNet-B0 for B2, 64 x 64 inputs,
    no pretrained weights; in place.
    """
    if not isinstance(cfg, dict):
        return
    kind = cfg.get('type')
    init_cfg = cfg.get('init_cfg')
    if isinstance(init_cfg, dict) and init_cfg.get('type') == 'StrictPretrained':
        cfg['init_cfg'] = None
    if kind in ('ResNet', 'AudioResNet'):
        cfg.update(base_channels=8, stem_channels=8)
    elif kind in ('FPN', 'ContextFPN'):
        top = 256 if cfg['in_channels'][-1] == 2048 else 64
        cfg.update(
            in_channels=[top >> shift for shift in reversed(range(len(cfg['in_channels'])))], out_channels=16
        )
    elif kind == 'AudioEfficientNet':
        cfg.update(arch='b0')  # 40, 112 and 320 channels
    elif kind == 'BiFPN':
        cfg.update(in_channels=[40, 112, 320], out_channels=16, num_cells=2)
    elif kind == 'EfficientDetHead':
        cfg.update(in_channels=16, stacked_convs=2)
    elif kind == 'RPNHead':
        cfg.update(in_channels=16, feat_channels=16)
    elif kind == 'SingleRoIExtractor':
        cfg.update(out_channels=16)
    elif kind == 'Shared2FCBBoxHead':
        cfg.update(in_channels=16, fc_out_channels=32)
    elif kind == 'mmpretrain.StackedLinearClsHead':
        cfg.update(in_channels={352: 320, 256: 64}[cfg['in_channels']])
    elif kind == 'AFDLoss':
        cfg.update(student_channels=[16] * 3, teacher_channels=[16] * 3)
    elif kind == 'MultiTeacherDistiller':
        cfg.update(allow_untrained_teachers=True)
    elif kind == 'AudioVisualDataPreprocessor':
        cfg.update(audio_size=(SIZE, SIZE))
        if cfg.get('acoustic_image'):  # the rig of MAVD is no part of the repository
            cfg['acoustic_image']['rig'] = Config.fromfile(CONFIGS / '_base_/rigs/simulated.py').rig
    for value in cfg.values():
        _shrink(value)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The option of the tests marked ``gpu``."""
    parser.addoption('--device', choices=('cuda', 'cpu'), help='of the tests marked gpu; default: cuda')


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long tests: at the end one process would wait for the other."""
    items.sort(key=lambda item: item.get_closest_marker('slow') is None)


@pytest.fixture
def toy_config() -> Callable[..., Config]:
    """A shipped config by its name under configs/, shrunk; without network; options merged last."""

    def load(name: str, options: dict | None = None) -> Config:
        cfg = Config.fromfile(CONFIGS / name)
        _shrink(cfg.model)
        cfg.model.init_cfg = None
        cfg.merge_from_dict(options or {})
        return cfg

    return load


@pytest.fixture
def build_detector() -> Callable[..., torch.nn.Module]:
    """A detector with initialized weights from a config, the same for the same seed."""

    def build(cfg: Config, seed: int = 0) -> torch.nn.Module:
        init_default_scope('mmdet')
        torch.manual_seed(seed)
        model = MODELS.build(cfg.model)
        model.init_weights()
        return model

    return build


@pytest.fixture
def toy_batch() -> Callable[..., dict]:
    """A batch as a loader gives it: a second of noise, random images, random boxes."""

    def make(
        modalities: tuple[str, ...] = ('audio', 'rgb'),
        num_boxes: tuple[int, ...] = (2, 1),
        num_classes: int = 1,
        seed: int = 0,
    ) -> dict:
        # a generator each: what one modality holds does not depend on which others there are
        generators = {name: torch.Generator().manual_seed(seed) for name in (*modalities, 'boxes')}
        inputs = {name: [] for name in modalities}
        samples = []
        for boxes in num_boxes:
            for name in modalities:
                if name == 'audio':
                    low, high, shape, dtype = -9000, 9000, (8, 44100), torch.int16
                else:
                    low, high, shape, dtype = 0, 256, (1 if name == 'thermal' else 3, SIZE, SIZE), torch.uint8
                value = torch.randint(low, high, shape, generator=generators[name], dtype=dtype)
                inputs[name].append(value)
            generator = generators['boxes']
            corner = torch.rand(boxes, 2, generator=generator) * 30
            size = 12 + torch.rand(boxes, 2, generator=generator) * 20
            sample = DetDataSample(
                metainfo=dict(
                    img_shape=(SIZE, SIZE), ori_shape=(650, 1520), scale_factor=(SIZE / 1520, SIZE / 650)
                )
            )
            sample.gt_instances = InstanceData(
                bboxes=torch.cat((corner, corner + size), 1),
                labels=torch.randint(0, num_classes, (boxes,), generator=generator),
            )
            samples.append(sample)
        return dict(inputs=inputs, data_samples=samples)

    return make
