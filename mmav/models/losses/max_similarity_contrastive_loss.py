"""The contrastive loss of images and sounds by their most similar pixel: eq. (1) of Yaghoubi, Kelm,
Gerkmann and Frintrop, "Acoustic and visual knowledge distillation for contrastive audio-visual localization"
(ICMI 2023), after EZ-VSL (Mo and Morgado, ECCV 2022).

Shapes: B pairs of a batch, A sounds, V images, C length of an embedding, h, w size of a feature map.
"""

from typing import Any

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from mmengine.dist import all_gather, all_reduce, get_rank, get_world_size
from torch import Tensor, nn

from mmav.utils.checks import check_positive
from mmav.utils.precision import full_precision_dtype


def cosine_maps(audio_embeds: Tensor, visual_embeds: Tensor) -> Tensor:
    """Localization maps o_ij, (A, V, h, w): the cosine of each sound (A, C) with each pixel of each image."""
    audio = F.normalize(audio_embeds, dim=1)
    visual = F.normalize(visual_embeds, dim=1)
    return torch.einsum('ac,vchw->avhw', audio, visual)


def paired_cosine_maps(audio_embeds: Tensor, visual_embeds: Tensor) -> Tensor:
    """Localization maps o_ii, (B, h, w), of matching pairs alone: the diagonal of :func:`cosine_maps`."""
    audio = F.normalize(audio_embeds, dim=1)
    visual = F.normalize(visual_embeds, dim=1)
    return torch.einsum('bc,bchw->bhw', audio, visual)


def max_similarity_contrastive_loss(
    similarity: Tensor,
    temperature: float = 0.03,
    reverse_similarity: Tensor | None = None,
    first: int = 0,
) -> Tensor:
    """Symmetric contrastive loss, eq. (1).

    -log(softmax of a sound's pair among all images) - log(softmax of an image's pair among all sounds),
    each a mean over the pairs.

    Args:
        similarity: S, (B, V): of each sound with every image; the pair of sound i is image ``first + i``.
        temperature: tau.
        reverse_similarity: (B, A): of each image with every sound. Defaults to the transpose of
            ``similarity``; another where images and sounds beyond the B pairs are negatives.
        first: Place of the first pair among the V images and the A sounds. Defaults to 0.

    Returns:
        Scalar.

    Example:
        >>> max_similarity_contrastive_loss(torch.zeros(2, 2))  # all pairs alike: 2 log 2
        tensor(1.3863)
        >>> max_similarity_contrastive_loss(torch.eye(2), temperature=1.0)  # 2 log(1 + 1/e)
        tensor(0.6265)
    """
    if reverse_similarity is None:
        reverse_similarity = similarity.t()
    targets = torch.arange(first, first + len(similarity), device=similarity.device)
    return F.cross_entropy(similarity / temperature, targets) + F.cross_entropy(
        reverse_similarity / temperature, targets
    )


class GatherWithGradients(torch.autograd.Function):
    """Rows of all processes, (n, ...) each, as one (n x processes, ...); gradients return to their process.

    What ``torch.distributed.nn.functional.all_gather`` is meant for, but its backward pass reads gradients as
    if they were contiguous, which those of an einsum are not.
    """

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        """Gather."""
        ctx.first, ctx.number = get_rank() * len(rows), len(rows)
        return torch.cat(all_gather(rows.contiguous()))

    @staticmethod
    def backward(ctx: Any, grads: Tensor) -> Tensor:
        """Sum what all processes' losses ask of this process's rows."""
        grads = grads.clone(memory_format=torch.contiguous_format)
        all_reduce(grads, op='sum')
        return grads[ctx.first : ctx.first + ctx.number]


@MODELS.register_module()
class MaxSimilarityContrastiveLoss(nn.Module):
    """:func:`max_similarity_contrastive_loss` of embeddings: S_ij is the maximum of map o_ij.

    Args:
        temperature: tau. Defaults to 0.03.
        gather: Whether the images and sounds of all processes are negatives. Gradients flow back to the
            process that they come from, so that N processes with batches of B, gradients averaged, train like
            one with a batch of N B (but for batch normalization). Every process needs the same B. Defaults to
            False, the paper: each process its own batch.
        loss_weight: alpha_1. Defaults to 1.0.

    Raises:
        ValueError: If ``temperature`` is not positive.

    Example:
        >>> loss, audio = MaxSimilarityContrastiveLoss(temperature=1.0), torch.eye(2)
        >>> loss(audio, torch.ones(2, 2, 3, 3)), loss(audio, audio.view(2, 2, 1, 1))  # as above
        (tensor(1.3863), tensor(0.6265))
    """

    def __init__(self, temperature: float = 0.03, gather: bool = False, loss_weight: float = 1.0) -> None:
        super().__init__()
        check_positive('MaxSimilarityContrastiveLoss', temperature=temperature)
        self.temperature = temperature
        self.gather = gather
        self.loss_weight = loss_weight

    def forward(self, audio_embeds: Tensor, visual_embeds: Tensor) -> Tensor:
        """Compute the loss of the pairs (sound i, image i).

        Args:
            audio_embeds: (B, C); of any length, they are normalized here.
            visual_embeds: (B, C, h, w).

        Returns:
            Scalar, weighted.

        Raises:
            ValueError: If the shapes do not agree, the batch is empty or, with ``gather``, the processes have
                batches of different shapes.
        """
        if (
            audio_embeds.dim() != 2
            or visual_embeds.dim() != 4
            or audio_embeds.shape != visual_embeds.shape[:2]
            or not len(audio_embeds)
        ):
            raise ValueError(
                'MaxSimilarityContrastiveLoss: expected sounds (B, C) and images (B, C, h, w) of the same '
                f'B > 0, got {tuple(audio_embeds.shape)} and {tuple(visual_embeds.shape)}'
            )
        # Half precision resolves a cosine over tau no finer than 0.03.
        with torch.autocast(audio_embeds.device.type, enabled=False):
            dtype = full_precision_dtype(audio_embeds)
            audio, visual = audio_embeds.to(dtype), visual_embeds.to(dtype)
            if not self.gather or get_world_size() == 1:
                similarity = cosine_maps(audio, visual).amax((2, 3))
                loss = max_similarity_contrastive_loss(similarity, self.temperature)
            else:
                loss = self._gathered_loss(audio, visual)
        return self.loss_weight * loss

    def _gathered_loss(self, audio: Tensor, visual: Tensor) -> Tensor:
        """The loss of this process's pairs among those of all."""
        shape = torch.tensor(visual.shape, device=visual.device)
        shapes = [tuple(each.tolist()) for each in all_gather(shape)]
        if len(set(shapes)) > 1:
            raise ValueError(
                'MaxSimilarityContrastiveLoss: with gather=True all processes need batches of one shape, '
                f'but they have {shapes}: set drop_last=True in the training dataloader'
            )
        all_audio = GatherWithGradients.apply(audio)
        all_visual = GatherWithGradients.apply(visual)
        return max_similarity_contrastive_loss(
            cosine_maps(audio, all_visual).amax((2, 3)),
            self.temperature,
            cosine_maps(all_audio, visual).amax((2, 3)).t(),
            first=get_rank() * len(audio),
        )
