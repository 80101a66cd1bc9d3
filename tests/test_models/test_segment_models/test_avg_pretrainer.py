"""Grounding: what the joint transformer sees, what it is taught, and that it learns it."""

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.optim import OptimWrapper

from mmav.models.segment_models.similarity_graph import semantic_components
from mmav.structures import SegmentDataSample

T = 3
SMALL = dict(
    type='AVGPretrainer',
    audio_channels=6,
    visual_channels=5,
    embed_dims=16,
    num_layers=1,
    num_heads=2,
    feedforward_channels=16,
    dropout=0.0,
    max_segments=T,
)


def built(**options):
    torch.manual_seed(0)
    return MODELS.build({**SMALL, **options})


def features(videos=4, kinds=2, seed=0):
    """Snippets of a few kinds, each with a sound and an image of its own direction; 8 frames a second."""
    generator = torch.Generator().manual_seed(seed)
    kind = torch.randint(0, kinds, (videos, T), generator=generator)
    sounds, images = torch.eye(6)[:kinds], torch.eye(5)[:kinds]
    noise = [0.02 * torch.randn(videos, n, c, generator=generator) for n, c in ((T, 6), (8 * T, 5))]
    audio = sounds[kind] + noise[0]
    visual = images[kind].repeat_interleave(8, dim=1) + noise[1]
    return dict(audio=audio, visual=visual), kind.flatten()


def samples(number):
    return [SegmentDataSample(metainfo=dict(video_id=str(index))) for index in range(number)]


def test_embeddings_are_joint_within_a_video_and_know_no_other():
    model = built().eval()
    inputs, _ = features()
    before = model(inputs, mode='tensor')
    assert {name: tuple(value.shape) for name, value in before.items()} == dict(
        audio_embeds=(4, T, 16), visual_embeds=(4, T, 16)
    )
    changed = dict(inputs, audio=inputs['audio'].clone())
    changed['audio'][0, 0] += torch.randn(6)
    after = model(changed, mode='tensor')
    for name in before:
        # one second of sound reaches every snippet of its video, of either modality
        assert ((after[name] - before[name])[0].abs().amax(1) > 1e-6).all()
        torch.testing.assert_close(after[name][1:], before[name][1:])


def test_seconds_and_modalities_are_told_apart():
    model = built(visual_channels=6).eval()
    same = torch.ones(1, T, 6)
    model.visual_embedding.load_state_dict(model.audio_embedding.state_dict())
    embeds = model(dict(audio=same, visual=same), mode='tensor')
    everything = torch.cat([embeds['audio_embeds'][0], embeds['visual_embeds'][0]])
    distances = torch.cdist(everything, everything) + torch.eye(2 * T)
    assert distances.min() > 1e-3


@pytest.mark.parametrize(
    ('objective', 'names'),
    [
        ('uni', {'loss_unimodal'}),
        ('cross', {'loss_cross_modal'}),
        ('multi', {'loss_unimodal', 'loss_cross_modal'}),
    ],
)
def test_losses_are_the_objectives_over_the_batch(objective, names):
    model = built(loss=dict(type='AVGLoss', objective=objective))
    inputs, kind = features()
    logs = model(inputs, samples(4), mode='loss')
    assert set(logs) == names | {'components', 'positive_share'}
    # the graph finds the kinds
    alike = kind[:, None] == kind
    seconds = inputs['visual'].view(4 * T, 8, 5).mean(1)
    components = semantic_components(seconds, inputs['audio'].flatten(0, 1), 0.9, 0.9)
    assert torch.equal(components[:, None] == components, alike)
    assert logs['components'] == 2
    embeds = [value.flatten(0, 1) for value in model(inputs, mode='tensor').values()]
    for name, value in model.avg_loss(*embeds, alike).items():
        torch.testing.assert_close(logs[name], value)
    apart = torch.block_diag(*[torch.ones(T, T)] * 4) == 0
    torch.testing.assert_close(logs['positive_share'], alike[apart].float().mean())


def test_training_draws_snippets_of_a_kind_together_over_videos_and_modalities():
    model = built()
    inputs, kind = features(videos=8)
    optimizer = OptimWrapper(torch.optim.Adam(model.parameters(), lr=0.003))
    for _ in range(60):
        model.train_step(dict(inputs=inputs, data_samples=samples(8)), optimizer)
    inputs, kind = features(videos=8, seed=1)
    with torch.no_grad():
        results = model.eval()(inputs, samples(8), mode='predict')
    fields = ('pred_audio_embeds', 'pred_visual_embeds')
    embeds = torch.cat([torch.cat([sample.get(field) for sample in results]) for field in fields])
    unit = torch.nn.functional.normalize(embeds, dim=1)
    alike = (kind[:, None] == kind).repeat(2, 2)
    similarity = unit @ unit.t()
    assert similarity[alike].mean() > 0.7 and similarity[~alike].mean() < 0.3


def test_what_does_not_fit_is_refused():
    model = built()
    with pytest.raises(ValueError, match='videos of 4 segments: max_segments is 3'):
        model(dict(audio=torch.zeros(1, 4, 6), visual=torch.zeros(1, 4, 5)), mode='tensor')
    with pytest.raises(KeyError, match='the inputs lack visual'):
        model(dict(audio=torch.zeros(1, T, 6)), mode='tensor')
