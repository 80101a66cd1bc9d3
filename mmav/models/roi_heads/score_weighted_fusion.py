"""Importance-weighted fusion of audio and visual RoI features: eq. (1)-(2) of Kim and Kim, ICASSP 2023.

Shapes: N RoIs, C channels, h and w size of a RoI's feature.
"""

import torch
from mmdet.registry import MODELS
from mmengine.model import xavier_init
from torch import Tensor, nn


def score_weights(score_audio: Tensor, score_visual: Tensor) -> tuple[Tensor, Tensor]:
    """W_a and W_v, (N,) each, eq. (1): p_a and p_v divided by their sum; both 0.5 where both are 0."""
    total = score_audio + score_visual
    informed = total > 0
    weight_audio = torch.where(informed, score_audio / torch.where(informed, total, 1.0), 0.5)
    weight_visual = torch.where(informed, score_visual / torch.where(informed, total, 1.0), 0.5)
    return weight_audio, weight_visual


def init_as_mean(conv: nn.Conv2d, total: float = 1.0) -> None:
    """Set a 1x1 convolution over k stacked groups of C channels to ``total`` times their mean (k: sum)."""
    channels = conv.out_channels
    groups = conv.in_channels // channels
    with torch.no_grad():
        identity = torch.eye(channels, dtype=conv.weight.dtype, device=conv.weight.device)
        conv.weight.copy_(identity.repeat(1, groups)[:, :, None, None] * (total / groups))
        if conv.bias is not None:
            nn.init.zeros_(conv.bias)


@MODELS.register_module()
class ScoreWeightedFusion(nn.Module):
    """f_av = G([W_a f_a ; W_v f_v]) with G a 1x1 convolution, eq. (1)-(2).

    Args:
        channels: C, channels of each modality's RoI feature.
        detach_weights: Whether the gradient stops at W, so that the scores are trained by their own
            losses only. Defaults to True.
        use_weights: False gives the ablation of Table 3: the features are concatenated as they are, W
            is left out of eq. (2). Defaults to True.
        init: 'sum': G starts as W_a f_a + W_v f_v (without weights as the mean of f_a and f_v, the same
            scale); 'random': Xavier-uniform. Defaults to 'sum'.

    Raises:
        ValueError: If ``init`` is neither.
    """

    def __init__(
        self, channels: int, detach_weights: bool = True, use_weights: bool = True, init: str = 'sum'
    ) -> None:
        super().__init__()
        self.channels = channels
        self.detach_weights = detach_weights
        self.use_weights = use_weights
        self.conv = nn.Conv2d(2 * channels, channels, 1)
        if init == 'sum':
            init_as_mean(self.conv, total=2.0 if use_weights else 1.0)
        elif init == 'random':
            xavier_init(self.conv, distribution='uniform')
        else:
            raise ValueError(f"ScoreWeightedFusion: init must be 'sum' or 'random', got {init!r}")

    def forward(
        self, roi_audio: Tensor, roi_visual: Tensor, score_audio: Tensor, score_visual: Tensor
    ) -> Tensor:
        """Fuse f_a and f_v (N, C, h, w) of the same RoIs by p_a and p_v (N,), 0..1, to f_av (N, C, h, w)."""
        if self.use_weights:
            if self.detach_weights:
                score_audio, score_visual = score_audio.detach(), score_visual.detach()
            weight_audio, weight_visual = score_weights(score_audio, score_visual)
            roi_audio = weight_audio.to(roi_audio.dtype)[:, None, None, None] * roi_audio
            roi_visual = weight_visual.to(roi_visual.dtype)[:, None, None, None] * roi_visual
        return self.conv(torch.cat((roi_audio, roi_visual), dim=1))
