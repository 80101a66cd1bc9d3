"""A small sound localizer and a batch for it."""

from collections.abc import Callable

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

import mmav  # noqa: F401  registers everything

init_default_scope('mmdet')

RESNET = dict(depth=18, base_channels=4, stem_channels=4, num_stages=4, out_indices=(3,), norm_eval=False)


@pytest.fixture
def toy_localizer() -> dict:
    """Config of an AVCLocalizer of 32 channels, 16 of them embedded."""
    return dict(
        type='AVCLocalizer',
        visual_backbone=dict(type='ResNet', **RESNET),
        audio_backbone=dict(type='AudioResNet', in_channels=1, **RESNET),
        visual_channels=32,
        audio_channels=32,
        embed_channels=16,
    )


@pytest.fixture
def build() -> Callable[[dict], torch.nn.Module]:
    """A model of a config, initialized, the same every time."""

    def make(cfg: dict) -> torch.nn.Module:
        torch.manual_seed(0)
        model = MODELS.build(cfg)
        model.init_weights()
        return model

    return make


@pytest.fixture
def toy_inputs() -> dict[str, torch.Tensor]:
    """Images 64 x 96 and spectrograms of four pairs, with what teachers say of them."""
    generator = torch.Generator().manual_seed(1)
    shapes = dict(
        image=(4, 3, 64, 96),
        spectrogram=(4, 1, 65, 40),
        teacher_audio=(4, 16),
        teacher_visual=(4, 16, 2, 3),
    )
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}
