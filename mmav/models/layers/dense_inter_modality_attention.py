"""Dense inter-modality attention (DIMA): eq. (11) of Liu, Quan, Wang, Liu, Liu and Yan, "Dense modality
interaction network for audio-visual event localization".

Shapes: B videos, T segments of the querying modality, S of the other, D channels, n heads,
d = D / n channels of a head.
"""

from typing import Any

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks.transformer import FFN
from torch import Tensor, nn

from mmav.utils.checks import PROTOCOLS, check_choice

from .dense_fusion_attention import dense_fusion_attention

SCORES = ('dot', 'dense')


class DenseInterModalityAttention(nn.MultiheadAttention):
    """Multi-head attention of one modality to both, with scores of two kinds.

    Queries come from one modality, keys and values from [other ; own], one after the other in time. In the
    paper own keys are scored by the dot product, the other's by :func:`dense_fusion_attention`; Table V
    varies that. Parameters are those of ``torch.nn.MultiheadAttention``.

    Args:
        embed_dims: D.
        num_heads: n.
        dropout: Of the attention weights. Defaults to 0.
        own_score: How queries meet keys of their own modality, 'dot' or 'dense'. Defaults to 'dot'.
        other_score: How they meet the other's. Defaults to 'dense'.
        alpha: See :func:`dense_fusion_attention`. Defaults to 0.5.
        protocol: See :func:`dense_fusion_attention`. Defaults to 'paper'.

    Raises:
        ValueError: If ``own_score``, ``other_score`` or ``protocol`` is unknown.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        dropout: float = 0.0,
        own_score: str = 'dot',
        other_score: str = 'dense',
        alpha: float = 0.5,
        protocol: str = 'paper',
    ) -> None:
        super().__init__(embed_dims, num_heads, dropout=dropout, batch_first=True)
        for name, score in (('own_score', own_score), ('other_score', other_score)):
            check_choice('DenseInterModalityAttention', name, score, SCORES)
        check_choice('DenseInterModalityAttention', 'protocol', protocol, PROTOCOLS)
        self.own_score = own_score
        self.other_score = other_score
        self.alpha = alpha
        self.protocol = protocol

    def forward(  # type: ignore[override]  # keys and values are of two modalities here
        self,
        query: Tensor,
        own: Tensor,
        other: Tensor,
        own_valid: Tensor | None = None,
        other_valid: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Attend.

        Args:
            query: (B, T, D).
            own: Keys of the querying modality, (B, T, D); as a rule the queries themselves.
            other: Keys of the other, (B, S, D).
            own_valid: (B, T), bool; keys that may be attended to. None: all.
            other_valid: (B, S), bool.

        Returns:
            (B, T, D), and the weights of [other ; own] averaged over the heads, (B, T, S + T).
        """
        w_q, w_kv = self.in_proj_weight.split([self.embed_dim, 2 * self.embed_dim])
        b_q, b_kv = self.in_proj_bias.split([self.embed_dim, 2 * self.embed_dim])
        query = self._heads(F.linear(query, w_q, b_q)) * self.head_dim**-0.5
        key, value = (
            self._heads(part) for part in F.linear(torch.cat([other, own], 1), w_kv, b_kv).chunk(2, -1)
        )
        key_other, key_own = key.split([other.shape[1], own.shape[1]], dim=2)
        scores = torch.cat(
            [
                self._score(query, key_other, self.other_score),
                self._score(query, key_own, self.own_score),
            ],
            dim=-1,
        )
        if own_valid is not None or other_valid is not None:
            valid = [
                features.new_ones(features.shape[:2], dtype=torch.bool) if mask is None else mask
                for features, mask in ((other, other_valid), (own, own_valid))
            ]
            scores = scores.masked_fill(~torch.cat(valid, 1)[:, None, None], -torch.inf)
        weights = scores.softmax(-1)
        attended = F.dropout(weights, self.dropout, self.training) @ value
        return self.out_proj(attended.transpose(1, 2).flatten(2)), weights.mean(1)

    def _heads(self, features: Tensor) -> Tensor:
        """(B, T, D) to (B, n, T, d)."""
        return features.unflatten(-1, (self.num_heads, self.head_dim)).transpose(1, 2)

    def _score(self, query: Tensor, key: Tensor, kind: str) -> Tensor:
        if kind == 'dot':
            return query @ key.transpose(-2, -1)
        return dense_fusion_attention(query, key, self.alpha, self.protocol)


class DIMALayer(nn.Module):
    """DIMA with residual connections, layer normalization and a feed-forward part, as eq. (10).

    Args:
        embed_dims: D.
        num_heads: n.
        feedforward_channels: Hidden channels of the feed-forward part.
        dropout: Everywhere in the layer. Defaults to 0.
        **attention: Others of :class:`DenseInterModalityAttention`.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        feedforward_channels: int,
        dropout: float = 0.0,
        **attention: Any,
    ) -> None:
        super().__init__()
        self.attention = DenseInterModalityAttention(embed_dims, num_heads, dropout, **attention)
        self.dropout = nn.Dropout(dropout)
        self.norm1 = nn.LayerNorm(embed_dims)
        self.ffn = FFN(embed_dims, feedforward_channels, ffn_drop=dropout)
        self.norm2 = nn.LayerNorm(embed_dims)

    def forward(
        self,
        own: Tensor,
        other: Tensor,
        own_valid: Tensor | None = None,
        other_valid: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """As :meth:`DenseInterModalityAttention.forward`, with ``own`` for queries."""
        attended, weights = self.attention(own, own, other, own_valid, other_valid)
        features = self.norm1(own + self.dropout(attended))
        return self.norm2(self.ffn(features)), weights
