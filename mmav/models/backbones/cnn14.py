"""CNN14 of the pretrained audio neural networks (PANNs), Kong et al., TASLP 2020.

Shapes: B clips, L samples, M mel bands, T frames, D width of the embedding.
"""

from collections.abc import Mapping

import torch
from mmdet.registry import MODELS
from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, dropout, relu

from ...utils.checkpoint import load_strict, read_checkpoint, select_state_dict
from ..layers.log_mel_spectrogram import LogMelSpectrogram

# Names in published checkpoints that have no counterpart: constants of the front end, and AudioSet's classes.
_MEL_FILTERS = 'logmel_extractor.melW'
_DROPPED = ('spectrogram_extractor.', 'logmel_extractor.', 'fc_audioset.')

# Channels of the six blocks as multiples of the first's.
_WIDTHS = (1, 2, 4, 8, 16, 32)


class _ConvBlock(nn.Module):
    """Two 3 x 3 convolutions, each with batch norm and ReLU, and average pooling."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.bn2 = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, pool: int) -> Tensor:
        x = relu(self.bn1(self.conv1(x)))
        x = relu(self.bn2(self.conv2(x)))
        return avg_pool2d(x, pool)


@MODELS.register_module()
class CNN14(BaseModule):
    """Waveform to an embedding of the whole clip, with the parameter names of the published checkpoints.

    Log-mel spectrogram (Hann window, mirrored edges, decibel without a floor below the maximum), batch norm
    over mel bands, six convolution blocks, mean over frequency, maximum plus mean over time, a linear layer.
    The published class weights (``fc_audioset``) are not used. In training mode the published dropout is
    applied, but neither mixup nor the masking of spectrograms.

    Args:
        sample_rate: Of the waveform, in hertz. Defaults to 32000.
        n_fft: Length of the transform, and of its window, in samples. Defaults to 1024.
        hop_length: Samples between frames. Defaults to 320.
        n_mels: Mel bands. Defaults to 64.
        f_min: Lowest frequency of the mel filters in hertz. Defaults to 50.
        f_max: Highest, in hertz. Defaults to 14000.
        base_channels: Channels of the first block; the embedding has 32 times as many. Defaults to 64.
        checkpoint: PANNs checkpoint ('Cnn14_mAP=0.431.pth'), or any state dict of this module; read strictly
            by ``init_weights``. None: Xavier-uniform weights. Defaults to None.
        init_cfg: Initialization config, instead of ``checkpoint``. Defaults to None.

    Raises:
        ValueError: If both ``checkpoint`` and ``init_cfg`` are given.
    """

    def __init__(
        self,
        sample_rate: int = 32000,
        n_fft: int = 1024,
        hop_length: int = 320,
        n_mels: int = 64,
        f_min: float = 50.0,
        f_max: float = 14000.0,
        base_channels: int = 64,
        checkpoint: str | None = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        if checkpoint is not None and init_cfg is not None:
            raise ValueError('CNN14: give checkpoint or init_cfg, not both')
        if checkpoint is None and init_cfg is None:
            init_cfg = dict(type='Xavier', layer=['Conv2d', 'Linear'], distribution='uniform')
        super().__init__(init_cfg)
        self.checkpoint = checkpoint
        self.log_mel = LogMelSpectrogram(
            sample_rate,
            n_fft,
            hop_length,
            n_mels,
            reference=1.0,
            f_min=f_min,
            f_max=f_max,
            top_db=None,
            pad_mode='reflect',
        )
        self.bn0 = nn.BatchNorm2d(n_mels)
        channels = [1, *(base_channels * width for width in _WIDTHS)]
        for number in range(1, len(channels)):
            block = _ConvBlock(channels[number - 1], channels[number])
            self.add_module(f'conv_block{number}', block)
        self.fc1 = nn.Linear(channels[-1], channels[-1])

    def init_weights(self) -> None:
        """Initialize, or read the checkpoint.

        Raises:
            RuntimeError: If names or shapes of the checkpoint do not fit; the message lists them.
            ValueError: If the checkpoint was made with other mel filters.
        """
        if self.checkpoint is None:
            super().init_weights()
            return
        state_dict = select_state_dict(read_checkpoint(self.checkpoint), source=self.checkpoint)
        self._check_filters(state_dict)
        load_strict(self, state_dict, self.checkpoint, allow_unexpected=_DROPPED)
        self.is_init = True

    def _check_filters(self, state_dict: Mapping[str, Tensor]) -> None:
        filters = state_dict.get(_MEL_FILTERS)
        if filters is None:
            return
        own = self.log_mel.filters.t()
        # librosa has computed them in other precisions over the years
        if filters.shape != own.shape or (filters - own).abs().max() > 1e-3 * own.max():
            raise ValueError(
                f'{self.checkpoint} was trained on other mel filters, {_MEL_FILTERS} {tuple(filters.shape)}, '
                f'than those of sample_rate, n_fft, n_mels, f_min, f_max, {tuple(own.shape)}: set them to '
                "the checkpoint's"
            )

    def forward(self, waveform: Tensor) -> Tensor:
        """Embed clips (B, L), mono at ``sample_rate``, in -1..1, to (B, 32 ``base_channels``), not negative.

        Raises:
            ValueError: If the waveform has another shape or fewer than 32 frames.
        """
        if waveform.dim() != 2:
            raise ValueError(f'CNN14 takes mono waveforms (B, L), got {tuple(waveform.shape)}')
        if self.log_mel.num_frames(waveform.shape[1]) < 32:
            raise ValueError(
                f'CNN14 needs 32 frames, {31 * self.log_mel.hop_length} samples; '
                f'the clips have {waveform.shape[1]}'
            )
        x = self.log_mel(waveform[:, None]).transpose(1, 2)  # (B, M, 1, T)
        x = self.bn0(x).permute(0, 2, 3, 1)  # (B, 1, T, M)
        for number in range(1, 7):
            x = self.get_submodule(f'conv_block{number}')(x, pool=2 if number < 6 else 1)
            x = dropout(x, 0.2, self.training)
        x = x.mean(3)  # (B, D, T / 32)
        x = dropout(x.amax(2) + x.mean(2), 0.5, self.training)
        return dropout(torch.relu(self.fc1(x)), 0.5, self.training)
