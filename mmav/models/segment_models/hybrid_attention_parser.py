"""Parsing a video into events that sound, show, or both, learned from the video's set of events alone:
HAN (Tian, Li and Xu, "Unified multisensory perception: weakly-supervised audio-visual video parsing", ECCV
2020) and its changes by Lamba et al., "Cross-modal learning for audio-visual video parsing" (Interspeech
2021).

Shapes: B videos, T segments (seconds), F frames, D channels, C classes.
"""

from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.utils import ConfigType, OptConfigType
from torch import Tensor, nn

from mmav.structures import SegmentDataSample

from ..layers.attentive_mmil_pooling import AttentiveMMILPooling
from ..layers.hybrid_attention import HybridAttentionLayer
from ..layers.modality_discriminator import ModalityDiscriminator
from ..losses.video_parsing_loss import modality_adversarial_loss
from .segment_model import (
    Inputs,
    Samples,
    SegmentModel,
    ensure_data_samples,
    mean_per_segment,
    select_inputs,
    stack_labels,
)


@MODELS.register_module()
class HybridAttentionParser(SegmentModel):
    """HAN; with ``base``, ``skip``, ``discriminator`` and ``gcaa`` the rows of the second paper's tables.

    Without arguments it is HAN as published; ``convert_official_state_dict('han', ...)`` gives the published
    weights these names.

    Inputs: ``audio`` (B, T, 128), VGGish; ``visual`` (B, F, 2048), ResNet-152, F a multiple of T (80 frames
    of 10 s); ``visual_st`` (B, T, 512), R(2+1)D-18.

    Predictions are ``SegmentDataSample`` with probabilities: ``pred_audio`` and ``pred_visual`` (T, C) of
    the segments, ``pred_events``, ``pred_audio_events``, ``pred_visual_events`` (C,) of the video, its sound
    and its image.

    Args:
        num_classes: C. Defaults to 25.
        audio_channels: Of ``audio``. Defaults to 128.
        visual_channels: Of ``visual``. Defaults to 2048.
        visual_st_channels: Of ``visual_st``; None: it is not read. Defaults to 512.
        embed_dims: D. Defaults to 512.
        num_layers: Layers of hybrid attention. Defaults to 1.
        num_heads: Heads of every attention. Defaults to 1.
        feedforward_channels: Defaults to 512.
        dropout: Defaults to 0.1.
        base: The paper's Base, see :class:`HybridAttentionLayer`. Defaults to False.
        skip: The paper's Skip, with ``base``. Defaults to False.
        gcaa: The paper's GCAA, see :class:`GlobalContextAttention`. Defaults to False.
        discriminator: The paper's Adv: options of :class:`ModalityDiscriminator`, an empty dict for its
            defaults (lambda_ad 0.4). Defaults to None: no such discriminator.
        loss: Config of the loss of videos. Defaults to ``VideoParsingLoss``, HAN's.
        pseudo_loss: Config of a loss of segments with soft labels ``pseudo_audio`` and ``pseudo_visual``
            (T, C) of the samples, ``SegmentPseudoLabelLoss``. Defaults to None.
        guide_by_pseudo_labels: With ``pseudo_loss``, whether the targets of sound and image in ``loss``
            are y times the greatest pseudo label of the modality, instead of y smoothed. Defaults to False.
        video_threshold: A segment's probability of a class becomes 0 where the whole video's is below this,
            as the published evaluation does with 0.5; None: probabilities stay. Defaults to 0.5.
        **kwargs: Of :class:`SegmentModel`.

    Raises:
        ValueError: In use, if features are of another shape or labels are missing.
        KeyError: In use, if the inputs lack a feature.
    """

    def __init__(
        self,
        num_classes: int = 25,
        audio_channels: int = 128,
        visual_channels: int = 2048,
        visual_st_channels: int | None = 512,
        embed_dims: int = 512,
        num_layers: int = 1,
        num_heads: int = 1,
        feedforward_channels: int = 512,
        dropout: float = 0.1,
        base: bool = False,
        skip: bool = False,
        gcaa: bool = False,
        discriminator: OptConfigType = None,
        loss: ConfigType = dict(type='VideoParsingLoss'),  # noqa: B006  (not changed)
        pseudo_loss: OptConfigType = None,
        guide_by_pseudo_labels: bool = False,
        video_threshold: float | None = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if guide_by_pseudo_labels and pseudo_loss is None:
            raise ValueError('HybridAttentionParser: guide_by_pseudo_labels needs pseudo_loss')
        self.channels = dict(audio=audio_channels, visual=visual_channels)
        self.audio_embedding = nn.Linear(audio_channels, embed_dims)
        self.visual_embedding = nn.Linear(visual_channels, embed_dims)
        if visual_st_channels is not None:
            self.channels['visual_st'] = visual_st_channels
            self.visual_st_embedding = nn.Linear(visual_st_channels, embed_dims)
            self.visual_fusion = nn.Linear(2 * embed_dims, embed_dims)
        self.layers = nn.ModuleList(
            HybridAttentionLayer(
                embed_dims, num_heads, feedforward_channels, dropout, base=base, skip=skip, gcaa=gcaa
            )
            for _ in range(num_layers)
        )
        self.pooling = AttentiveMMILPooling(embed_dims, num_classes)
        self.discriminator = (
            None if discriminator is None else ModalityDiscriminator(embed_dims, **discriminator)
        )
        self.video_loss = MODELS.build(loss)
        self.pseudo_loss = None if pseudo_loss is None else MODELS.build(pseudo_loss)
        self.guide_by_pseudo_labels = guide_by_pseudo_labels
        self.video_threshold = video_threshold

    def extract_feat(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Features of the segments of sound and image, (B, T, D) each, in front of the pooling."""
        audio, visual, *rest = select_inputs(inputs, self.channels)
        # The mean before the linear layer: the same, for an eighth of the work.
        visual = self.visual_embedding(mean_per_segment(visual, audio.shape[1], 'visual'))
        for visual_st in rest:
            visual_st = mean_per_segment(visual_st, audio.shape[1], 'visual_st')
            visual = self.visual_fusion(torch.cat((visual, self.visual_st_embedding(visual_st)), dim=2))
        audio = self.audio_embedding(audio)
        for layer in self.layers:
            audio, visual = layer(audio, visual)
        return audio, visual

    def outputs(self, inputs: Inputs) -> dict[str, Tensor]:
        """Probabilities, unfiltered: those of :class:`AttentiveMMILPooling`."""
        return self.pooling(*self.extract_feat(inputs))

    def loss(self, inputs: Inputs, data_samples: Samples) -> dict[str, Tensor]:
        """Losses of a batch, eq. (2).

        ``loss_video``, ``loss_audio``, ``loss_visual``, those of ``pseudo_loss``, and ``loss_adversarial``,
        whose gradient is reversed in front of the discriminator. Samples have ``gt_events`` (C,); with
        ``pseudo_loss`` also ``pseudo_audio`` and ``pseudo_visual`` (T, C).
        """
        features = self.extract_feat(inputs)
        probs = self.pooling(*features)
        frame_prob = probs.pop('frame_prob')
        _, segments, _, classes = frame_prob.shape
        labels = stack_labels(data_samples, 'gt_events', frame_prob, (classes,))
        losses, guides = {}, {}
        if self.pseudo_loss is not None:
            names = ('pseudo_audio', 'pseudo_visual')
            shape = (segments, classes)
            pseudo = [stack_labels(data_samples, name, frame_prob, shape) for name in names]
            losses.update(self.pseudo_loss(frame_prob, *pseudo))
            if self.guide_by_pseudo_labels:
                audio_labels, visual_labels = (labels * soft.amax(1) for soft in pseudo)
                guides = dict(audio_labels=audio_labels, visual_labels=visual_labels)
        losses.update(self.video_loss(**probs, labels=labels, **guides))
        if self.discriminator is not None:
            losses['loss_adversarial'] = modality_adversarial_loss(*self.discriminator(*features))
        return losses

    def predict(self, inputs: Inputs, data_samples: Samples | None = None) -> list[SegmentDataSample]:
        """Probabilities of a batch, as data samples; see the class."""
        probs = self.outputs(inputs)
        frame_prob, global_prob = probs['frame_prob'], probs['global_prob']
        if self.video_threshold is not None:
            frame_prob = frame_prob * (global_prob >= self.video_threshold)[:, None, None]
        data_samples = ensure_data_samples(data_samples, *frame_prob.shape[:2])
        for index, sample in enumerate(data_samples):
            sample.pred_audio, sample.pred_visual = frame_prob[index].unbind(1)
            sample.pred_events = global_prob[index]
            sample.pred_audio_events = probs['audio_prob'][index]
            sample.pred_visual_events = probs['visual_prob'][index]
        return data_samples
