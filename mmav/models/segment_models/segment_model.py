"""What models of a video's segments have in common."""

from collections.abc import Sequence

import torch
from mmdet.registry import MODELS
from mmdet.utils import OptConfigType, OptMultiConfig
from mmengine.model import BaseModel
from torch import Tensor

from mmav.structures import SegmentDataSample
from mmav.utils.precision import full_precision_dtype

Inputs = dict[str, Tensor]
Samples = Sequence[SegmentDataSample]


class SegmentModel(BaseModel):
    """A model whose modes 'loss', 'predict' and 'tensor' are its ``loss``, ``predict`` and ``outputs``.

    Args:
        data_preprocessor: Config of the data preprocessor. Defaults to ``SegmentDataPreprocessor``.
        init_cfg: Initialization config. Defaults to None.
    """

    def __init__(self, data_preprocessor: OptConfigType = None, init_cfg: OptMultiConfig = None) -> None:
        preprocessor = MODELS.build(data_preprocessor or dict(type='SegmentDataPreprocessor'))
        super().__init__(data_preprocessor=preprocessor, init_cfg=init_cfg)

    def forward(
        self, inputs: Inputs, data_samples: Samples | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | list[SegmentDataSample]:
        """Run the model.

        Args:
            inputs: Features by name, batch first.
            data_samples: Ground truth for 'loss'; for 'predict' what receives the predictions, or None.
            mode: 'loss': dict of losses. 'predict': list of data samples. 'tensor': dict of tensors.

        Raises:
            ValueError: If ``mode`` is another.
        """
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.outputs(inputs)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def match_precision(self) -> None:
        """Take the precision of the data preprocessor's floats: the last line of a constructor."""
        dtype = getattr(self.data_preprocessor, 'dtype', None)
        if dtype is not None:
            self.to(dtype)


def select_inputs(inputs: Inputs, channels: dict[str, int], maps: Sequence[str] = ()) -> list[Tensor]:
    """Features (B, S, channels), or (B, S, H, W, channels) for ``maps``, that a model reads, in its order.

    Raises:
        KeyError: If one is missing.
        ValueError: If one is of another shape.
    """
    missing = [name for name in channels if name not in inputs]
    if missing:
        raise KeyError(
            f'the inputs lack {", ".join(missing)} (they have {", ".join(inputs)}): mend the keys of '
            'PackSegmentInputs'
        )
    for name, number in channels.items():
        size = 'height, width, ' if name in maps else ''
        if inputs[name].ndim != (5 if size else 3) or inputs[name].shape[-1] != number:
            raise ValueError(
                f'{name} is {tuple(inputs[name].shape)}, not (videos, segments, {size}{number}): set '
                f'model.{name}_channels to what the features have'
            )
    return [inputs[name] for name in channels]


def mean_per_segment(frames: Tensor, num_segments: int, name: str) -> Tensor:
    """Mean (B, T, D) over the frames (B, F, D) of each segment; ValueError if F is no multiple of T."""
    if frames.shape[1] % num_segments:
        raise ValueError(
            f'{name} has {frames.shape[1]} frames, no multiple of the {num_segments} segments of audio'
        )
    return frames.unflatten(1, (num_segments, -1)).mean(2)


def stack_labels(
    samples: Samples | None, name: str, like: Tensor, shape: tuple[int, ...] | None = None
) -> Tensor:
    """Ground truth (B, ...) of a batch, e.g. ``name`` 'gt_events'; ``like`` gives device and type (not half).

    Raises:
        ValueError: If a sample lacks the field, none are given, or one is of another shape than all must be;
            the message names the videos.
    """
    if not samples:
        raise ValueError(f'training needs data samples with {name}')
    lacking = [str(sample.metainfo.get('video_id')) for sample in samples if name not in sample]
    if lacking:
        raise ValueError(
            f'{name} is missing in videos {", ".join(lacking)}: the dataset must read it and '
            'PackSegmentInputs.gt_keys must name it'
        )
    for sample in samples:
        found = tuple(sample.get(name).shape)
        if shape is not None and found != shape:
            raise ValueError(
                f'{name} of video {sample.metainfo.get("video_id")} is {found}, but the model needs {shape}'
            )
    targets = torch.stack([sample.get(name) for sample in samples])
    return targets.to(like.device, full_precision_dtype(like))


def ensure_data_samples(
    samples: Samples | None, num_videos: int, num_segments: int
) -> list[SegmentDataSample]:
    """What receives predictions of each video: the samples, or new ones."""
    if samples is None:
        return [SegmentDataSample(metainfo=dict(num_segments=num_segments)) for _ in range(num_videos)]
    return list(samples)


def check_same_segments(visual: Tensor, audio: Tensor) -> None:
    """ValueError unless features (B, T, ...) of both modalities are of the same videos and segments."""
    if visual.shape[:2] != audio.shape[:2]:
        raise ValueError(
            f'visual has (videos, segments) {tuple(visual.shape[:2])}, audio {tuple(audio.shape[:2])}: '
            'both must be of the same seconds'
        )
