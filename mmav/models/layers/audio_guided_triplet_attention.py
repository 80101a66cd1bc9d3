"""Audio-guided triplet attention (AGTA): eq. (1)-(8) of Liu, Quan, Wang, Liu, Liu and Yan, "Dense modality
interaction network for audio-visual event localization".

Shapes: B videos, T segments, H and W height and width of a segment's feature map, L = H W locations, C_v and
C_a visual and audio channels, d_o = 256 channels of the correlations, k factors of the bilinear pooling.

Bilinear pooling and LSTM are the same for every location, so the locations go into the batch and each runs
once; the released program runs them location after location.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mmav.utils.checks import PROTOCOLS, check_choice
from mmav.utils.precision import full_precision

# Below this the slope of the square root would outgrow everything else. The roots of a vector are of
# length 1 in the end, so that 1e-12 (1e-6 after the root) is nothing.
SMALLEST = 1e-12


def factorized_bilinear_pooling(
    visual: Tensor,
    audio: Tensor,
    factors: int,
    dropout: float = 0.0,
    training: bool = False,
    protocol: str = 'paper',
) -> Tensor:
    """Multi-modal factorized bilinear pooling (MFB), eq. (3)-(4), of projected features.

    Args:
        visual: Psi^T v, (..., k d_o); its k factors of one channel lie side by side.
        audio: Phi^T a, broadcasting with ``visual``.
        factors: k.
        dropout: Share of zeros in training.
        training: Whether to drop.
        protocol: Where to drop: 'paper', the pooled channels, as eq. (3); 'official', the products.

    Returns:
        (..., d_o), of length 1.

    Example:
        >>> visual = torch.tensor([4.0, 5.0, -8.0, -8.0])
        >>> factorized_bilinear_pooling(visual, torch.ones(4), factors=2)  # roots of 9 and 16, divided by 5
        tensor([ 0.6000, -0.8000])
    """
    product = visual * audio
    if protocol == 'official':
        product = F.dropout(product, dropout, training)
    pooled = product.unflatten(-1, (-1, factors)).sum(-1)  # (..., d_o)
    if protocol == 'paper':
        pooled = F.dropout(pooled, dropout, training)
    pooled = full_precision(pooled)  # half precision has no number as small as those that guard root and norm
    root = pooled.sign() * pooled.abs().clamp(min=SMALLEST).sqrt()
    return F.normalize(root, dim=-1).to(product.dtype)


class AudioGuidedTripletAttention(nn.Module):
    """Attention of sound to a segment's image by channel, time and place, eq. (1)-(8).

    Args:
        visual_channels: C_v. Defaults to 512.
        audio_channels: C_a. Defaults to 128.
        squeeze_channels: Of the channel attention's bottleneck. Defaults to 256.
        embed_dims: d_o; the LSTM's two directions have half of it each. Defaults to 256.
        factors: k. Defaults to 5.
        dropout: Of the bilinear pooling. Defaults to 0.1.
        channel: Whether there is channel attention, eq. (1)-(2). Defaults to True.
        mfb: Whether there is MFB-based attention, eq. (3)-(4). Defaults to True.
        lstm: Whether there is temporal attention, eq. (5)-(6). Defaults to True.
        spatial: Whether there is spatial attention, eq. (7)-(8); without, locations are averaged, and MFB
            and LSTM, which serve it alone, do not exist. Defaults to True.
        protocol: 'paper': channels are multiplied by their attention, eq. (2); 'official': by attention + 1,
            and see :func:`factorized_bilinear_pooling`. Defaults to 'paper'.

    Raises:
        ValueError: If ``embed_dims`` is odd, ``protocol`` unknown, or spatial attention has neither MFB nor
            LSTM.
    """

    def __init__(
        self,
        visual_channels: int = 512,
        audio_channels: int = 128,
        squeeze_channels: int = 256,
        embed_dims: int = 256,
        factors: int = 5,
        dropout: float = 0.1,
        channel: bool = True,
        mfb: bool = True,
        lstm: bool = True,
        spatial: bool = True,
        protocol: str = 'paper',
    ) -> None:
        super().__init__()
        check_choice('AudioGuidedTripletAttention', 'protocol', protocol, PROTOCOLS)
        if embed_dims % 2:
            raise ValueError(f'AudioGuidedTripletAttention: embed_dims must be even, got {embed_dims}')
        if spatial and not (mfb or lstm):
            raise ValueError('AudioGuidedTripletAttention: spatial attention needs mfb or lstm')
        self.factors = factors
        self.dropout = dropout
        self.protocol = protocol
        self.channel, self.spatial = channel, spatial
        self.mfb, self.temporal = spatial and mfb, spatial and lstm
        if channel:
            self.channel_visual = nn.Linear(visual_channels, visual_channels)
            self.channel_audio = nn.Linear(audio_channels, visual_channels)
            self.channel_squeeze = nn.Linear(visual_channels, squeeze_channels)
            self.channel_excite = nn.Linear(squeeze_channels, visual_channels)
        if self.mfb:
            self.mfb_visual = nn.Linear(visual_channels, factors * embed_dims)
            self.mfb_audio = nn.Linear(audio_channels, factors * embed_dims)
        if self.temporal:
            self.temporal_visual = nn.Linear(visual_channels, embed_dims)
            self.temporal_audio = nn.Linear(audio_channels, embed_dims)
            self.lstm = nn.LSTM(2 * embed_dims, embed_dims // 2, 2, bidirectional=True)
        if spatial:
            self.spatial_score = nn.Linear(embed_dims, 1)

    def forward(self, visual: Tensor, audio: Tensor) -> tuple[Tensor, Tensor]:
        """Attend to (B, T, H, W, C_v), guided by (B, T, C_a).

        Returns:
            v^S of eq. (8), (B, T, C_v), and the spatial attention M^S, (B, T, H, W), which sums to 1 over the
            locations of a segment.
        """
        height, width = visual.shape[2:4]
        visual = visual.flatten(2, 3)  # (B, T, L, C_v)
        if self.channel:
            visual = visual * self._channel_attention(visual, audio)[:, :, None]
        if self.spatial:
            correlation: Tensor | int = 0
            if self.mfb:
                correlation = self._mfb_correlation(visual, audio)  # (B, T, L, d_o)
            if self.temporal:
                correlation = correlation + self._temporal_correlation(visual, audio)
            attention = self.spatial_score(correlation).squeeze(-1).tanh().softmax(-1)  # (B, T, L)
        else:
            attention = visual.new_full(visual.shape[:3], 1 / visual.shape[2])
        attended = (attention[:, :, None] @ visual).squeeze(2)  # (B, T, C_v)
        return attended, attention.unflatten(2, (height, width))

    def _channel_attention(self, visual: Tensor, audio: Tensor) -> Tensor:
        """The factor of every channel, (B, T, C_v), eq. (1); ``visual`` is (B, T, L, C_v)."""
        # the sound is the same everywhere: it may be multiplied after the mean
        pooled = _rectify(self.channel_visual, visual).mean(2) * F.relu(self.channel_audio(audio))
        attention = self.channel_excite(F.relu(self.channel_squeeze(pooled))).sigmoid()
        return attention + 1 if self.protocol == 'official' else attention

    def _mfb_correlation(self, visual: Tensor, audio: Tensor) -> Tensor:
        """M^S_av, (B, T, L, d_o), eq. (3)-(4)."""
        return factorized_bilinear_pooling(
            _rectify(self.mfb_visual, visual),
            F.relu(self.mfb_audio(audio))[:, :, None],
            self.factors,
            self.dropout,
            self.training,
            self.protocol,
        )

    def _temporal_correlation(self, visual: Tensor, audio: Tensor) -> Tensor:
        """M^T_av, (B, T, L, d_o), eq. (5)-(6)."""
        # time first, as the LSTM computes: (T, B, L, d_o)
        visual = _rectify(self.temporal_visual, visual).transpose(0, 1)
        audio = F.relu(self.temporal_audio(audio)).transpose(0, 1)[:, :, None].expand_as(visual)
        self.lstm.flatten_parameters()
        output, _ = self.lstm(torch.cat([visual + audio, audio], -1).flatten(1, 2))  # (T, B L, d_o)
        return output.unflatten(1, (-1, visual.shape[2])).transpose(0, 1)


def _rectify(layer: nn.Linear, features: Tensor) -> Tensor:
    """ReLU of a linear layer; in place, which saves a copy of the largest tensors there are.

    The rows are flattened before: in place on a view would cost more than it saves.
    """
    return F.relu(layer(features.flatten(0, -2)), inplace=True).unflatten(0, features.shape[:-1])
