"""Models of segments and localizers as modules: their input tensors in, their named tensors out.

Shapes: B videos or pairs, T segments, F frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmav.models.localizers import AVCLocalizer
from mmav.models.segment_models.dcmr import DCMR
from mmav.models.segment_models.dmin import DMIN
from mmav.models.segment_models.hybrid_attention_parser import HybridAttentionParser

from .errors import ExportError

TRAINING_ONLY = ('similarity', 'similarity_loss')
"""Tensors that compare the pairs of a batch with each other."""


class NamedTensors(nn.Module):
    """A model's mode 'tensor' as a function of tensors.

    Args:
        model: The model.
        inputs: Names of its inputs, in order.

    Attributes:
        outputs: Names of what it returns, known after a call.
    """

    def __init__(self, model: BaseModel, inputs: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.inputs = tuple(inputs)
        self.outputs: tuple[str, ...] = ()
        self.eval()

    def forward(self, *values: Tensor) -> tuple[Tensor, ...]:
        """The model's tensors."""
        found = self.model(dict(zip(self.inputs, values, strict=True)), mode='tensor')
        found = {name: value for name, value in found.items() if name not in TRAINING_ONLY}
        self.outputs = tuple(found)
        return tuple(found.values())


def input_shapes(model: BaseModel) -> dict[str, tuple[int, ...]]:
    """Shapes, without the batch, of a model's inputs as the papers have them.

    Raises:
        ExportError: The model is of no kind that can be exported.
    """
    if isinstance(model, DMIN):
        return dict(visual=(10, 7, 7, model.channels['visual']), audio=(10, model.channels['audio']))
    if isinstance(model, DCMR):
        shapes = {name: (10, channels) for name, channels in model.channels.items()}
        return dict(shapes, query_mask=(10,))
    if isinstance(model, HybridAttentionParser):
        frames = dict(audio=10, visual=80, visual_st=10)
        return {name: (frames[name], channels) for name, channels in model.channels.items()}
    if isinstance(model, AVCLocalizer):
        return dict(image=(3, 224, 224), spectrogram=(1, 257, 276))
    raise ExportError(
        f'{type(model).__name__} cannot be exported: detectors by sound, AVCLocalizer, DMIN, DCMR and '
        'HybridAttentionParser can'
    )


def example_inputs(
    shapes: Mapping[str, Sequence[int]], batch_size: int = 3, generator: torch.Generator | None = None
) -> dict[str, Tensor]:
    """Random inputs (B, ...) of these shapes; a ``query_mask`` marks the second and third segment."""
    inputs: dict[str, Any] = {}
    for name, shape in shapes.items():
        inputs[name] = torch.randn((batch_size, *shape), generator=generator)
        if name == 'query_mask':
            inputs[name] = torch.zeros(batch_size, *shape)
            inputs[name][:, 1:3] = 1
    return inputs
