"""AGTA against its equations written out location by location; the rest by the vectors stored for the
published networks."""

import pytest
import torch
import torch.nn.functional as F

from mmav.models.layers import AudioGuidedTripletAttention, factorized_bilinear_pooling

B, T, H, W, C_V, C_A, D, K = 2, 3, 2, 2, 6, 5, 4, 3


def build(**options):
    torch.manual_seed(0)
    settings = dict(squeeze_channels=4, embed_dims=D, factors=K, **options)
    return AudioGuidedTripletAttention(C_V, C_A, **settings).double().eval()


def features():
    generator = torch.Generator().manual_seed(1)
    visual = torch.randn(B, T, H, W, C_V, generator=generator, dtype=torch.float64)
    return visual, torch.randn(B, T, C_A, generator=generator, dtype=torch.float64)


def written_out(agta, visual, audio, mfb, lstm):
    """Eq. (1)-(8) for one location after the other."""
    visual = visual.flatten(2, 3)
    gate = F.relu(agta.channel_visual(visual)) * F.relu(agta.channel_audio(audio)).unsqueeze(2)
    gate = agta.channel_excite(F.relu(agta.channel_squeeze(gate.mean(2)))).sigmoid()
    visual = visual * (gate + (agta.protocol == 'official')).unsqueeze(2)
    scores = []
    for place in range(H * W):
        total = 0
        if mfb:
            product = F.relu(agta.mfb_visual(visual[:, :, place])) * F.relu(agta.mfb_audio(audio))
            pooled = torch.stack([product[..., K * o : K * o + K].sum(-1) for o in range(D)], -1)
            total = total + F.normalize(pooled.sqrt(), dim=-1)
        if lstm:
            sound = F.relu(agta.temporal_audio(audio))
            seen = F.relu(agta.temporal_visual(visual[:, :, place]))
            pairs = torch.cat([seen + sound, sound], -1).transpose(0, 1)
            total = total + agta.lstm(pairs)[0].transpose(0, 1)
        scores.append(agta.spatial_score(total).tanh().squeeze(-1))
    attention = torch.stack(scores, -1).softmax(-1)
    return (attention.unsqueeze(-1) * visual).sum(2), attention


@pytest.mark.parametrize('protocol', ['paper', 'official'])
@pytest.mark.parametrize(('mfb', 'lstm'), [(True, True), (True, False), (False, True)])
def test_equals_the_equations_location_by_location(protocol, mfb, lstm):
    agta = build(protocol=protocol, mfb=mfb, lstm=lstm)
    visual, audio = features()
    attended, attention = agta(visual, audio)
    expected, weights = written_out(agta, visual, audio, mfb, lstm)
    torch.testing.assert_close(attended, expected)
    torch.testing.assert_close(attention.flatten(2), weights)


def test_without_spatial_attention_the_locations_are_averaged():
    visual, audio = features()
    agta = build(spatial=False)
    assert not any(
        name.startswith(('mfb', 'lstm', 'temporal', 'spatial')) for name, _ in agta.named_parameters()
    )
    gate = agta._channel_attention(visual.flatten(2, 3), audio)
    attended, attention = agta(visual, audio)
    torch.testing.assert_close(attended, gate * visual.mean((2, 3)))
    assert (attention == 1 / (H * W)).all()
    torch.testing.assert_close(build(spatial=False, channel=False)(visual, audio)[0], visual.mean((2, 3)))


def test_pooled_vectors_have_length_1_and_signs():
    visual = torch.tensor([[1.0, 2.0, -1.0, -3.0]], dtype=torch.float64)
    audio = torch.tensor([1.0, 1.0, 2.0, 0.5], dtype=torch.float64)
    pooled = factorized_bilinear_pooling(visual, audio, factors=2)
    expected = torch.tensor([[3**0.5, -(3.5**0.5)]], dtype=torch.float64) / 6.5**0.5
    torch.testing.assert_close(pooled, expected)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float16])
@pytest.mark.parametrize('protocol', ['paper', 'official'])
def test_silence_has_finite_gradients(protocol, dtype):
    """The square root has no slope at 0, where rectified products often are; half precision rounds to it."""
    visual = torch.zeros(2, 6, requires_grad=True, dtype=dtype)
    audio = torch.zeros(2, 6, requires_grad=True, dtype=dtype)
    pooled = factorized_bilinear_pooling(visual, audio, 3, dropout=0.5, training=True, protocol=protocol)
    pooled.sum().backward()
    assert (pooled == 0).all() and visual.grad.isfinite().all() and audio.grad.isfinite().all()


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match='spatial attention needs mfb or lstm'):
        build(mfb=False, lstm=False)
    with pytest.raises(ValueError, match='embed_dims must be even, got 5'):
        AudioGuidedTripletAttention(C_V, C_A, embed_dims=5)
