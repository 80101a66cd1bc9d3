"""Which pixels make the sound: the audio-visual correspondence (AVC) model of Yaghoubi, Kelm, Gerkmann and
Frintrop, "Acoustic and visual knowledge distillation for contrastive audio-visual localization" (ICMI 2023).

Shapes: B samples; C length of an embedding; H, W size of an image, h, w of its feature map (1/32 of it);
F, T frequency bins and frames of a spectrogram.
"""

from collections.abc import Mapping, Sequence

import torch.nn.functional as F
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample, SampleList
from mmdet.utils import ConfigType, OptConfigType, OptMultiConfig
from mmengine.model import BaseModel
from torch import Tensor, nn

from ..losses.max_similarity_contrastive_loss import cosine_maps, paired_cosine_maps
from ..utils.frozen_module import HiddenSubmodules
from .avc_teachers import AVCTeachers

# What is not loaded (section 3.6 leaves it open; as EZ-VSL does it).
FRESH_WEIGHTS = (
    dict(type='Kaiming', layer='Conv2d'),
    dict(type='TruncNormal', layer='Linear', std=0.01),
    dict(type='Normal', layer='BatchNorm2d', mean=1.0, std=0.02, bias=0),
)
RESNET18 = dict(depth=18, num_stages=4, out_indices=(3,), norm_eval=False, init_cfg=list(FRESH_WEIGHTS))

Inputs = Mapping[str, Tensor]
# Keys of the inputs that hold the teachers' embeddings.
TARGETS = dict(audio='teacher_audio', visual='teacher_visual')


