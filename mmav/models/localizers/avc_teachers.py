"""The two teachers of the audio-visual correspondence model, Yaghoubi et al., ICMI 2023, section 3.4.

Shapes: B samples; C length of an embedding; h, w size of a feature map.
"""

from collections.abc import Mapping
from typing import Any

import torch
from mmdet.registry import MODELS
from mmdet.utils import ConfigType, OptConfigType
from mmengine.logging import print_log
from mmengine.model import BaseDataPreprocessor
from torch import Tensor, nn

from mmav.utils.run_parameters import hash_json, hash_weights

from ..utils.frozen_module import FrozenModule, build_frozen
from ..utils.normalization import image_normalization


@MODELS.register_module()
class AVCTeachers(FrozenModule, nn.ModuleDict):
    """Frozen networks whose features the student is drawn to: in evaluation mode, without gradients.

    A teacher is any module: what it returns (the last, of a tuple) is the embedding. The paper's are
    ``visual=dict(type='DETRFeatures', checkpoint=...)`` and ``audio=dict(type='CNN14', checkpoint=...)``.
    Whoever holds them keeps them out of ``parameters()`` and of checkpoints (``AVCLocalizer`` does).

    Args:
        visual: Config of the module that sees: images (B, 3, H, W) to (B, C, h, w). None: there is none.
        audio: Config of the audio module, to (B, C); of maps (B, C, h, w) the mean over all places is
            taken. None: there is none.
        visual_input: Name of the visual teacher's input. Defaults to 'image': the student's, normalized.
        audio_input: Name of the audio teacher's. Defaults to 'teacher_waveform': (B, L) at the teacher's own
            sample rate; 'spectrogram' is the student's.
        allow_untrained: Whether teachers may do their work whose config names no checkpoint (``checkpoint``,
            or that of ``init_cfg``). Defaults to False.

    Raises:
        ValueError: If there is no teacher.
    """

    def __init__(
        self,
        visual: OptConfigType = None,
        audio: OptConfigType = None,
        visual_input: str = 'image',
        audio_input: str = 'teacher_waveform',
        allow_untrained: bool = False,
    ) -> None:
        super().__init__()
        teachers = dict(visual=visual, audio=audio)
        self.configs = {name: dict(cfg) for name, cfg in teachers.items() if cfg is not None}
        if not self.configs:
            raise ValueError('AVCTeachers: there is no teacher: give visual=dict(type=...), audio or both')
        self.input_names = dict(visual=visual_input, audio=audio_input)
        self.allow_untrained = allow_untrained
        self.ready = False
        for name, cfg in self.configs.items():
            self[name] = build_frozen(cfg)
        self.freeze()

    def init_weights(self) -> None:
        """Read the checkpoints, each strictly; once. ValueError if a teacher has none."""
        if self.ready:
            return
        lacking = [name for name, cfg in self.configs.items() if _checkpoint(cfg) is None]
        if lacking and not self.allow_untrained:
            options = ' '.join(
                f'teachers.{name}.{"init_cfg." * ("init_cfg" in self.configs[name])}checkpoint=FILE'
                for name in lacking
            )
            raise ValueError(
                f'the teachers {lacking} have no weights: --cfg-options {options} (with model. before it for '
                'teachers on line); prediction does not need them'
            )
        teacher: Any
        for name, teacher in self.items():
            if hasattr(teacher, 'init_weights'):
                teacher.init_weights()
            print_log(f'teacher {name}: {_checkpoint(self.configs[name]) or "untrained"}', logger='current')
        self.ready = True

    def check_images(self, data_preprocessor: BaseDataPreprocessor) -> None:
        """ValueError unless images are normalized as those of the visual teacher, where that is known."""
        own = getattr(self['visual'], 'image_preprocessor', None) if 'visual' in self else None
        trained, given = (image_normalization(module) for module in (own, data_preprocessor))
        if None not in (trained, given) and trained != given:
            raise ValueError(
                f'the visual teacher was trained on images with (mean, std, bgr_to_rgb) {trained}, but '
                f"data_preprocessor gives it {given}: set mean, std and bgr_to_rgb there to the teacher's"
            )

    def identity(self) -> dict:
        """All that the embeddings depend on besides the inputs, as json can hold it: hashes of weights."""
        return {
            name: dict(
                model=hash_json(_without_checkpoint(self.configs[name])),
                input=self.input_names[name],
                weights=hash_weights({key: value.cpu() for key, value in teacher.state_dict().items()}),
            )
            for name, teacher in self.items()
        }

    @torch.no_grad()
    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Embed a batch.

        Args:
            inputs: What ``visual_input`` and ``audio_input`` name.

        Returns:
            ``teacher_visual`` (B, C, h, w) and ``teacher_audio`` (B, C), of those that there are.

        Raises:
            KeyError: If an input is missing.
            ValueError: If a teacher has no weights, or returns something of another shape.
        """
        self.init_weights()
        missing = [self.input_names[name] for name in self if self.input_names[name] not in inputs]
        if missing:
            raise KeyError(
                f'AVCTeachers: the inputs lack {missing}; they hold {sorted(inputs)}. teacher_waveform comes '
                "from LoadAudioSegment(sample_rate=32000, key='teacher_waveform') in the pipeline"
            )
        embeds = {}
        for name, teacher in self.items():
            embed = teacher(inputs[self.input_names[name]])
            embed = embed[-1] if isinstance(embed, tuple | list) else embed
            if name == 'audio' and embed.dim() == 4:
                embed = embed.mean((2, 3))
            dims = dict(visual=4, audio=2)[name]
            if embed.dim() != dims:
                raise ValueError(
                    f'the {name} teacher, {type(teacher).__name__}, returns {tuple(embed.shape)}, expected '
                    f'{dict(visual="a map (B, C, h, w)", audio="vectors (B, C)")[name]}'
                )
            embeds[f'teacher_{name}'] = embed
        return embeds


def _checkpoint(cfg: ConfigType) -> str | None:
    """The file that a module's config reads its weights from."""
    init_cfg = cfg.get('init_cfg') or []
    stages = init_cfg if isinstance(init_cfg, list | tuple) else [init_cfg]
    return cfg.get('checkpoint') or next((s['checkpoint'] for s in stages if s.get('checkpoint')), None)


def _without_checkpoint(cfg: ConfigType) -> dict:
    return {key: value for key, value in cfg.items() if key not in ('checkpoint', 'init_cfg')}
