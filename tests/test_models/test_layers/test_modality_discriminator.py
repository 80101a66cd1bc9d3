"""The discriminator descends on eq. (1), the features climb it, lambda_ad times as fast: eq. (2)."""

import torch

from mmav.models.layers import ModalityDiscriminator
from mmav.models.losses import modality_adversarial_loss


def gradients(weight):
    torch.manual_seed(0)
    layer = ModalityDiscriminator(6, 5, weight).double()
    features = [torch.randn(2, 3, 6, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    logits = layer(*features)
    assert all(value.shape == (2, 3) for value in logits)
    loss = modality_adversarial_loss(*logits)
    loss.backward()
    # finite differences along the features' gradient, which no reversal touches
    step = [0.001 * x.grad for x in features]
    with torch.no_grad():
        moved = modality_adversarial_loss(*layer(*(x - s for x, s in zip(features, step))))
    return [x.grad for x in features], [p.grad for p in layer.parameters()], float(moved - loss.detach())


def test_features_learn_to_confuse_and_the_discriminator_learns_at_full_speed():
    of_features, of_layer, change = gradients(0.4)
    of_features_too, of_layer_too, _ = gradients(0.8)
    assert change > 0  # a step of descent on the features makes the modalities harder to tell
    for first, second in zip(of_features, of_features_too):
        torch.testing.assert_close(2 * first, second)
    for first, second in zip(of_layer, of_layer_too):
        torch.testing.assert_close(first, second)


def test_it_learns_to_tell_modalities_apart():
    torch.manual_seed(0)
    layer = ModalityDiscriminator(6, 5)
    audio, visual = torch.randn(8, 4, 6) + 1, torch.randn(8, 4, 6) - 1
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.05)
    for _ in range(40):
        loss = modality_adversarial_loss(*layer(audio, visual))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    of_audio, of_visual = layer(audio, visual)
    assert (of_audio > 0).float().mean() > 0.9 and (of_visual < 0).float().mean() > 0.9
