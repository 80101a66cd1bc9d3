"""MMIL pooling: a plain loop, and limiting cases worked by hand."""

import math

import torch

from mmav.models.layers import AttentiveMMILPooling, attentive_mmil_pooling

B, T, C = 2, 3, 4


def random(seed):
    return torch.randn(B, T, 2, C, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_plain_loop_gives_the_same():
    prob, temporal, modality = random(0).sigmoid(), random(1), random(2)
    results = attentive_mmil_pooling(prob, temporal, modality)
    for b in range(B):
        for c in range(C):
            expected, single = 0.0, [0.0, 0.0]
            for m in range(2):
                total = sum(math.exp(temporal[b, t, m, c]) for t in range(T))
                for t in range(T):
                    share = math.exp(temporal[b, t, m, c]) / total * float(prob[b, t, m, c])
                    both = sum(math.exp(modality[b, t, k, c]) for k in range(2))
                    single[m] += share
                    expected += share * math.exp(modality[b, t, m, c]) / both
            for result, value in zip(results, (expected, *single)):
                assert math.isclose(result[b, c], value, rel_tol=1e-12)


def test_equal_attention_gives_means_and_hard_attention_picks():
    prob, zeros = random(0).sigmoid(), torch.zeros(B, T, 2, C, dtype=torch.float64)
    whole, audio, visual = attentive_mmil_pooling(prob, zeros, zeros)
    torch.testing.assert_close(audio, prob[:, :, 0].mean(1))
    torch.testing.assert_close(visual, prob[:, :, 1].mean(1))
    torch.testing.assert_close(whole, (audio + visual) / 2)

    temporal, modality = zeros.clone(), zeros.clone()
    temporal[:, 1] = 100
    modality[:, :, 1] = 100
    whole, audio, visual = attentive_mmil_pooling(prob, temporal, modality)
    torch.testing.assert_close(audio, prob[:, 1, 0])
    torch.testing.assert_close(visual, prob[:, 1, 1])
    torch.testing.assert_close(whole, prob[:, 1, 1])


def test_layer_shares_its_classifier_and_names_its_results():
    torch.manual_seed(0)
    layer = AttentiveMMILPooling(8, C).double()
    same = torch.randn(B, T, 8, dtype=torch.float64)
    results = layer(same, same)
    assert {name: tuple(value.shape) for name, value in results.items()} == dict(
        global_prob=(B, C), audio_prob=(B, C), visual_prob=(B, C), frame_prob=(B, T, 2, C)
    )
    torch.testing.assert_close(results['audio_prob'], results['visual_prob'])
    # the modalities agree, so each weighs a half
    torch.testing.assert_close(results['global_prob'], results['audio_prob'])
