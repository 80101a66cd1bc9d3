"""Audio-visual grounding (AVG): pretraining of Lamba et al., "Cross-modal learning for audio-visual video
parsing" (Interspeech 2021), section 3.2.

Shapes: B videos, T segments (seconds; a segment's sound or image is a snippet), F frames, D
channels, N = B * T.
"""

from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.utils import ConfigType
from torch import Tensor, nn

from mmav.structures import SegmentDataSample

from .segment_model import Inputs, Samples, SegmentModel, ensure_data_samples, mean_per_segment, select_inputs
from .similarity_graph import semantic_components


@MODELS.register_module()
class AVGPretrainer(SegmentModel):
    """A joint transformer over sound and image, trained to embed alike what means the same.

    Features of both modalities pass a linear layer each, gain an embedding of their second and of their
    modality, and go as one sequence of 2 T tokens through the transformer. No label is used: snippets are
    positive pairs if the similarity graph of the batch connects them (:func:`semantic_components`).

    Inputs: ``audio`` (B, T, 128), VGGish; ``visual`` (B, F, 2048), ResNet-152, F a multiple of T. The
    embeddings, (T, D) each, replace these features as the parser's inputs
    (``tools/write_avg_representations.py``).

    Args:
        audio_channels: Of ``audio``. Defaults to 128.
        visual_channels: Of ``visual``. Defaults to 2048.
        embed_dims: D. Defaults to 512.
        num_layers: Layers of the transformer. Defaults to 4.
        num_heads: Heads of its attention. Defaults to 8.
        feedforward_channels: Defaults to 2048.
        dropout: Defaults to 0.1.
        max_segments: Most segments of a video. Defaults to 10.
        audio_threshold: Least cosine similarity of VGGish features that links snippets. Defaults to 0.9.
        visual_threshold: Least cosine similarity of ResNet-152 features that does. Defaults to 0.9.
        loss: Config of the loss. Defaults to ``AVGLoss``, the multimodal objective.
        **kwargs: Of :class:`SegmentModel`.

    Raises:
        ValueError: In use, if features are of another shape, or videos longer than ``max_segments``.
        KeyError: In use, if the inputs lack a feature.
    """

    def __init__(
        self,
        audio_channels: int = 128,
        visual_channels: int = 2048,
        embed_dims: int = 512,
        num_layers: int = 4,
        num_heads: int = 8,
        feedforward_channels: int = 2048,
        dropout: float = 0.1,
        max_segments: int = 10,
        audio_threshold: float = 0.9,
        visual_threshold: float = 0.9,
        loss: ConfigType = dict(type='AVGLoss'),  # noqa: B006  (not changed)
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.channels = dict(audio=audio_channels, visual=visual_channels)
        self.audio_embedding = nn.Linear(audio_channels, embed_dims)
        self.visual_embedding = nn.Linear(visual_channels, embed_dims)
        # BERT's and UNITER's start of embeddings
        self.position_embedding = nn.Parameter(0.02 * torch.randn(max_segments, embed_dims))
        self.modality_embedding = nn.Parameter(0.02 * torch.randn(2, embed_dims))
        self.norm = nn.LayerNorm(embed_dims)
        self.dropout = nn.Dropout(dropout)
        layer = nn.TransformerEncoderLayer(
            embed_dims, num_heads, feedforward_channels, dropout, activation='gelu', batch_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, num_layers, enable_nested_tensor=False)
        self.thresholds = dict(visual_threshold=visual_threshold, audio_threshold=audio_threshold)
        self.avg_loss = MODELS.build(loss)

    def _features(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """(B, T, channels) of sound and of image."""
        audio, visual = select_inputs(inputs, self.channels)
        if audio.shape[1] > len(self.position_embedding):
            raise ValueError(
                f'videos of {audio.shape[1]} segments: max_segments is {len(self.position_embedding)}'
            )
        return audio, mean_per_segment(visual, audio.shape[1], 'visual')

    def _embed(self, audio: Tensor, visual: Tensor) -> tuple[Tensor, Tensor]:
        tokens = torch.stack((self.audio_embedding(audio), self.visual_embedding(visual)), dim=1)
        position = self.position_embedding[: audio.shape[1]]
        tokens = tokens + position + self.modality_embedding[:, None]
        embedded = self.transformer(self.dropout(self.norm(tokens)).flatten(1, 2))
        audio, visual = embedded.unflatten(1, (2, -1)).unbind(1)
        return audio, visual

    def outputs(self, inputs: Inputs) -> dict[str, Tensor]:
        """``audio_embeds`` and ``visual_embeds`` of the snippets, (B, T, D) each."""
        audio, visual = self._embed(*self._features(inputs))
        return dict(audio_embeds=audio, visual_embeds=visual)

    def loss(self, inputs: Inputs, data_samples: Samples | None = None) -> dict[str, Tensor]:
        """Losses of eq. (3)-(5) of a batch, over all pairs of its N snippets; data samples are not used.

        With ``components``, the number of components of the graph, and ``positive_share``, the share of
        positive pairs among those of different videos: near 0 or 1 the thresholds do not suit the features.
        """
        audio, visual = self._features(inputs)
        videos, segments = audio.shape[:2]
        embeds = [embed.flatten(0, 1).to(audio.dtype) for embed in self._embed(audio, visual)]
        with torch.autocast(audio.device.type, enabled=False):  # half precision would move edges
            components = semantic_components(visual.flatten(0, 1), audio.flatten(0, 1), **self.thresholds)
            is_positive = components[:, None] == components
            losses = self.avg_loss(*embeds, is_positive)
        video = torch.arange(videos, device=audio.device).repeat_interleave(segments)
        apart = video[:, None] != video
        losses['components'] = components.max() + 1.0
        losses['positive_share'] = (is_positive & apart).sum() / apart.sum().clamp_min(1)
        return losses

    def predict(self, inputs: Inputs, data_samples: Samples | None = None) -> list[SegmentDataSample]:
        """Embeddings of a batch as data samples, ``pred_audio_embeds`` and ``pred_visual_embeds`` (T, D)."""
        embeds = self.outputs(inputs)
        audio, visual = embeds['audio_embeds'], embeds['visual_embeds']
        data_samples = ensure_data_samples(data_samples, *audio.shape[:2])
        for index, sample in enumerate(data_samples):
            sample.pred_audio_embeds, sample.pred_visual_embeds = audio[index], visual[index]
        return data_samples
