"""The audio-visual distillation (AVD) loss: eq. (3)-(7) of Kim and Kim, "Towards robust audio-based
vehicle detection via importance-aware audio-visual learning" (ICASSP 2023).

Shapes: N sampled RoIs, P positives among them, d length of an embedding.

q_i, eq. (3), is a share of one sum of exponentials in a larger one, so it is handled by its log-odds z_i =
log(q_i / (1 - q_i)) = logsumexp(group) - logsumexp(rest): log q_i = logsigmoid(z_i) and log(1 - q_i) =
logsigmoid(-z_i) stay exact where q_i is close or equal to 1 (z_i = inf: no RoI outside the group).
"""

import torch
import torch.nn.functional as F
from mmdet.registry import MODELS
from torch import Tensor, nn

from mmav.utils.checks import check_positive, check_range
from mmav.utils.precision import full_precision


def group_contrastive_log_odds(
    embeds: Tensor,
    is_positive: Tensor,
    labels: Tensor | None = None,
    temperature: float = 0.1,
    include_self: bool = True,
) -> Tensor:
    """Log-odds of q, eq. (3)-(4): how much of a positive's similarity lies inside its group.

    Args:
        embeds: RoI embeddings, (N, d), one modality.
        is_positive: Which RoIs are positive, (N,), bool.
        labels: Class of each RoI, (N,); read at positives only. The positives of one class are the
            group of that class. None: all positives are one group, as in the paper.
        temperature: tau of eq. (3).
        include_self: Whether the sums run over j = i too, as eq. (3) is written. If not, RoI i is left
            out of both sums, and a positive that is alone in its group, so has no pair, is dropped.

    Returns:
        Tensor: log(q / (1 - q)), (P,), in the order of the RoIs; ``inf`` where q = 1. P counts the
        positives, without the dropped ones.

    Example:
        >>> embeds, is_positive = torch.eye(2), torch.tensor([True, False])
        >>> group_contrastive_log_odds(embeds, is_positive, temperature=0.1)  # cosines (1 - 0) / tau
        tensor([10.])
    """
    normalized = F.normalize(embeds, dim=1, eps=1e-6)
    index = is_positive.nonzero().squeeze(1)
    group = is_positive.expand(len(index), -1)
    if labels is not None:
        group = group & (labels[index, None] == labels)
    rest = ~group
    if not include_self:
        group = group & (index[:, None] != torch.arange(len(embeds), device=embeds.device))
        paired = group.any(1)
        index, group, rest = index[paired], group[paired], rest[paired]

    logits = normalized[index] @ normalized.t() / temperature
    log_group = logits.masked_fill(~group, -torch.inf).logsumexp(1)
    # Rows without a rest are computed on zeros: the logsumexp of nothing has NaN for its gradient.
    has_rest = rest.any(1)
    log_rest = logits.masked_fill(~rest & has_rest[:, None], -torch.inf).logsumexp(1)
    return torch.where(has_rest, log_group - log_rest, torch.inf)


def gcl_loss(log_odds: Tensor) -> Tensor:
    """Group contrastive loss of one modality, eq. (5): the mean of -log q over the positives.

    Args:
        log_odds: log(q / (1 - q)), (P,), P > 0.

    Returns:
        Scalar; exactly 0 where every q is 1.

    Example:
        >>> gcl_loss(torch.tensor([torch.inf])), gcl_loss(torch.tensor([0.0]))  # q = 1, and q = 1/2: log 2
        (tensor(0.), tensor(0.6931))
    """
    return F.softplus(-log_odds).mean()


def avkd_loss(audio_log_odds: Tensor, audiovisual_log_odds: Tensor) -> Tensor:
    """Audio-visual knowledge distillation loss, eq. (6).

    The mean over the positives of KL((q_av, 1 - q_av) || (q_a, 1 - q_a)).

    Args:
        audio_log_odds: log(q_a / (1 - q_a)), (P,), P > 0.
        audiovisual_log_odds: log(q_av / (1 - q_av)), (P,); ``inf`` at the same places as ``audio_log_odds``.

    Returns:
        Scalar; a positive with q_a = q_av = 1 adds exactly 0.

    Example:
        >>> half, three_quarters = torch.tensor([0.0]), torch.tensor([3.0]).log()  # log-odds of q
        >>> avkd_loss(half, half), avkd_loss(half, three_quarters)  # 3/4 log 3/2 + 1/4 log 1/2
        (tensor(0.), tensor(0.1308))
    """
    bounded = torch.isfinite(audio_log_odds) & torch.isfinite(audiovisual_log_odds)
    z_a = torch.where(bounded, audio_log_odds, 0.0)
    z_av = torch.where(bounded, audiovisual_log_odds, 0.0)
    inside = z_av.sigmoid() * (F.logsigmoid(z_av) - F.logsigmoid(z_a))
    outside = (-z_av).sigmoid() * (F.logsigmoid(-z_av) - F.logsigmoid(-z_a))
    return (inside + outside).mean()


