"""Self- and cross-attention of sound and image: HAN (Tian, Li and Xu, "Unified multisensory perception:
weakly-supervised audio-visual video parsing", ECCV 2020) and the changes to it by Lamba et al.,
"Cross-modal learning for audio-visual video parsing" (Interspeech 2021).

Shapes: B videos, T segments, D channels.

For a modality x and the other one o, before the feed-forward part:

    HAN          LayerNorm(x + SA(x) + CA(x, o))          SA shared by the modalities
    Base         LayerNorm(x + CA(s_x, s_o)),             s_x = x + SA_x(x), one SA for each modality
    Base + Skip  LayerNorm(s_x + CA(s_x, s_o))
"""

import torch.nn.functional as F
from torch import Tensor, nn

from .global_context_attention import GlobalContextAttention, SegmentAttention


class HybridAttentionLayer(nn.Module):
    """One layer of hybrid attention over two modalities.

    Cross-attention, feed-forward part and norms are shared by the modalities.

    Args:
        embed_dims: D. Defaults to 512.
        num_heads: Heads of every attention. Defaults to 1.
        feedforward_channels: Width of the feed-forward part. Defaults to 512.
        dropout: Rate of all dropouts. Defaults to 0.1.
        base: Whether each modality has its own self-attention and cross-attention works on self-attended
            features (the paper's Base). Defaults to False: HAN.
        skip: Whether the self-attended signal goes past the cross-attention (the paper's Skip), with
            ``base``. Defaults to False.
        gcaa: Whether attention is :class:`GlobalContextAttention`. Defaults to False.

    Raises:
        ValueError: With ``skip`` and without ``base``.
    """

    def __init__(
        self,
        embed_dims: int = 512,
        num_heads: int = 1,
        feedforward_channels: int = 512,
        dropout: float = 0.1,
        base: bool = False,
        skip: bool = False,
        gcaa: bool = False,
    ) -> None:
        super().__init__()
        if skip and not base:
            raise ValueError('skip needs base=True: HAN adds the self-attended signal as it is')
        self.base, self.skip = base, skip
        attention = GlobalContextAttention if gcaa else SegmentAttention
        self.self_attention = nn.ModuleDict(
            {
                name: attention(embed_dims, num_heads, dropout)
                for name in (('audio', 'visual') if base else ('shared',))
            }
        )
        self.cross_attention = attention(embed_dims, num_heads, dropout)
        self.linear1 = nn.Linear(embed_dims, feedforward_channels)
        self.linear2 = nn.Linear(feedforward_channels, embed_dims)
        self.norm1 = nn.LayerNorm(embed_dims)
        self.norm2 = nn.LayerNorm(embed_dims)
        self.dropout = nn.Dropout(dropout)

    def forward(self, audio: Tensor, visual: Tensor) -> tuple[Tensor, Tensor]:
        """Let sound and image, (B, T, D) each, look at themselves and at each other."""
        if not self.base:
            attend = self.self_attention['shared']
            mixed = [
                x + self.dropout(self.cross_attention(x, other)) + self.dropout(attend(x, x))
                for x, other in ((audio, visual), (visual, audio))
            ]
        else:
            inputs = dict(audio=audio, visual=visual)
            attended = {name: x + self.dropout(self.self_attention[name](x, x)) for name, x in inputs.items()}
            kept = attended if self.skip else inputs
            mixed = [
                kept[name] + self.dropout(self.cross_attention(attended[name], attended[other]))
                for name, other in (('audio', 'visual'), ('visual', 'audio'))
            ]
        audio, visual = (self._feed_forward(x) for x in mixed)
        return audio, visual

    def _feed_forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x)
        return self.norm2(x + self.dropout(self.linear2(self.dropout(F.relu(self.linear1(x))))))
