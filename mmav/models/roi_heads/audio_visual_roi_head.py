"""The RoI head of the AVD detector: section 2 of Kim and Kim, ICASSP 2023.

Shapes: B samples of a batch, N sampled RoIs of the whole batch, C channels, h and w size of a
RoI's feature, K classes, d length of an embedding. Subscripts a, v and av stand for the audio, the visual
and the fused audio-visual feature; H_a and H_v are the audio and the visual box head.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.roi_heads.bbox_heads import BBoxHead
from mmdet.models.task_modules.samplers import SamplingResult
from mmdet.registry import MODELS
from mmdet.structures.bbox import bbox2roi
from mmdet.utils import ConfigType, OptConfigType, OptMultiConfig
from torch import Tensor, nn

from ..layers.audio_visual_pyramid import AudioVisualPyramid
from .score_weighted_fusion import init_as_mean


@MODELS.register_module()
class AudioVisualRoIHead(StandardRoIHead):
    """Cuts the same RoIs from the audio and the visual pyramids, fuses them and distils the fusion.

    Where the features hold no visual pyramid it is mmdet's ``StandardRoIHead`` with H_a. Its own parts are
    ``visual_bbox_head`` (H_v), ``fusion`` (G) and, for several modalities, ``visual_reduction``; a
    deployed checkpoint holds none of them.

    Args:
        bbox_roi_extractor: Config of the RoI extractor, used on every pyramid.
        bbox_head: Config of H_a; a head with shared fully connected layers, whose last one gives the
            embeddings l_a and l_av.
        visual_modalities: Names of the visual pyramids. Several ones are concatenated RoI by RoI and
            reduced to C channels by a 1x1 convolution. ``AudioVisualFasterRCNN`` fills it in.
        visual_bbox_head: Config of H_v. Defaults to that of ``bbox_head``.
        fusion: Config of the fusion. Defaults to ``ScoreWeightedFusion`` as in eq. (1)-(2).
        loss_avd: Config of the distillation loss. Defaults to ``AVDLoss`` with the paper's weights.
        avd_loss_weight: lambda_3 of eq. (8); 0 trains the fused stream without distillation. Defaults to 1.0.
        visual_loss_weight: Weight of H_v's own classification and box loss on the same RoIs, which
            eq. (8) does not list. At 0 whatever of H_v no gradient can reach is frozen. Defaults to 1.0.
        scope: Whose RoIs the sums of eq. (3)-(6) run over: 'image' (one sample's; averaged over the B
            samples, one without positives counting 0) or 'batch'. Defaults to 'image'.
        class_agnostic_groups: Whether positives of all classes are one group of eq. (3) rather than one
            group a class. Makes no difference with one class. Defaults to False.
        train_cfg: Training config: assigner, sampler.
        test_cfg: Test config: score threshold, NMS.
        init_cfg: Initialization config.

    Raises:
        ValueError: On an unknown ``scope``, no modality, or a ``bbox_head`` without shared fully
            connected layers.
    """

    def __init__(
        self,
        bbox_roi_extractor: ConfigType,
        bbox_head: ConfigType,
        visual_modalities: Sequence[str] = ('rgb',),
        visual_bbox_head: OptConfigType = None,
        fusion: OptConfigType = None,
        loss_avd: OptConfigType = None,
        avd_loss_weight: float = 1.0,
        visual_loss_weight: float = 1.0,
        scope: str = 'image',
        class_agnostic_groups: bool = False,
        train_cfg: OptConfigType = None,
        test_cfg: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        super().__init__(
            bbox_roi_extractor=bbox_roi_extractor,
            bbox_head=bbox_head,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            init_cfg=init_cfg,
        )
        if scope not in ('image', 'batch'):
            raise ValueError(f"AudioVisualRoIHead: scope must be 'image' or 'batch', got {scope!r}")
        if not visual_modalities:
            raise ValueError('AudioVisualRoIHead: visual_modalities is empty; use StandardRoIHead')
        if not len(getattr(self.bbox_head, 'shared_fcs', ())):
            raise ValueError(
                'AudioVisualRoIHead: bbox_head must have shared fully connected layers (its last one gives '
                f'the embeddings), e.g. Shared2FCBBoxHead; got {type(self.bbox_head).__name__}'
            )
        channels = self.bbox_roi_extractor.out_channels
        self.visual_modalities = tuple(visual_modalities)
        self.visual_bbox_head = MODELS.build(bbox_head if visual_bbox_head is None else visual_bbox_head)
        self.fusion = MODELS.build({'type': 'ScoreWeightedFusion', 'channels': channels, **(fusion or {})})
        if len(self.visual_modalities) > 1:
            self.visual_reduction = nn.Conv2d(len(self.visual_modalities) * channels, channels, 1)
            init_as_mean(self.visual_reduction)
        self.loss_avd = MODELS.build({'type': 'AVDLoss', **(loss_avd or {})})
        self.avd_loss_weight = avd_loss_weight
        self.visual_loss_weight = visual_loss_weight
        self.scope = scope
        self.class_agnostic_groups = class_agnostic_groups
        if not visual_loss_weight:
            self._freeze_unreached()

    def _freeze_unreached(self) -> None:
        """Freeze H_v without a loss: a parameter without gradient stops distributed training."""
        reached = getattr(self.fusion, 'use_weights', True) and not getattr(
            self.fusion, 'detach_weights', True
        )
        for name, parameter in self.visual_bbox_head.named_parameters():
            parameter.requires_grad_(reached and not name.startswith(('fc_reg', 'reg_')))

    def _bbox_forward(self, x: AudioVisualPyramid, rois: Tensor) -> dict[str, Tensor]:
        """Run the heads on RoIs; on the fused feature where there are visual pyramids.

        Args:
            x: Pyramids of the batch.
            rois: (N, 5): sample index, x1, y1, x2, y2 in pixels of the network's input.

        Returns:
            ``cls_score`` (N, K + 1), ``bbox_pred`` (N, 4 K) and ``bbox_feats`` (N, C, h, w) that
            predictions are made from; with visual pyramids (then those are H_a's on f_av) also ``audio``
            and ``visual``, the (cls_score, bbox_pred) of H_a on f_a and of H_v on f_v, and
            ``audio_embeds`` and ``audiovisual_embeds``, l_a and l_av, (N, d).
        """
        visual = getattr(x, 'visual', None)
        if not visual:
            return super()._bbox_forward(x, rois)
        roi_audio = self.bbox_roi_extractor(x[: self.bbox_roi_extractor.num_inputs], rois)
        roi_visual = self._visual_roi_feats(visual, rois)
        *audio, audio_embeds = self._head_with_embeds(roi_audio)
        visual_outputs = self.visual_bbox_head(roi_visual)
        roi_fused = self.fusion(
            roi_audio,
            roi_visual,
            vehicle_score(self.bbox_head, audio[0]),
            vehicle_score(self.visual_bbox_head, visual_outputs[0]),
        )
        cls_score, bbox_pred, audiovisual_embeds = self._head_with_embeds(roi_fused)
        return dict(
            cls_score=cls_score,
            bbox_pred=bbox_pred,
            bbox_feats=roi_fused,
            audio=tuple(audio),
            visual=visual_outputs,
            audio_embeds=audio_embeds,
            audiovisual_embeds=audiovisual_embeds,
        )

    def _visual_roi_feats(self, visual: dict[str, tuple[Tensor, ...]], rois: Tensor) -> Tensor:
        """Features of the RoIs, (N, C, h, w), over all visual modalities."""
        missing = [name for name in self.visual_modalities if name not in visual]
        if missing:
            raise KeyError(f'AudioVisualRoIHead: no features of {missing}; got those of {sorted(visual)}')
        levels = self.bbox_roi_extractor.num_inputs
        feats = [self.bbox_roi_extractor(visual[name][:levels], rois) for name in self.visual_modalities]
        return feats[0] if len(feats) == 1 else self.visual_reduction(torch.cat(feats, dim=1))

    def _head_with_embeds(self, roi_feats: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """H_a's outputs and its last shared layer's, after the ReLU: (N, K + 1), (N, 4 K), (N, d)."""
        embeds = []
        hook = self.bbox_head.shared_fcs[-1].register_forward_hook(lambda *args: embeds.append(args[-1]))
        try:
            cls_score, bbox_pred = self.bbox_head(roi_feats)
        finally:
            hook.remove()
        return cls_score, bbox_pred, F.relu(embeds[0])

    def bbox_loss(self, x: AudioVisualPyramid, sampling_results: list[SamplingResult]) -> dict:
        """Losses of both heads and of the distillation, eq. (8) without the RPN's terms.

        Args:
            x: Pyramids of the batch, visual ones included.
            sampling_results: The sampled RoIs of each sample.

        Returns:
            What :meth:`_bbox_forward` returns and ``loss_bbox``, a dict of ``loss_cls``,
            ``loss_bbox`` (H_a on f_a), ``loss_cls_av``, ``loss_bbox_av`` (H_a on f_av), ``loss_cls_v``,
            ``loss_bbox_v`` (H_v, unless its weight is 0), ``loss_gcl``, ``loss_avkd`` and the accuracies
            ``acc``, ``acc_av``, ``acc_v`` (percent).
        """
        if not getattr(x, 'visual', None):
            raise ValueError('AudioVisualRoIHead: training needs visual features, got an audio pyramid alone')
        rois = bbox2roi([result.priors for result in sampling_results])
        results = self._bbox_forward(x, rois)
        targets = self.bbox_head.get_targets(sampling_results, self.train_cfg)
        losses = self.bbox_head.loss(*results['audio'], rois, *targets)
        fused = self.bbox_head.loss(results['cls_score'], results['bbox_pred'], rois, *targets)
        losses.update({f'{name}_av': value for name, value in fused.items()})
        if self.visual_loss_weight:
            visual = self.visual_bbox_head.loss_and_target(
                *results['visual'], rois, sampling_results, self.train_cfg
            )['loss_bbox']
            for name, value in visual.items():
                losses[f'{name}_v'] = value * self.visual_loss_weight if 'loss' in name else value
        if self.avd_loss_weight:
            sizes = [len(result.priors) for result in sampling_results]
            losses.update(
                self._avd_loss(results['audio_embeds'], results['audiovisual_embeds'], targets[0], sizes)
            )
        results['loss_bbox'] = losses
        return results

    def _avd_loss(
        self, audio_embeds: Tensor, audiovisual_embeds: Tensor, labels: Tensor, sizes: list[int]
    ) -> dict[str, Tensor]:
        """Distillation terms times lambda_3; ``sizes`` counts each sample's RoIs."""
        if self.scope == 'batch':
            sizes = [sum(sizes)]
        per_scope = [
            self.loss_avd(
                *embeds, label < self.bbox_head.num_classes, None if self.class_agnostic_groups else label
            )
            for *embeds, label in zip(
                audio_embeds.split(sizes), audiovisual_embeds.split(sizes), labels.split(sizes)
            )
        ]
        return {
            name: self.avd_loss_weight * torch.stack([terms[name] for terms in per_scope]).mean()
            for name in per_scope[0]
        }


def vehicle_score(bbox_head: BBoxHead, cls_score: Tensor) -> Tensor:
    """The probability p (N,) of eq. (1) that a RoI holds a vehicle: 1 - p(background).

    With one class that is the vehicle's probability. Logits are (N, K + 1), background last.
    """
    if bbox_head.custom_activation:
        return 1 - bbox_head.loss_cls.get_activation(cls_score)[:, -1]
    # A sum of the classes' probabilities keeps small scores that 1 - p(background) would round off.
    return cls_score.softmax(dim=1)[:, :-1].sum(dim=1)
