"""The similarity graph: a chain worked by hand, and reachability by powers of the adjacency matrix."""

import numpy as np
import torch
from sklearn.metrics.pairwise import cosine_similarity

from mmav.models.segment_models.similarity_graph import semantic_components, similar_pairs


def angles(*degrees):
    """Unit vectors in a plane, of different lengths: only their directions count."""
    radians = torch.deg2rad(torch.tensor(degrees, dtype=torch.float64))
    lengths = torch.arange(1, len(degrees) + 1)
    return torch.stack([radians.cos(), radians.sin()], 1) * lengths[:, None]


def test_links_of_either_modality_chain_up():
    # images link 0-1 (10 degrees), sounds link 1-2; 3 is alone; 0 and 2 are alike in nothing
    visual, audio = angles(0, 10, 90, 180), angles(0, 90, 95, 180)
    pairs = similar_pairs(visual, 0.9)
    assert pairs.nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [2, 2], [3, 3]]
    components = semantic_components(visual, audio, 0.9, 0.9)
    assert components.tolist() == [0, 0, 0, 1]
    # without links of sound the chain breaks
    assert semantic_components(visual, audio, 0.9, 1.1).tolist() == [0, 0, 1, 2]
    assert semantic_components(visual, audio, -1, 1.1).tolist() == [0] * 4


def test_components_are_who_can_reach_whom():
    generator = torch.Generator().manual_seed(0)
    visual, audio = torch.randn(40, 6, generator=generator), torch.randn(40, 4, generator=generator)
    edges = (cosine_similarity(visual) >= 0.8) | (cosine_similarity(audio) >= 0.9)
    reach = np.linalg.matrix_power(edges.astype(float), 40) > 0
    components = semantic_components(visual, audio, 0.8, 0.9)
    assert 1 < len(components.unique()) < 40
    np.testing.assert_array_equal((components[:, None] == components).numpy(), reach)


def test_a_snippet_without_a_feature_is_like_nothing():
    visual, audio = angles(0, 0, 90), angles(0, 90, 180)
    visual[1], audio[1] = 0, 0  # silence over a black image
    assert semantic_components(visual, audio, 0.5, 0.5).tolist() == [0, 1, 2]
