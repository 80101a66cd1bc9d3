"""DMIN's modes, switches and complaints; its numbers are in test_published_networks.py."""

import pytest
import torch
from mmdet.registry import MODELS

from mmav.models.segment_models.dmin import assign_labels, pool_instances
from mmav.structures import SegmentDataSample

B, T, C = 2, 4, 3


def build(**options):
    torch.manual_seed(0)
    small = dict(num_categories=C, visual_channels=8, audio_channels=6, embed_dims=8, fusion_heads=2)
    encoder = dict(num_heads=2, num_layers=1, feedforward_channels=8)
    agta = dict(embed_dims=4, squeeze_channels=4)
    return MODELS.build(dict(type='DMIN', agta=agta, encoder=encoder, **{**small, **options})).eval()


def batch(seed=0, **labels):
    generator = torch.Generator().manual_seed(seed)
    inputs = dict(
        visual=torch.rand(B, T, 2, 2, 8, generator=generator), audio=torch.rand(B, T, 6, generator=generator)
    )
    samples = [SegmentDataSample(metainfo=dict(video_id=f'v{index}')) for index in range(B)]
    for sample in samples:
        for name, value in labels.items():
            setattr(sample, name, value)
    return inputs, samples


def test_labels_are_the_category_where_relevant():
    relevance = torch.tensor([[0.5, 0.4999, 1.0], [0.0, 0.0, 0.0]])
    category = torch.tensor([[0.1, 2.0, 0.3], [5.0, 0.0, 0.0]])
    assert assign_labels(relevance, category, background=3).tolist() == [[1, 3, 1], [3, 3, 3]]
    assert assign_labels(relevance, category, 3, threshold=0.6).tolist() == [[3, 3, 1], [3, 3, 3]]


def test_instances_are_pooled_by_relevance():
    relevance = torch.tensor([[[50.0], [-50.0]]])  # weights 1 and 0
    category = torch.tensor([[2.0, -1.0]])
    # the greatest of 1 x 2 and 0 x 2, of 1 x -1 and 0 x -1
    torch.testing.assert_close(pool_instances(relevance, category), torch.tensor([[2.0, 0.0]]).softmax(-1))


@pytest.mark.parametrize('supervision', ['fully', 'weakly'])
def test_predictions_do_not_read_labels(supervision):
    model = build(supervision=supervision)
    inputs, samples = batch(gt_segments=torch.ones(T, C + 1), gt_events=torch.ones(C + 1))
    with torch.no_grad():
        labeled = model(inputs, samples, mode='predict')
        bare = model(inputs, mode='predict')
    classes = C + 1 if supervision == 'weakly' else C
    for a, b in zip(labeled, bare):
        for name in ('pred_labels', 'pred_relevance', 'pred_scores', 'pred_attention'):
            assert torch.equal(a.get(name), b.get(name))
        assert a.pred_labels.shape == a.pred_relevance.shape == (T,)
        assert a.pred_scores.shape == (classes,) and a.pred_scores.sum().item() == pytest.approx(1)
        assert torch.allclose(a.pred_attention.sum((1, 2)), torch.ones(T))
        relevant = a.pred_relevance >= 0.5
        assert (a.pred_labels[~relevant] == C).all()
        assert (a.pred_labels[relevant] == a.pred_scores.argmax()).all()


def test_unimodal_branch_is_chosen_or_left_out():
    inputs, _ = batch()
    assert 'event_logits_unimodal' not in build(unimodal_weight=0.0)(inputs)
    assert 'event_scores_unimodal' not in build(supervision='weakly', unimodal_weight=0.0)(inputs)
    for modality in ('visual', 'audio'):
        model = build(unimodal_modality=modality)
        outputs = model(inputs)
        features = outputs[f'{modality[0]}_self'].amax(1)
        torch.testing.assert_close(outputs['event_logits_unimodal'], model.unimodal_head(features))
    with pytest.raises(ValueError, match="unimodal_modality must be 'visual' or 'audio', got 'both'"):
        build(unimodal_modality='both')


def test_without_dima_self_attentive_features_are_fused():
    model = build(use_dima=False)
    outputs = model(batch()[0])
    torch.testing.assert_close(outputs['fused'], model.fusion(outputs['a_self'], outputs['v_self']))
    assert 'v_attention' not in outputs


def test_bad_inputs_are_named():
    model = build()
    inputs, samples = batch(gt_segments=torch.ones(T, C))
    with pytest.raises(
        ValueError, match=r'gt_segments of video v0 is \(4, 3\), but the model needs \(4, 4\)'
    ):
        model(inputs, samples, mode='loss')
    with pytest.raises(ValueError, match='gt_events is missing in videos v0, v1'):
        build(supervision='weakly')(*batch(), mode='loss')
    with pytest.raises(
        ValueError, match=r'visual is \(2, 4, 8\), not \(videos, segments, height, width, 8\)'
    ):
        model(dict(inputs, visual=inputs['visual'][:, :, 0, 0]))
    with pytest.raises(ValueError, match=r'visual has \(videos, segments\) \(2, 4\), audio \(2, 3\)'):
        model(dict(inputs, audio=inputs['audio'][:, :3]))
    with pytest.raises(KeyError, match='the inputs lack audio'):
        model(dict(visual=inputs['visual']))
    with pytest.raises(ValueError, match=r"supervision must be one of .* got 'semi'"):
        build(supervision='semi')
    with pytest.raises(ValueError, match=r"protocol must be one of .* got 'x'"):
        build(protocol='x')