@MODELS.register_module()
class AVCLocalizer(HiddenSubmodules, BaseModel):
    """Maps of where in an image its sound comes from, learned from pairs without labels (section 3).

    Image -> backbone -> 1 x 1 convolution -> (B, C, h, w); log spectrogram -> backbone -> maximum over all
    places -> linear layer -> (B, C). The localization map is the cosine of the sound with each pixel.
    Training contrasts the pairs of a batch, eq. (1), and by option draws the embeddings to those of teachers,
    eq. (2) and (3). The teachers' embeddings come with the inputs (``teacher_audio`` (B, C),
    ``teacher_visual`` (B, C, h, w), see ``LoadTeacherEmbeddings``), or from ``teachers`` that run on line;
    prediction needs neither.

    Built without arguments it is the paper's network without teachers: 24.5 million parameters.

    Args:
        visual_backbone: Config of the image's backbone; its last output counts. Defaults to ResNet-18.
        audio_backbone: Config of the spectrogram's, with one input channel. Defaults to ResNet-18.
        visual_channels: Channels of the image's backbone. Defaults to 512.
        audio_channels: Channels of the spectrogram's. Defaults to 512.
        embed_channels: C. Defaults to 2048, the width of the paper's teachers.
        contrastive_loss: Config of the loss of eq. (1); takes sounds (B, C) and maps (B, C, h, w), and has a
            ``temperature``. Defaults to :class:`MaxSimilarityContrastiveLoss`, tau = 0.03.
        audio_hint: Config of the loss of eq. (3), :class:`FeatureHintLoss`; None: no audio teacher.
        visual_hint: Config of the loss of eq. (2); None: no visual teacher.
        teachers: Config of teachers that run on line, :class:`AVCTeachers`; None: their embeddings are among
            the inputs. They are no part of ``parameters()`` and of the state dict.
        data_preprocessor: Config; see :class:`SoundLocalizationDataPreprocessor`. None: inputs are ready.
        init_cfg: How convolutions, linear and norm layers start that no backbone's own ``init_cfg`` starts.
            Defaults to Kaiming's, truncated normal (0.01) and norm weights N(1, 0.02). ImageNet weights of
            the image's backbone are ``visual_backbone.init_cfg=dict(type='StrictPretrained', ...)``.

    Raises:
        ValueError: If there are teachers on line and no hint that asks for them, or their images are
            normalized in another way.
    """

    def __init__(
        self,
        visual_backbone: ConfigType = dict(type='ResNet', **RESNET18),  # noqa: B006 (never changed)
        audio_backbone: ConfigType = dict(type='AudioResNet', in_channels=1, **RESNET18),  # noqa: B006
        visual_channels: int = 512,
        audio_channels: int = 512,
        embed_channels: int = 2048,
        contrastive_loss: ConfigType = dict(type='MaxSimilarityContrastiveLoss'),  # noqa: B006
        audio_hint: OptConfigType = None,
        visual_hint: OptConfigType = None,
        teachers: OptConfigType = None,
        data_preprocessor: OptConfigType = None,
        init_cfg: OptMultiConfig = FRESH_WEIGHTS,
    ) -> None:
        init_cfg = list(init_cfg) if isinstance(init_cfg, tuple) else init_cfg
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.visual_backbone = MODELS.build(visual_backbone)
        self.visual_proj = nn.Conv2d(visual_channels, embed_channels, 1)
        self.audio_backbone = MODELS.build(audio_backbone)
        self.audio_proj = nn.Linear(audio_channels, embed_channels)
        self.contrastive_loss = MODELS.build(contrastive_loss)
        hints = dict(audio=audio_hint, visual=visual_hint)
        self.hints = nn.ModuleDict(
            {name: MODELS.build(cfg) for name, cfg in hints.items() if cfg is not None}
        )
        if teachers is not None and not self.hints:
            raise ValueError(
                'AVCLocalizer: teachers have no work without audio_hint=dict(type="FeatureHintLoss", ...) or '
                'visual_hint'
            )
        self.teachers: AVCTeachers | None = None
        if teachers is not None:
            frozen = MODELS.build(teachers)
            self.hide('teachers', frozen)
            if data_preprocessor is not None:
                frozen.check_images(self.data_preprocessor)

    def init_weights(self) -> None:
        """Initialize the student and read the checkpoints of teachers on line."""
        super().init_weights()
        if self.teachers is not None:
            self.teachers.init_weights()

    def embed(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Embed sounds and images, F_a and F_v.

        Args:
            inputs: ``image`` (B, 3, H, W), normalized; ``spectrogram`` (B, 1, F, T), log spectrograms / 12.

        Returns:
            (B, C) of the sounds and (B, C, h, w) of the images, of any length.

        Raises:
            KeyError: If one of them is missing.
        """
        missing = [name for name in ('image', 'spectrogram') if name not in inputs]
        if missing:
            raise KeyError(f'AVCLocalizer needs {missing}; the inputs hold {sorted(inputs)}')
        visual = self.visual_proj(self.visual_backbone(inputs['image'])[-1])
        audio = self.audio_proj(self.audio_backbone(inputs['spectrogram'])[-1].amax((2, 3)))
        return audio, visual

    def forward(
        self, inputs: Inputs, data_samples: SampleList | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | SampleList:
        """:meth:`loss`, :meth:`predict` or, for 'tensor', :meth:`tensors`; ValueError for another mode."""
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        if mode == 'predict':
            return self.predict(inputs, data_samples)
        if mode == 'tensor':
            return self.tensors(inputs)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")

    def loss(self, inputs: Inputs, data_samples: SampleList | None = None) -> dict[str, Tensor]:
        """Compute the losses: L_S, eq. (1), and of each teacher L_a, eq. (3), or L_v, eq. (2).

        Args:
            inputs: As of :meth:`embed`, with ``teacher_audio`` and ``teacher_visual`` of the hints, or what
                on-line teachers need; KeyError if they are missing.
            data_samples: Not read: nothing is labeled.

        Returns:
            ``loss_similarity`` and, of the hints, ``loss_audio_hint`` and ``loss_visual_hint``,
            weighted scalars.
        """
        targets = self._targets(inputs)
        audio, visual = self.embed(inputs)
        losses = dict(loss_similarity=self.contrastive_loss(audio, visual))
        embeds = dict(audio=audio, visual=visual)
        for name, hint in self.hints.items():
            losses[f'loss_{name}_hint'] = hint(embeds[name], targets[name])
        return losses

    def _targets(self, inputs: Inputs) -> dict[str, Tensor]:
        """The teachers' embeddings by hint."""
        found = inputs if self.teachers is None else self.teachers(inputs)
        missing = [TARGETS[name] for name in self.hints if TARGETS[name] not in found]
        if missing:
            raise KeyError(
                f'AVCLocalizer: the hints need {missing}: add LoadTeacherEmbeddings to the training pipeline '
                '(off line), give model.teachers (on line), or set the hint to None'
            )
        return {name: found[TARGETS[name]] for name in self.hints}

    def predict(self, inputs: Inputs, data_samples: Sequence[DetDataSample] | None = None) -> SampleList:
        """Localize the sound of each sample in its own image.

        Args:
            inputs: ``image`` and ``spectrogram``, see :meth:`embed`.
            data_samples: Receive the maps; a map has the sample's ``img_shape``, without one the size of the
                input. None: new ones do.

        Returns:
            With ``pred_map``, (H, W) float32: the cosine in -1..1 of the sound with each
            pixel, resized bilinearly (corners aligned); not normalized.
        """
        maps = paired_cosine_maps(*(embeds.float() for embeds in self.embed(inputs)))
        size = tuple(inputs['image'].shape[-2:])
        if data_samples is None:
            data_samples = [DetDataSample(metainfo=dict(img_shape=size)) for _ in maps]
        for sample, cosines in zip(data_samples, maps, strict=True):
            shape = tuple(sample.metainfo.get('img_shape', size)[:2])
            sample.pred_map = resize_map(cosines, shape)
        return list(data_samples)

    def tensors(self, inputs: Inputs) -> dict[str, Tensor]:
        """Compute what can be looked at.

        Args:
            inputs: ``image`` and ``spectrogram``, see :meth:`embed`.

        Returns:
            ``audio_embeds`` (B, C), ``visual_embeds`` (B, C, h, w); ``similarity`` S (B, B), of each
            sound (row) with each image; ``similarity_loss``, scalar, eq. (1); ``localization_maps``
            (B, h, w), the cosines of the pairs, and ``localization_maps_over_tau``.
        """
        audio, visual = self.embed(inputs)
        maps = paired_cosine_maps(audio, visual)
        return dict(
            audio_embeds=audio,
            visual_embeds=visual,
            similarity=cosine_maps(audio, visual).amax((2, 3)),
            similarity_loss=self.contrastive_loss(audio, visual),
            localization_maps=maps,
            localization_maps_over_tau=maps / self.contrastive_loss.temperature,
        )


def resize_map(values: Tensor, shape: tuple[int, int]) -> Tensor:
    """Resize a map (h, w) bilinearly to (H, W), corners aligned."""
    return F.interpolate(values[None, None], size=shape, mode='bilinear', align_corners=True)[0, 0]
