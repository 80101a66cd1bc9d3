"""Sigmoid focal loss under the names of ``mmcv._ext``; mmdet takes it on a GPU.

Shapes: N samples, K classes.
"""

import torch
from torch import Tensor


def _focal_terms(input: Tensor, target: Tensor, weight: Tensor, alpha: float) -> tuple[Tensor, ...]:
    """Probabilities, logarithms of them and their complements, weights of hits and misses; all (N, K)."""
    probability = input.sigmoid()
    smallest = torch.finfo(input.dtype).tiny
    hit = (target[:, None] == torch.arange(input.shape[1], device=input.device)).to(input.dtype)
    weights = weight[target][:, None] if weight.numel() else 1
    logs = probability.clamp(min=smallest).log(), (1 - probability).clamp(min=smallest).log()
    return probability, *logs, hit * alpha * weights, (1 - hit) * (1 - alpha) * weights


def sigmoid_focal_loss_forward(
    input: Tensor, target: Tensor, weight: Tensor, output: Tensor, gamma: float, alpha: float
) -> None:
    """Focal loss of independent classes (Lin et al., ICCV 2017, equation 5).

    Args:
        input: Logits of shape (N, K).
        target: Classes of shape (N,); K is the background.
        weight: Weights of the classes of shape (K,), or empty.
        output: Filled; of shape (N, K).
        gamma: Focusing parameter.
        alpha: Weight of hits; that of misses is 1 - alpha.
    """
    probability, log_hit, log_miss, hit, miss = _focal_terms(input, target, weight, alpha)
    output.copy_(-hit * (1 - probability) ** gamma * log_hit - miss * probability**gamma * log_miss)


def sigmoid_focal_loss_backward(
    input: Tensor, target: Tensor, weight: Tensor, grad_input: Tensor, gamma: float, alpha: float
) -> None:
    """Gradient of :func:`sigmoid_focal_loss_forward` with respect to the logits.

    Args:
        input: See :func:`sigmoid_focal_loss_forward`.
        target: See there.
        weight: See there.
        grad_input: Filled; of shape (N, K).
        gamma: See there.
        alpha: See there.
    """
    p, log_hit, log_miss, hit, miss = _focal_terms(input, target, weight, alpha)
    of_hit = (1 - p) ** gamma * (1 - p - gamma * p * log_hit)
    of_miss = p**gamma * (gamma * (1 - p) * log_miss - p)
    grad_input.copy_(-hit * of_hit - miss * of_miss)
