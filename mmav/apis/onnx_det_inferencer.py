"""Detectors in ONNX files as inferencers: for tools and streams, with PyTorch for everything but the network.

Shapes: M microphones, L samples of a window.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import nn

from mmav.utils.config_text import parse_config_text, without_layout
from mmav.utils.errors import SampleError

from ..structures import Rig
from .audio_det_inferencer import AudioDetInferencer
from .onnx_audio_detector import OnnxAudioDetector
from .recording_rig import adopt_rig


class OnnxModel(nn.Module):
    """What an inferencer needs of a model, by an ONNX file.

    Args:
        detector: The file.
        data_preprocessor: That of the exported model. It draws; the network's input is made by the file.
        dataset_meta: Classes and palette.
    """

    data_preprocessor: Any

    def __init__(
        self, detector: OnnxAudioDetector, data_preprocessor: nn.Module, dataset_meta: Mapping[str, Any]
    ) -> None:
        super().__init__()
        self.detector = detector
        self.data_preprocessor = data_preprocessor
        self.dataset_meta = dict(dataset_meta)

    def test_step(self, data: Mapping[str, Any]) -> list[DetDataSample]:
        """Predict a batch of packed windows."""
        waveform = np.stack([audio.numpy() for audio in data['inputs']['audio']])
        samples = list(data['data_samples'])
        if waveform.dtype.kind == 'f' and not np.isfinite(waveform).all():
            raise SampleError(samples[0].input_name, 'the sound holds NaN or infinite values')
        for sample, found in zip(samples, self.detector(waveform), strict=True):
            sample.pred_instances = InstanceData(
                **{key: torch.from_numpy(value) for key, value in found.items()}
            )
        return samples


class OnnxDetInferencer(AudioDetInferencer):
    """:class:`AudioDetInferencer` of a file that ``tools/model_converters/export_onnx.py`` has written.

    Args:
        model: The file, or an :class:`OnnxAudioDetector`.
        threads: Threads that onnxruntime computes with. Defaults to its own choice.
        show_progress: Whether to draw a progress bar. Defaults to True.
        rig: The rig of the recordings. A file that makes acoustic images does so for its own rig alone.
        allow_other_rig: Whether spectrograms may be of another rig than the training's. Defaults to False.
        trusted_packages: As of :class:`AudioDetInferencer`.

    Raises:
        ValueError: The file is missing, damaged or no detector, or it is made for another rig.

    Example::

        inferencer = OnnxDetInferencer('detector.onnx')
        inferencer('recording.wav', stride=0.5)['predictions'][0]['bboxes']
    """

    takes_features = False

    def __init__(
        self,
        model: str | Path | OnnxAudioDetector,
        threads: int | None = None,
        show_progress: bool = True,
        rig: Rig | Mapping[str, Any] | str | Path | None = None,
        allow_other_rig: bool = False,
        trusted_packages: Sequence[str] = (),
    ) -> None:
        self.detector = model if isinstance(model, OnnxAudioDetector) else OnnxAudioDetector(model, threads)
        init_default_scope('mmdet')
        text = self.detector.metadata['config']
        cfg = parse_config_text(text, f'the config in {self.detector.path}', trusted_packages)
        super().__init__(
            cfg,
            device='cpu',
            image_size=self.detector.image_size,
            show_progress=show_progress,
            rig=rig,
            allow_other_rig=allow_other_rig,
            trusted_packages=trusted_packages,
        )

    def _init_model(self, cfg: ConfigDict, weights: str | None, device: str = 'cpu') -> OnnxModel:
        self.device = device
        metadata = self.detector.metadata
        self.checkpoint_meta = dict(dataset_meta=metadata['dataset_meta'])
        model = OnnxModel(
            self.detector,
            MODELS.build(cfg.model.data_preprocessor),
            dict(classes=tuple(self.detector.classes), palette=_colors(metadata['dataset_meta']['palette'])),
        )
        layer = model.data_preprocessor.acoustic_image
        if layer is not None and self._given_rig is not None and layer.rig.differences(self._given_rig):
            raise ValueError(
                f'rig: the acoustic images of {self.detector.path} are those of another rig: export the '
                'checkpoint again with --rig'
            )
        self.rig = adopt_rig(model, self._given_rig, metadata['dataset_meta'], self.allow_other_rig)
        return model.eval()


def _colors(palette: list | str | None) -> list | str | None:
    """A palette that was JSON, as drawing takes it."""
    return [tuple(color) for color in palette] if isinstance(palette, list) else palette


def exported_metadata(inferencer: AudioDetInferencer) -> dict[str, Any]:
    """What an exported detector tells :class:`OnnxAudioDetector` and :class:`OnnxDetInferencer` of itself.

    Args:
        inferencer: Of the checkpoint that is exported.

    Returns:
        Plain values: ``kind``, ``sample_rate`` (hertz), ``num_channels``, ``window_length`` (samples),
        ``image_size`` (width, height), ``classes``, ``dataset_meta`` with the rig of the training, and
        ``config``, the text of what draws and packs windows.
    """
    dataset = inferencer.test_dataset()
    preprocessor = dict(inferencer.cfg.model.data_preprocessor)
    layer = inferencer.model.data_preprocessor.acoustic_image
    if layer is not None:
        preprocessor['acoustic_image'] = layer.settings()
    values = dict(
        default_scope='mmdet',
        model=dict(data_preprocessor=preprocessor),
        test_dataloader=dict(dataset=dataset),
    )
    meta, stored = inferencer.model.dataset_meta, inferencer.checkpoint_meta.get('dataset_meta') or {}
    rig = inferencer.rig
    return dict(
        kind='audio_detector',
        sample_rate=inferencer.sample_rate,
        num_channels=inferencer.num_channels,
        window_length=inferencer.window_length,
        image_size=list(inferencer.image_size),
        classes=list(meta['classes']),
        dataset_meta=dict(
            classes=list(meta['classes']),
            palette=stored.get('palette') or meta.get('palette'),
            rig=None if rig is None else rig.to_dict(),
        ),
        config=without_layout(Config(values)).pretty_text,
    )
