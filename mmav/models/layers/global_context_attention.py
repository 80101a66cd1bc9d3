"""Attention between segments: plain, and aware of the whole sequence (GCAA).

The latter is that of Lamba et al., "Cross-modal learning for audio-visual video parsing" (Interspeech 2021),
section 3.1, after Xuan et al., "Cross-modal attention network for temporal inconsistent audio-visual event
localization" (AAAI 2020).

Shapes: B videos, T segments that ask, S segments that are asked, D channels.
"""

import torch
from torch import Tensor, nn


class SegmentAttention(nn.MultiheadAttention):
    """PyTorch's multi-head attention of one sequence on another; its parameters have PyTorch's names.

    Args:
        embed_dims: D.
        num_heads: Heads, which D must be a multiple of. Defaults to 1.
        dropout: Rate of dropped attention weights. Defaults to 0.0.
    """

    def __init__(self, embed_dims: int, num_heads: int = 1, dropout: float = 0.0) -> None:
        super().__init__(embed_dims, num_heads, dropout=dropout, batch_first=True)

    def forward(self, query: Tensor, source: Tensor) -> Tensor:  # type: ignore[override]  # keys are values
        """Attend.

        Args:
            query: Segments that ask, (B, T, D).
            source: Segments that give keys and values, (B, S, D); the same for self-attention.

        Returns:
            (B, T, D).
        """
        return super().forward(query, source, source, need_weights=False)[0]


class GlobalContextAttention(SegmentAttention):
    """Attention whose queries and keys know their whole sequence.

    With g the mean over the segments of a sequence, a segment's local context is

        c_t = LayerNorm(x_t + W [x_t ; g]);

    queries and keys are made from the local contexts, values from the segments themselves.

    Args:
        embed_dims: D.
        num_heads: Heads, which D must be a multiple of. Defaults to 1.
        dropout: Rate of dropped attention weights. Defaults to 0.0.
    """

    def __init__(self, embed_dims: int, num_heads: int = 1, dropout: float = 0.0) -> None:
        super().__init__(embed_dims, num_heads, dropout)
        self.context = nn.Linear(2 * embed_dims, embed_dims)
        self.norm = nn.LayerNorm(embed_dims)

    def local_context(self, segments: Tensor) -> Tensor:
        """c: the segments x, (B, T, D), in the light of their sequence."""
        mean = segments.mean(1, keepdim=True).expand(-1, segments.shape[1], -1)
        return self.norm(segments + self.context(torch.cat((segments, mean), dim=2)))

    def forward(self, query: Tensor, source: Tensor) -> Tensor:  # type: ignore[override]  # as above
        """Attend: segments (B, T, D) ask, (B, S, D) give keys and values; the same for self-attention."""
        asking = self.local_context(query)
        asked = asking if source is query else self.local_context(source)
        return nn.MultiheadAttention.forward(self, asking, asked, source, need_weights=False)[0]