@MODELS.register_module()
class AVDLoss(nn.Module):
    """Audio-visual distillation loss, eq. (7): lambda_1 GCL + lambda_2 AVKD, the two terms apart.

    Without positives (or, without self-similarity, without pairs) both terms are 0 and keep the graph.

    Args:
        temperature: tau of eq. (3). Defaults to 0.1.
        gcl_weight: lambda_1. Defaults to 1.0.
        avkd_weight: lambda_2. Defaults to 1.0.
        include_self: Whether the sums of eq. (3) hold j = i, see :func:`group_contrastive_log_odds`.
            Defaults to True.
        detach_target: Whether AVKD's gradient stops at its target q_av. Defaults to True.

    Raises:
        ValueError: If ``temperature`` is not positive or a weight is negative.

    Example:
        >>> embeds, is_positive = torch.ones(2, 3), torch.tensor([True, False])
        >>> AVDLoss()(embeds, embeds, is_positive)  # q = 1/2 in both modalities: 2 log 2, no divergence
        {'loss_gcl': tensor(1.3863), 'loss_avkd': tensor(0.)}
    """

    def __init__(
        self,
        temperature: float = 0.1,
        gcl_weight: float = 1.0,
        avkd_weight: float = 1.0,
        include_self: bool = True,
        detach_target: bool = True,
    ) -> None:
        super().__init__()
        check_positive('AVDLoss', temperature=temperature)
        check_range('AVDLoss', 'gcl_weight', gcl_weight, 0)
        check_range('AVDLoss', 'avkd_weight', avkd_weight, 0)
        self.temperature = temperature
        self.gcl_weight = gcl_weight
        self.avkd_weight = avkd_weight
        self.include_self = include_self
        self.detach_target = detach_target

    def forward(
        self,
        audio_embeds: Tensor,
        audiovisual_embeds: Tensor,
        is_positive: Tensor,
        labels: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Compute both terms over one set of RoIs.

        Args:
            audio_embeds: l_a, (N, d).
            audiovisual_embeds: l_av, (N, d).
            is_positive: (N,), bool.
            labels: Classes (N,), for a group per class; None for one group.

        Returns:
            ``loss_gcl`` and ``loss_avkd``, scalars, weighted.

        Raises:
            ValueError: If the shapes do not agree or ``is_positive`` is not bool.
        """
        if audio_embeds.shape != audiovisual_embeds.shape or is_positive.shape != audio_embeds.shape[:1]:
            raise ValueError(
                f'AVDLoss: expected embeddings (N, d) twice and is_positive (N,), got {audio_embeds.shape}, '
                f'{audiovisual_embeds.shape} and {is_positive.shape}'
            )
        if is_positive.dtype != torch.bool:
            raise ValueError(f'AVDLoss: is_positive must be bool, got {is_positive.dtype}')
        # Half precision resolves a cosine over tau no finer than 0.008: too coarse for a share near 1.
        with torch.autocast(audio_embeds.device.type, enabled=False):
            z_a, z_av = (
                group_contrastive_log_odds(
                    full_precision(embeds),
                    is_positive,
                    labels,
                    self.temperature,
                    self.include_self,
                )
                for embeds in (audio_embeds, audiovisual_embeds)
            )
            if len(z_a) == 0:
                zero = audio_embeds[is_positive].sum() * 0 + audiovisual_embeds[is_positive].sum() * 0
                return dict(loss_gcl=zero, loss_avkd=zero.clone())
            target = z_av.detach() if self.detach_target else z_av
            return dict(
                loss_gcl=self.gcl_weight * (gcl_loss(z_av) + gcl_loss(z_a)),
                loss_avkd=self.avkd_weight * avkd_loss(z_a, target),
            )
