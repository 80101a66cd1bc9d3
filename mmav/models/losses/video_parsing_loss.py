"""Losses of audio-visual video parsing: those of HAN (Tian, Li and Xu, ECCV 2020) and eq. (1) and (2) of
Lamba et al., "Cross-modal learning for audio-visual video parsing" (Interspeech 2021).

Shapes: B videos, T segments, C classes.

Only the set of events of a video is known, y. The loss is L_wsl + lambda_g L_g, with

    L_wsl = BCE(global, y),    L_g = BCE(audio, y_a) + BCE(visual, y_v);

y_a and y_v are y smoothed towards 0.5, as not all events can be heard and seen. lambda_g is 1 in HAN, 0.6 in
the second paper.
"""

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmav.utils.checks import check_range
from mmav.utils.precision import full_precision


def smooth_labels(labels: Tensor, confidence: float) -> Tensor:
    """Draw labels towards 0.5.

    Args:
        labels: Any shape, in 0..1.
        confidence: Share of the labels that is kept, 0..1; 1 changes nothing.

    Returns:
        The same shape.

    Example:
        >>> smooth_labels(torch.tensor([0.0, 1.0]), confidence=0.9)
        tensor([0.0500, 0.9500])
    """
    return confidence * labels + (1 - confidence) * 0.5


def clamped_bce(prob: Tensor, target: Tensor, eps: float = 1e-7) -> Tensor:
    """Mean binary cross-entropy of probabilities kept off 0 and 1.

    Half precision is raised to single; autocast is left.

    Args:
        prob: Probabilities, any shape.
        target: Soft labels in 0..1, the same shape.
        eps: Probabilities are clamped to eps..1-eps; beyond there is no gradient.

    Returns:
        Scalar.

    Example:
        >>> one = torch.ones(1)
        >>> clamped_bce(one / 2, one), clamped_bce(0 * one, one, eps=1e-3)  # log 2 and 3 log 10
        (tensor(0.6931), tensor(6.9078))
    """
    with torch.autocast(prob.device.type, enabled=False):
        prob = full_precision(prob)
        return F.binary_cross_entropy(prob.clamp(eps, 1 - eps), target.to(prob.dtype))


def modality_adversarial_loss(audio_logits: Tensor, visual_logits: Tensor) -> Tensor:
    """L_ad, eq. (1) as meant: the binary cross-entropy of a modality discriminator.

    The printed equation repeats log(G) in its second term, which means log(1 - G).

    Args:
        audio_logits: Logits of being sound of features that are, any shape.
        visual_logits: The same of features of the image, of the same shape.

    Returns:
        Scalar, the mean over the features of both.

    Example:
        >>> sure, unsure = torch.tensor([1e3]), torch.zeros(1)
        >>> modality_adversarial_loss(sure, -sure), modality_adversarial_loss(unsure, unsure)  # 0 and log 2
        (tensor(0.), tensor(0.6931))
    """
    return (F.softplus(-audio_logits).mean() + F.softplus(visual_logits).mean()) / 2


@MODELS.register_module()
class VideoParsingLoss(nn.Module):
    """L_wsl + lambda_g L_g.

    Args:
        guided_weight: lambda_g. Defaults to 1.0.
        audio_confidence: Label smoothing of sound, see :func:`smooth_labels`. Defaults to 1.0.
        visual_confidence: Label smoothing of the image. Defaults to 0.9.
        eps: Clamping of the probabilities. Defaults to 1e-7.

    Raises:
        ValueError: If a confidence is not in 0..1 or ``guided_weight`` is negative.

    Example:
        >>> half, labels = torch.full((1, 2), 0.5), torch.tensor([[1.0, 0.0]])
        >>> VideoParsingLoss(guided_weight=0.6)(half, half, half, labels)  # log 2, once and 0.6 times
        {'loss_video': tensor(0.6931), 'loss_audio': tensor(0.4159), 'loss_visual': tensor(0.4159)}
    """

    def __init__(
        self,
        guided_weight: float = 1.0,
        audio_confidence: float = 1.0,
        visual_confidence: float = 0.9,
        eps: float = 1e-7,
    ) -> None:
        super().__init__()
        check_range('VideoParsingLoss', 'guided_weight', guided_weight, 0)
        check_range('VideoParsingLoss', 'audio_confidence', audio_confidence, 0, 1)
        check_range('VideoParsingLoss', 'visual_confidence', visual_confidence, 0, 1)
        self.guided_weight = guided_weight
        self.audio_confidence, self.visual_confidence = audio_confidence, visual_confidence
        self.eps = eps

    def forward(
        self,
        global_prob: Tensor,
        audio_prob: Tensor,
        visual_prob: Tensor,
        labels: Tensor,
        audio_labels: Tensor | None = None,
        visual_labels: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Compute the losses.

        Args:
            global_prob: Probabilities of the videos, (B, C).
            audio_prob: Of their sound, (B, C).
            visual_prob: Of their image, (B, C).
            labels: y, (B, C).
            audio_labels: y_a where it is known, (B, C); None: y, smoothed.
            visual_labels: y_v where it is known, (B, C); None: y, smoothed.

        Returns:
            ``loss_video``, ``loss_audio``, ``loss_visual``; the last two with lambda_g.
        """
        if audio_labels is None:
            audio_labels = smooth_labels(labels, self.audio_confidence)
        if visual_labels is None:
            visual_labels = smooth_labels(labels, self.visual_confidence)
        return dict(
            loss_video=clamped_bce(global_prob, labels, self.eps),
            loss_audio=self.guided_weight * clamped_bce(audio_prob, audio_labels, self.eps),
            loss_visual=self.guided_weight * clamped_bce(visual_prob, visual_labels, self.eps),
        )


@MODELS.register_module()
class SegmentPseudoLabelLoss(nn.Module):
    """Binary cross-entropy of segments with soft labels that another system gave to sound and image.

    What lifted the field after the papers: labels of segments by language-image and language-audio models.

    Args:
        loss_weight: Factor. Defaults to 1.0.
        eps: Clamping of the probabilities. Defaults to 1e-7.

    Raises:
        ValueError: If ``loss_weight`` is negative.

    Example:
        >>> half, labels = torch.full((1, 3, 2, 4), 0.5), torch.ones(1, 3, 4)
        >>> SegmentPseudoLabelLoss()(half, labels, labels)  # log 2
        {'loss_pseudo_audio': tensor(0.6931), 'loss_pseudo_visual': tensor(0.6931)}
    """

    def __init__(self, loss_weight: float = 1.0, eps: float = 1e-7) -> None:
        super().__init__()
        check_range('SegmentPseudoLabelLoss', 'loss_weight', loss_weight, 0)
        self.loss_weight, self.eps = loss_weight, eps

    def forward(self, frame_prob: Tensor, pseudo_audio: Tensor, pseudo_visual: Tensor) -> dict[str, Tensor]:
        """Compute ``loss_pseudo_audio`` and ``loss_pseudo_visual``.

        Of probabilities (B, T, 2, C), sound before image, and soft labels (B, T, C) in 0..1 of each.
        """
        audio, visual = frame_prob.unbind(2)
        return dict(
            loss_pseudo_audio=self.loss_weight * clamped_bce(audio, pseudo_audio, self.eps),
            loss_pseudo_visual=self.loss_weight * clamped_bce(visual, pseudo_visual, self.eps),
        )
