"""Which snippets mean the same: the similarity graph of Lamba et al., "Cross-modal learning for audio-visual
video parsing" (Interspeech 2021), section 3.2.

Shapes: N snippets (seconds of videos), D channels.
"""

import torch
import torch.nn.functional as F
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor


def similar_pairs(features: Tensor, threshold: float) -> Tensor:
    """Pairs of features (N, D) whose cosine similarity passes a threshold, (N, N) bool, symmetric."""
    unit = F.normalize(features, dim=1)
    return unit @ unit.t() >= threshold


def semantic_components(
    visual: Tensor, audio: Tensor, visual_threshold: float, audio_threshold: float
) -> Tensor:
    """Connected components of the graph that links snippets of similar image or similar sound.

    Links are by the cosine similarity of ResNet-152 features (N, D_v) and of VGGish's (N, D_a). The number of
    each snippet's component, from 0, is (N,) int64, on the features' device.
    """
    edges = similar_pairs(visual, visual_threshold) | similar_pairs(audio, audio_threshold)
    rows, columns = edges.nonzero().cpu().numpy().T
    graph = coo_matrix((rows >= 0, (rows, columns)), shape=(len(edges), len(edges)))
    _, numbers = connected_components(graph, directed=False)
    return torch.from_numpy(numbers).to(visual.device, torch.int64)
