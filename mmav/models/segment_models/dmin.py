"""DMIN: Liu, Quan, Wang, Liu, Liu and Yan, "Dense modality interaction network for audio-visual event
localization".

Shapes: B videos, T segments, H and W height and width of a segment's feature map, D channels of the
embeddings, C event categories; class C is background.
"""

from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.utils import OptConfigType
from torch import Tensor, nn

from mmav.structures import SegmentDataSample
from mmav.utils.checks import PROTOCOLS, check_choice

from ..layers.audio_guided_triplet_attention import AudioGuidedTripletAttention
from ..layers.audio_visual_fusion import AudioVisualFusion
from ..layers.dense_modality_interaction import DenseModalityInteraction
from .segment_model import (
    Inputs,
    Samples,
    SegmentModel,
    check_same_segments,
    ensure_data_samples,
    select_inputs,
    stack_labels,
)

# What differs between the two ways of supervision, in the paper (lambda) and the released program.
DEFAULTS: dict[str, dict[str, Any]] = dict(
    fully=dict(fusion_heads=4, unimodal_weight=0.1, dima_dropout=0.02),
    weakly=dict(fusion_heads=2, unimodal_weight=0.08, dima_dropout=0.1),
)


@MODELS.register_module()
class DMIN(SegmentModel):
    """Says of every segment whether it holds an audio-visual event, and of which category the video's is.

    Visual features, one map a segment, are attended to by the sound (AGTA); both modalities then attend to
    themselves, to each other (DIMA) and are fused. Inputs are ``visual`` (B, T, H, W, ``visual_channels``)
    and ``audio`` (B, T, ``audio_channels``).

    Mode 'tensor' gives ``agta`` (B, T, visual_channels), ``agta_attention`` (B, T, H, W), ``fused`` (B, T,
    D), the tensors of :class:`DenseModalityInteraction`, and

    - fully supervised: ``is_event_logits`` (B, T, 1), ``event_logits`` and, with lambda > 0,
      ``event_logits_unimodal`` (B, C);
    - weakly supervised, C + 1 classes: ``is_event_logits`` (B, T), ``raw_logits``, ``event_scores`` and, with
      lambda > 0, ``event_scores_unimodal`` (B, C + 1).

    Mode 'predict' sets ``pred_labels`` (T,), the category of relevant segments, C of others,
    ``pred_relevance`` (T,) in 0..1, ``pred_scores`` (C,) or (C + 1,), probabilities of the video's category,
    and ``pred_attention`` (T, H, W), AGTA's.

    Args:
        supervision: 'fully': labels of segments, ``gt_segments`` (T, C + 1), are learned; 'weakly': labels of
            videos, ``gt_events`` (C + 1,). Defaults to 'fully'.
        protocol: 'paper' or 'official', see :func:`dense_fusion_attention` and
            :class:`AudioGuidedTripletAttention`. Defaults to 'paper'.
        num_categories: C. Defaults to 28.
        visual_channels: Defaults to 512.
        audio_channels: Defaults to 128.
        embed_dims: D. Defaults to 256.
        use_agta: Whether there is AGTA; without, locations are averaged. Defaults to True.
        agta: Others of :class:`AudioGuidedTripletAttention`, ``channel``, ``mfb``, ``lstm``, ``spatial``.
        use_dima: Whether there is DIMA. Defaults to True.
        dima: Others of :class:`DIMALayer`; ``dropout`` defaults to 0.02 fully, 0.1 weakly supervised.
        encoder: Others of :class:`DenseModalityInteraction`.
        fusion_heads: Of the audio-visual fusion. Defaults to 4 fully, 2 weakly supervised.
        unimodal_weight: lambda, the share of the unimodal discrimination loss; 0: there is none, nor its
            head. Defaults to 0.1 fully, 0.08 weakly supervised.
        unimodal_modality: Whose self-attentive features it is of, 'visual' or 'audio'. Defaults to 'visual'.
        visual_dropout: Behind the first fully connected layer. Defaults to 0.2.
        relevance_thr: Relevance from which a segment is one of an event. Defaults to 0.5.
        **kwargs: Of :class:`SegmentModel`.

    Raises:
        ValueError: In use, if inputs or labels do not fit.
    """

    def __init__(
        self,
        supervision: str = 'fully',
        protocol: str = 'paper',
        num_categories: int = 28,
        visual_channels: int = 512,
        audio_channels: int = 128,
        embed_dims: int = 256,
        use_agta: bool = True,
        agta: OptConfigType = None,
        use_dima: bool = True,
        dima: OptConfigType = None,
        encoder: OptConfigType = None,
        fusion_heads: int | None = None,
        unimodal_weight: float | None = None,
        unimodal_modality: str = 'visual',
        visual_dropout: float = 0.2,
        relevance_thr: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice('DMIN', 'protocol', protocol, PROTOCOLS)
        check_choice('DMIN', 'supervision', supervision, DEFAULTS)
        if unimodal_modality not in ('visual', 'audio'):
            raise ValueError(
                f"DMIN: unimodal_modality must be 'visual' or 'audio', got {unimodal_modality!r}"
            )
        defaults = DEFAULTS[supervision]
        self.supervision = supervision
        self.weakly = supervision == 'weakly'
        self.num_categories = num_categories
        self.unimodal_key = f'{unimodal_modality[0]}_self'
        self.relevance_thr = relevance_thr

        self.visual_fc = nn.Sequential(
            nn.Linear(visual_channels, visual_channels), nn.ReLU(), nn.Dropout(visual_dropout)
        )
        self.agta = None
        if use_agta:
            self.agta = AudioGuidedTripletAttention(
                visual_channels, audio_channels, protocol=protocol, **(agta or {})
            )
        self.interaction = DenseModalityInteraction(
            visual_channels,
            audio_channels,
            embed_dims,
            use_dima=use_dima,
            dima=dict(dict(dropout=defaults['dima_dropout']), **(dima or {})),
            protocol=protocol,
            **(encoder or {}),
        )
        heads = defaults['fusion_heads'] if fusion_heads is None else fusion_heads
        self.fusion = AudioVisualFusion(embed_dims, heads)

        weight = defaults['unimodal_weight'] if unimodal_weight is None else unimodal_weight
        kind = 'WeaklySupervisedEventLoss' if self.weakly else 'SupervisedEventLoss'
        self.event_loss = MODELS.build(dict(type=kind, unimodal_weight=weight))
        classes = num_categories + 1 if self.weakly else num_categories
        self.relevance_head = nn.Linear(embed_dims, 1)
        self.category_head = nn.Linear(embed_dims, classes)
        self.has_unimodal = weight > 0
        if self.has_unimodal:
            self.unimodal_head = nn.Linear(embed_dims, classes)
            if self.weakly:
                self.unimodal_relevance_head = nn.Linear(embed_dims, 1)
        self.channels = dict(visual=visual_channels, audio=audio_channels)
        self.match_precision()

    def outputs(self, inputs: Inputs) -> dict[str, Tensor]:
        """All named tensors, see the class."""
        visual, audio = select_inputs(inputs, self.channels, maps=('visual',))
        check_same_segments(visual, audio)
        visual = self.visual_fc(visual)
        if self.agta is None:
            outputs = dict(agta=visual.mean((2, 3)))
        else:
            attended, attention = self.agta(visual, audio)
            outputs = dict(agta=attended, agta_attention=attention)
        outputs.update(self.interaction(outputs['agta'], audio))
        fused = outputs['fused'] = self.fusion(outputs['a_cross'], outputs['v_cross'])
        unimodal = outputs[self.unimodal_key]

        relevance = self.relevance_head(fused)
        category = self.category_head(fused.amax(1))
        if not self.weakly:
            outputs.update(is_event_logits=relevance, event_logits=category)
            if self.has_unimodal:
                outputs['event_logits_unimodal'] = self.unimodal_head(unimodal.amax(1))
            return outputs
        outputs.update(
            is_event_logits=relevance.squeeze(-1),
            raw_logits=category,
            event_scores=pool_instances(relevance, category),
        )
        if self.has_unimodal:
            outputs['event_scores_unimodal'] = pool_instances(
                self.unimodal_relevance_head(unimodal), self.unimodal_head(unimodal.amax(1))
            )
        return outputs

    def loss(self, inputs: Inputs, data_samples: Samples | None) -> dict[str, Tensor]:
        """Losses by ``gt_segments`` or, weakly supervised, by ``gt_events``; see ``supervision``."""
        classes = self.num_categories + 1
        if self.weakly:
            labels = stack_labels(data_samples, 'gt_events', inputs['audio'], (classes,))
            outputs = self.outputs(inputs)
            return self.event_loss(outputs['event_scores'], outputs.get('event_scores_unimodal'), labels)
        audio = inputs['audio']
        labels = stack_labels(data_samples, 'gt_segments', audio, (audio.shape[1], classes))
        outputs = self.outputs(inputs)
        return self.event_loss(
            outputs['is_event_logits'].squeeze(-1),
            outputs['event_logits'],
            outputs.get('event_logits_unimodal'),
            labels,
        )

    def predict(self, inputs: Inputs, data_samples: Samples | None = None) -> list[SegmentDataSample]:
        """Labels of the segments, see the class; labels of the data set are not read."""
        outputs = self.outputs(inputs)
        data_samples = ensure_data_samples(data_samples, *inputs['audio'].shape[:2])
        relevance = outputs['is_event_logits'].flatten(1).sigmoid()
        logits = outputs['raw_logits' if self.weakly else 'event_logits']
        labels = assign_labels(relevance, logits, self.num_categories, self.relevance_thr)
        for index, sample in enumerate(data_samples):
            sample.pred_labels = labels[index]
            sample.pred_relevance = relevance[index]
            sample.pred_scores = logits[index].softmax(-1)
            if 'agta_attention' in outputs:
                sample.pred_attention = outputs['agta_attention'][index]
        return data_samples


def pool_instances(relevance: Tensor, category: Tensor) -> Tensor:
    """Class scores (B, C + 1) of videos: relevance-weighted (B, T, 1) maximum over time, softmax."""
    return (relevance.sigmoid() * category[:, None]).amax(1).softmax(-1)


def assign_labels(relevance: Tensor, category: Tensor, background: int, threshold: float = 0.5) -> Tensor:
    """Labels (B, T): the video's category where relevance (B, T) reaches ``threshold``, else background.

    ``category`` are its scores (B, C) or, with background last, (B, C + 1).
    """
    best = category.argmax(-1, keepdim=True)
    return torch.where(relevance >= threshold, best, background)
