"""What DMIN and DCMR share: self-attention in each modality, then dense attention between both; sections
IV-B and IV-C of Liu, Quan, Wang, Liu, Liu and Yan, "Dense modality interaction network for audio-visual
event localization".

Shapes: B videos, T segments, C_v and C_a visual and audio channels, D channels of the embeddings.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from .dense_inter_modality_attention import DIMALayer


class DenseModalityInteraction(nn.Module):
    """Self-attentive and cross-attentive features of both modalities.

    Neither knows positions: where a segment lies in time has no part in what becomes of it.

    Args:
        visual_channels: C_v. Defaults to 512.
        audio_channels: C_a. Defaults to 128.
        embed_dims: D. Defaults to 256.
        num_heads: Heads of all attentions. Defaults to 4.
        num_layers: Layers of the self-attention. Defaults to 2.
        feedforward_channels: Hidden channels of the feed-forward parts. Defaults to 2048.
        dropout: Of the self-attention's layers. Defaults to 0.1.
        use_dima: Whether there is DIMA; without, the cross-attentive features are the self-attentive ones.
            Defaults to True.
        dima: Arguments of :class:`DIMALayer`: ``dropout``, ``own_score``, ``other_score``, ``alpha``.
        protocol: See :func:`dense_fusion_attention`. Defaults to 'paper'.
    """

    def __init__(
        self,
        visual_channels: int = 512,
        audio_channels: int = 128,
        embed_dims: int = 256,
        num_heads: int = 4,
        num_layers: int = 2,
        feedforward_channels: int = 2048,
        dropout: float = 0.1,
        use_dima: bool = True,
        dima: Mapping | None = None,
        protocol: str = 'paper',
    ) -> None:
        super().__init__()
        channels = dict(visual=visual_channels, audio=audio_channels)
        self.input_proj = nn.ModuleDict({name: nn.Linear(c, embed_dims) for name, c in channels.items()})
        self.encoder = nn.ModuleDict(
            {
                name: nn.TransformerEncoder(
                    nn.TransformerEncoderLayer(
                        embed_dims, num_heads, feedforward_channels, dropout, batch_first=True
                    ),
                    num_layers,
                    enable_nested_tensor=False,
                )
                for name in channels
            }
        )
        self.use_dima = use_dima
        if use_dima:
            options = dict(dima or {}, protocol=protocol)
            self.query_proj = nn.ModuleDict({name: nn.Linear(c, embed_dims) for name, c in channels.items()})
            self.dima = nn.ModuleDict(
                {name: DIMALayer(embed_dims, num_heads, feedforward_channels, **options) for name in channels}
            )

    def forward(
        self,
        visual: Tensor,
        audio: Tensor,
        visual_valid: Tensor | None = None,
        audio_valid: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Interact.

        Args:
            visual: (B, T, C_v).
            audio: (B, T, C_a).
            visual_valid: (B, T), bool; segments that may be attended to, at least one a video. None: all.
            audio_valid: (B, T), bool.

        Returns:
            ``v_self``, ``a_self``, ``v_cross``, ``a_cross``, each (B, T, D); with DIMA also
            ``v_attention`` and ``a_attention``, its weights averaged over the heads, (B, T, 2 T): of visual
            queries on [audio ; visual] and of audio queries on [visual ; audio].
        """
        features = dict(visual=visual, audio=audio)
        valid = dict(visual=visual_valid, audio=audio_valid)
        padding = {name: None if mask is None else ~mask for name, mask in valid.items()}
        own = {
            name: self.encoder[name](self.input_proj[name](values), src_key_padding_mask=padding[name])
            for name, values in features.items()
        }
        outputs = dict(v_self=own['visual'], a_self=own['audio'])
        if not self.use_dima:
            return dict(outputs, v_cross=own['visual'], a_cross=own['audio'])
        for name, other, short in (('visual', 'audio', 'v'), ('audio', 'visual', 'a')):
            query = self.query_proj[name](features[name])
            outputs[f'{short}_cross'], outputs[f'{short}_attention'] = self.dima[name](
                query, own[other], valid[name], valid[other]
            )
        return outputs
