"""DCMR: what it may know of the query, its modes and complaints; its numbers are in
test_published_networks.py."""

import pytest
import torch
from mmdet.registry import MODELS

from mmav.structures import SegmentDataSample

B, T, K = 2, 6, 2
MODALITIES = dict(a2v=('audio', 'visual'), v2a=('visual', 'audio'))

both_ways = pytest.mark.parametrize('direction', MODALITIES)
both_protocols = pytest.mark.parametrize('protocol', ['paper', 'official'])


def build(**options):
    torch.manual_seed(0)
    encoder = dict(num_heads=2, num_layers=1, feedforward_channels=8)
    config = dict(type='DCMR', visual_channels=5, audio_channels=4, embed_dims=8, encoder=encoder, **options)
    model = MODELS.build(config).double().eval()
    # fresh layer normalization has mean 0 over the channels: every query would be zeros
    for name, parameter in model.named_parameters():
        if 'norm' in name:
            torch.nn.init.normal_(parameter, 1.0)
    return model


def batch(start=1):
    generator = torch.Generator().manual_seed(0)
    mask = torch.zeros(B, T)
    mask[:, start : start + K] = 1
    return dict(
        visual=torch.rand(B, T, 5, generator=generator, dtype=torch.float64),
        audio=torch.rand(B, T, 4, generator=generator, dtype=torch.float64),
        query_mask=mask,
    )


def labeled(start):
    segments = torch.zeros(T, 1)
    segments[start : start + K] = 1
    samples = [SegmentDataSample(metainfo=dict(video_id=f'v{index}')) for index in range(B)]
    for sample in samples:
        sample.gt_segments = segments
    return samples


@both_ways
@both_protocols
@pytest.mark.parametrize('shift', [1, 3, 4])
def test_the_querys_position_is_not_seen(direction, protocol, shift):
    """The query, with all of its modality, is moved in time; the modality that is searched stays."""
    model, inputs = build(direction=direction, protocol=protocol), batch(start=0)
    querying, _ = MODALITIES[direction]
    moved = dict(inputs)
    for name in (querying, 'query_mask'):
        moved[name] = inputs[name].roll(shift, dims=1)
    assert not torch.equal(moved['query_mask'], inputs['query_mask'])
    with torch.no_grad():
        before, after = model(inputs), model(moved)
    torch.testing.assert_close(after['window_scores'], before['window_scores'], rtol=1e-10, atol=1e-10)
    assert before['window_scores'][:, : T - K + 1].std() > 1e-3  # there is something to see
    searched = {'audio': 'v_cross', 'visual': 'a_cross'}[querying]
    torch.testing.assert_close(after[searched], before[searched], rtol=1e-10, atol=1e-10)


@both_ways
@both_protocols
def test_the_true_position_is_not_seen(direction, protocol):
    """Labels that say another position, or none, change nothing."""
    model, inputs = build(direction=direction, protocol=protocol), batch()
    with torch.no_grad():
        results = [model(inputs, samples, mode='predict') for samples in (labeled(1), labeled(4), None)]
    for a, b, c in zip(*results):
        assert torch.equal(a.pred_window_scores, b.pred_window_scores)
        assert torch.equal(a.pred_window_scores, c.pred_window_scores)
        assert a.pred_start == b.pred_start == c.pred_start


@both_ways
def test_without_context_nothing_but_the_query_is_seen(direction):
    model, inputs = build(direction=direction, query_context=False), batch(start=2)
    querying, _ = MODALITIES[direction]
    other = dict(inputs, **{querying: inputs[querying].clone()})
    other[querying][:, [0, 1, 4, 5]] += 1
    with torch.no_grad():
        scores = [model(given)['window_scores'] for given in (inputs, other)]
        torch.testing.assert_close(*scores)
        scores = [build(direction=direction)(given)['window_scores'] for given in (inputs, other)]
    assert not torch.allclose(*scores)


@both_ways
@both_protocols
def test_the_window_of_greatest_sum_is_the_answer(direction, protocol):
    model, inputs = build(direction=direction, protocol=protocol), batch()
    with torch.no_grad():
        scores = model(inputs)['window_scores']
        results = model(inputs, mode='predict')
    for row, result in zip(scores, results):
        assert (
            torch.equal(result.pred_window_scores, row[: T - K + 1])
            and (row[T - K + 1 :] == -torch.inf).all()
        )
        assert result.pred_start == row.argmax() and result.pred_length == K


@both_ways
@both_protocols
def test_learns_to_find_a_marked_window(direction, protocol):
    """A few steps on one batch must lower the loss: gradients reach the query and what is searched."""
    model, inputs = build(direction=direction, protocol=protocol).train(), batch()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    values = []
    for _ in range(12):
        loss = model(inputs, labeled(1), mode='loss')['loss_relevance']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        values.append(loss.item())
    assert values[-1] < 0.9 * values[0]


def test_bad_inputs_are_named():
    model, inputs = build(), batch()
    with pytest.raises(KeyError, match='the inputs lack query_mask'):
        model(dict(visual=inputs['visual'], audio=inputs['audio']))
    with pytest.raises(ValueError, match=r'query_mask marks no segment in sample\(s\) \[1\]'):
        model(dict(inputs, query_mask=inputs['query_mask'] * torch.tensor([[1.0], [0.0]])))
    with pytest.raises(ValueError, match=r'query_mask is \(2, 5\), the features have'):
        model(dict(inputs, query_mask=inputs['query_mask'][:, 1:]))
    with pytest.raises(ValueError, match=r"direction must be one of .* got 'av'"):
        build(direction='av')
