"""Fusion of both modalities: eq. (14) of Liu, Quan, Wang, Liu, Liu and Yan, "Dense modality interaction
network for audio-visual event localization".

Shapes: B videos, T segments, D channels.
"""

import torch
from torch import Tensor, nn


class AudioVisualFusion(nn.Module):
    """The product of both modalities attends to [audio ; visual], by ordinary multi-head attention.

    Args:
        embed_dims: D.
        num_heads: Heads.
        dropout: Of the attention weights and of what is attended to. Defaults to 0.1.
    """

    def __init__(self, embed_dims: int, num_heads: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(embed_dims, num_heads, dropout=dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.norm = nn.LayerNorm(embed_dims)

    def forward(self, audio: Tensor, visual: Tensor) -> Tensor:
        """Fuse a_cross and v_cross, (B, T, D), to F_o, (B, T, D)."""
        product = audio * visual
        memory = torch.cat([audio, visual], dim=1)
        attended, _ = self.attention(product, memory, memory, need_weights=False)
        return self.norm(product + self.dropout(attended))
