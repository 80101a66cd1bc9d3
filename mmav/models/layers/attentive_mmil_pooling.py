"""Attentive multimodal multiple instance learning (MMIL) pooling of HAN: Tian, Li and Xu, "Unified
multisensory perception: weakly-supervised audio-visual video parsing" (ECCV 2020).

Shapes: B videos, T segments, 2 modalities (sound, image), D channels, C classes.
"""

import torch
from torch import Tensor, nn


def attentive_mmil_pooling(
    frame_prob: Tensor, temporal_logits: Tensor, modality_logits: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Probabilities of a video from those of its segments.

    Args:
        frame_prob: Probabilities of segments, (B, T, 2, C), the modalities in the order sound, image.
        temporal_logits: (B, T, 2, C); their softmax over T weighs the segments of a modality.
        modality_logits: (B, T, 2, C); their softmax over the modalities weighs these.

    Returns:
        Probabilities of the video, of its sound, of its image, (B, C) each.

    Example:
        >>> frame_prob = torch.tensor([[[1.0, 1.0], [0.0, 1.0]]])[..., None]  # sound stops, the image stays
        >>> even = torch.zeros(1, 2, 2, 1)
        >>> attentive_mmil_pooling(frame_prob, even, even)
        (tensor([[0.7500]]), tensor([[0.5000]]), tensor([[1.]]))
    """
    weighted = temporal_logits.softmax(1) * frame_prob
    global_prob = (weighted * modality_logits.softmax(2)).sum((1, 2))
    audio_prob, visual_prob = weighted.sum(1).unbind(1)
    return global_prob, audio_prob, visual_prob


class AttentiveMMILPooling(nn.Module):
    """Classes of segments, and of the video by :func:`attentive_mmil_pooling`.

    One classifier serves both modalities.

    Args:
        embed_dims: D. Defaults to 512.
        num_classes: C. Defaults to 25.
    """

    def __init__(self, embed_dims: int = 512, num_classes: int = 25) -> None:
        super().__init__()
        self.classifier = nn.Linear(embed_dims, num_classes)
        self.temporal_attention = nn.Linear(embed_dims, num_classes)
        self.modality_attention = nn.Linear(embed_dims, num_classes)

    def forward(self, audio: Tensor, visual: Tensor) -> dict[str, Tensor]:
        """Classify features (B, T, D) of the segments of sound and image.

        Returns:
            Probabilities ``global_prob``, ``audio_prob``, ``visual_prob`` (B, C) and
            ``frame_prob`` (B, T, 2, C).
        """
        features = torch.stack((audio, visual), dim=2)
        frame_prob = self.classifier(features).sigmoid()
        global_prob, audio_prob, visual_prob = attentive_mmil_pooling(
            frame_prob, self.temporal_attention(features), self.modality_attention(features)
        )
        return dict(
            global_prob=global_prob, audio_prob=audio_prob, visual_prob=visual_prob, frame_prob=frame_prob
        )
