"""Dense fusion attention (DFA): eq. (12)-(13) of Liu, Quan, Wang, Liu, Liu and Yan, "Dense modality
interaction network for audio-visual event localization".

Shapes: B samples (and heads), T queries, S keys, d channels.

A score is not the dot product of query and key but a weighted sum over all d x d pairs of their channels,

    sum_cc' q_c k_c' w_cc',    w_cc = alpha,    w_cc' = b = (1 - alpha) / (d - 1) for c != c'.

As w = (alpha - b) identity + b ones, that is (alpha - b) <q, k> + b (sum_c q_c) (sum_c k_c), the dot product
of q and (alpha - b) k + b (sum_c k_c) ones: no pair is ever formed.

The released program adds up d shifted dot products and takes their mean in place of the sum:
protocol='official' is 1 / d of protocol='paper'.
"""

from torch import Tensor

from mmav.utils.checks import PROTOCOLS, check_choice


def dense_fusion_attention(query: Tensor, key: Tensor, alpha: float = 0.5, protocol: str = 'paper') -> Tensor:
    """Scores of dense fusion attention, eq. (12)-(13), before the division by sqrt(d).

    Args:
        query: (B, T, d), or with any leading dimensions that broadcast.
        key: (B, S, d).
        alpha: Share of the diagonal pairs; alpha = 1 leaves the dot product.
        protocol: 'paper': the sum over the pairs; 'official': that divided by d.

    Returns:
        (B, T, S).

    Raises:
        ValueError: If query and key have different channels, or a single one, or ``protocol`` is unknown.

    Example:
        >>> query, key = torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]])
        >>> dense_fusion_attention(query, key, alpha=1.0), dense_fusion_attention(query, key)  # 11; 21 / 2
        (tensor([[11.]]), tensor([[10.5000]]))
    """
    check_choice('dense_fusion_attention', 'protocol', protocol, PROTOCOLS)
    channels = query.shape[-1]
    if channels != key.shape[-1] or channels < 2:
        raise ValueError(
            'dense_fusion_attention: query and key must have the same channels, two or more, '
            f'got {tuple(query.shape)} and {tuple(key.shape)}'
        )
    off_diagonal = (1 - alpha) / (channels - 1)
    share = 1 if protocol == 'paper' else 1 / channels
    # every channel of a key is mixed with the sum of all
    mixed = share * (alpha - off_diagonal) * key + share * off_diagonal * key.sum(-1, keepdim=True)
    return query @ mixed.transpose(-2, -1)
