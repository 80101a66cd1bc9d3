"""Modality discriminator of Lamba et al., "Cross-modal learning for audio-visual video parsing" (Interspeech
2021), section 3.1.

Shapes: B videos, T segments, D channels.
"""

import torch
from torch import Tensor, nn

from .gradient_reversal import GradientReversal


class ModalityDiscriminator(nn.Module):
    """G_m: tells sound's features from the image's, while what makes these learns to prevent it.

    Args:
        embed_dims: D. Defaults to 512.
        hidden_channels: Width of its hidden layer. Defaults to 256.
        weight: lambda_ad of eq. (2), factor of the reversed gradient; the discriminator itself learns at
            full speed. Defaults to 0.4.
    """

    def __init__(self, embed_dims: int = 512, hidden_channels: int = 256, weight: float = 0.4) -> None:
        super().__init__()
        self.reversal = GradientReversal(weight)
        self.layers = nn.Sequential(
            nn.Linear(embed_dims, hidden_channels), nn.ReLU(), nn.Linear(hidden_channels, 1)
        )

    def forward(self, audio: Tensor, visual: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, T) of being sound, of either modality (B, T, D)."""
        logits = self.layers(self.reversal(torch.stack((audio, visual)))).squeeze(-1)
        return logits[0], logits[1]
