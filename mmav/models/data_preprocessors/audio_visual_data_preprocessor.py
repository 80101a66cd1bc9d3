"""From a batch of samples to a detector's inputs, on the model's device.

Shapes: B samples, C microphones, L samples of sound, M mel bands, T frames, H height, W width.
"""

import math
from collections.abc import Mapping, Sequence

import torch
from mmdet.models.utils.misc import samplelist_boxtype2tensor
from mmdet.registry import MODELS
from torch import Tensor
from torch.nn.functional import interpolate, pad

from mmav.models.layers.acoustic_image import AcousticImage
from mmav.models.layers.log_mel_spectrogram import LogMelSpectrogram
from mmav.models.layers.spec_augment import mask_spectrogram
from mmav.utils.precision import as_float

from .base import StackingDataPreprocessor

Numbers = float | Sequence[float]
SOUNDS = ('audio', 'spectrogram', 'acoustic_image')
"""What a batch may hold of sound: waveforms, or what a prepared store made of them."""


def _bicubic_matrix(old: int, new: int) -> Tensor:
    """(new, old): resizes a column of ``old`` values as torch's bicubic ``interpolate`` does."""
    identity = torch.eye(old)[None, None]
    return interpolate(identity, size=(new, old), mode='bicubic', align_corners=False)[0, 0]


@MODELS.register_module()
class AudioVisualDataPreprocessor(StackingDataPreprocessor):
    """Sound to network-sized spectrogram images, images to normalized tensors; batched, on the device.

    Sound: int16 / 32768 -> log-mel (decibel) -> in training, masks -> ``db_range`` to 0..1 (clamped) ->
    bicubic resize to ``audio_size`` -> mean and standard deviation. Phase channels go from -1..1 to 0..1.
    Or, and: -> acoustic image, whose axes are the camera's -> bilinear resize to ``audio_size`` -> its own
    mean and standard deviation. With both, the acoustic image's channels come first.
    Images: BGR to RGB by option -> mean and standard deviation. Everything is then padded with zeros at the
    right and bottom to ``pad_size_divisor``; ``batch_input_shape`` and ``pad_shape`` are set as mmdet does.

    Args:
        log_mel: Arguments of :class:`LogMelSpectrogram`. None: samples hold spectrograms.
        acoustic_image: Arguments of :class:`AcousticImage`. Samples may hold its images, from a prepared
            store, instead of waveforms.
        acoustic_mean: Subtracted from the acoustic image, one for all channels or one per channel.
        acoustic_std: Divides it.
        acoustic_stride: Acoustic images are resized to ``audio_size`` over this, and padded likewise,
            for a backbone of that ``input_stride``: their grid is coarse, so a larger image says no more.
        audio_size: (H, W) that spectrograms are resized to; the size to which the pipeline's
            ResizeModalities brings images and boxes. None: no resizing.
        db_range: Decibels that become 0 and 1. Defaults to (-80, 0).
        audio_mean: Subtracted from the 0..1 sound, one for all channels or one per channel.
        audio_std: Divides it.
        modalities: Per visual modality ``dict(mean=, std=, bgr_to_rgb=)``: mean and std of 0..255 values, one
            or one per channel, in the order after ``bgr_to_rgb`` (Defaults to 0, 1, False).
        modality: None: ``inputs`` is the dict of whatever the batch holds, ``audio`` (B, C, H, W), ``rgb``
            (B, 3, H, W), ...; 'audio', 'rgb', ...: that tensor, as stock mmdet detectors want it.
        spec_augment: Arguments of :func:`mask_spectrogram`, used in training alone.
        phase_channels: Shorthand for ``log_mel=dict(phase_channels=True)``. Defaults to False.
        pad_size_divisor: Defaults to 1.
        non_blocking: Whether copies to the device may overlap with work. Defaults to False.

    Raises:
        ValueError: In use, for NaN in the sound, samples of different shapes, or a network size that differs
            from that of the boxes.
        KeyError: In use, if a modality is missing or not configured.
    """

    def __init__(
        self,
        log_mel: dict | None = None,
        audio_size: tuple[int, int] | None = None,
        db_range: tuple[float, float] = (-80.0, 0.0),
        audio_mean: Numbers = 0.0,
        audio_std: Numbers = 1.0,
        modalities: dict | None = None,
        modality: str | None = None,
        spec_augment: dict | None = None,
        phase_channels: bool = False,
        pad_size_divisor: int = 1,
        non_blocking: bool = False,
        acoustic_image: dict | None = None,
        acoustic_mean: Numbers = 0.0,
        acoustic_std: Numbers = 1.0,
        acoustic_stride: int = 1,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        if not db_range[0] < db_range[1]:
            raise ValueError(f'db_range must rise, got {db_range}')
        if phase_channels and log_mel is None:
            raise ValueError('phase_channels needs waveforms: give log_mel')
        self.log_mel = None
        if log_mel is not None:
            options = {key: value for key, value in log_mel.items() if key != 'type'}
            options['phase_channels'] = phase_channels or options.get('phase_channels', False)
            self.log_mel = LogMelSpectrogram(**options)
        elif spec_augment is not None and acoustic_image is not None:
            raise ValueError('spec_augment masks spectrograms, but there are acoustic images alone')
        self.acoustic_image = None
        if acoustic_image is not None:
            if audio_size is None:
                raise ValueError(
                    "acoustic_image needs audio_size: its grid is coarser than the network's input"
                )
            self.acoustic_image = AcousticImage(
                **{key: value for key, value in acoustic_image.items() if key != 'type'}
            )
        self.audio_size = None if audio_size is None else tuple(audio_size)
        self.acoustic_stride = acoustic_stride
        if acoustic_stride != 1:
            self._check_stride(acoustic_stride, pad_size_divisor)
        self.db_range = tuple(db_range)
        self.modality = modality
        self.spec_augment = spec_augment
        if spec_augment is not None:
            mask_spectrogram(torch.zeros(0, 1, 1, 1), **spec_augment)  # wrong arguments show at once
        self.pad_size_divisor = pad_size_divisor
        self._untouched: set[str] = set()  # modalities whose normalization changes nothing
        self._register_normalization('audio', audio_mean, audio_std)
        self._register_normalization('acoustic', acoustic_mean, acoustic_std)
        self.bgr_to_rgb = {}
        for name, options in (modalities or {}).items():
            if name in ('audio', 'spectrogram', 'acoustic', 'acoustic_image'):
                raise ValueError(f'{name!r} is no visual modality: use audio_mean and audio_std')
            unknown = set(options) - {'mean', 'std', 'bgr_to_rgb'}
            if unknown:
                raise ValueError(f'modalities[{name!r}] has unknown options {sorted(unknown)}')
            self.bgr_to_rgb[name] = options.get('bgr_to_rgb', False)
            self._register_normalization(name, options.get('mean', 0.0), options.get('std', 1.0))

    def _check_stride(self, stride: int, pad_size_divisor: int) -> None:
        if self.audio_size is None or self.acoustic_image is None or self.log_mel is not None:
            raise ValueError(
                'acoustic_stride is for acoustic images alone: give acoustic_image and no log_mel'
            )
        if stride < 1 or any(side % stride for side in (*self.audio_size, pad_size_divisor)):
            raise ValueError(
                f'acoustic_stride {stride} must divide audio_size {self.audio_size} and pad_size_divisor '
                f'{pad_size_divisor}'
            )

    def _register_normalization(self, name: str, mean: Numbers, std: Numbers) -> None:
        for kind, numbers in (('mean', mean), ('std', std)):
            value = torch.as_tensor(numbers, dtype=torch.float32).reshape(-1, 1, 1)
            if kind == 'std' and not bool((value > 0).all()):
                raise ValueError(f'the standard deviation of {name} must be above 0')
            self.register_buffer(f'{name}_{kind}', value, persistent=False)
        if bool((getattr(self, f'{name}_mean') == 0).all() and (getattr(self, f'{name}_std') == 1).all()):
            self._untouched.add(name)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch.

        Args:
            data: ``inputs``: dict of lists (or stacked tensors) by modality; where ``modality`` is set, the
                list or tensor of that modality will do. ``data_samples``: list of DetDataSample or missing.
            training: Whether to mask spectrograms. Defaults to False.

        Returns:
            ``inputs`` (see ``modality``) and ``data_samples``.
        """
        inputs, data_samples = data['inputs'], data.get('data_samples')
        if not isinstance(inputs, Mapping):
            if self.modality is None:
                raise TypeError(f'inputs must be a dict by modality, got {type(inputs).__name__}')
            inputs = {self.modality: inputs}
        if 'audio' in inputs and 'spectrogram' in inputs:
            raise ValueError("the batch holds both 'audio' and 'spectrogram'")
        names = list(dict.fromkeys('audio' if name in SOUNDS else name for name in inputs))
        if self.modality is not None:
            if self.modality not in names:
                raise KeyError(
                    f'the batch holds no {self.modality!r} (it holds {", ".join(names) or "nothing"}): '
                    'add it to the pipeline, LoadMultichannelAudio or LoadVisualModalities'
                )
            names = [self.modality]

        batch = {}
        for name in names:
            if name == 'audio':
                sounds = {
                    key: self.cast_data(self.stack(key, inputs[key])) for key in SOUNDS if key in inputs
                }
                batch[name] = self._audio(sounds, data_samples, training)
            else:
                batch[name] = self._image(self.cast_data(self.stack(name, inputs[name])), name)
        shapes = {name: self._image_shape(name, tensor) for name, tensor in batch.items()}
        if len(set(shapes.values())) > 1:
            raise ValueError(
                f'modalities differ in size: {shapes} (H, W); '
                'make audio_size and the scale of ResizeModalities agree'
            )
        if data_samples is not None:
            data_samples = self.cast_data(data_samples)
        batch = {name: self.pad(tensor, self._stride_of(name)) for name, tensor in batch.items()}
        if data_samples is not None and batch:
            first = next(iter(batch))
            self._set_shapes(data_samples, shapes[first], self._image_shape(first, batch[first]))
        return dict(
            inputs=batch if self.modality is None else batch[self.modality], data_samples=data_samples
        )

    def _stride_of(self, name: str) -> int:
        return self.acoustic_stride if name == 'audio' else 1

    def _image_shape(self, name: str, values: Tensor) -> tuple[int, int]:
        """(H, W) of the image that an input stands for."""
        stride = self._stride_of(name)
        return values.shape[-2] * stride, values.shape[-1] * stride

    def _audio(self, sounds: dict[str, Tensor], data_samples: list | None, training: bool) -> Tensor:
        """The network's audio input, of what the batch holds: (B, C, H, W)."""
        images = []
        if self.acoustic_image is not None or 'acoustic_image' in sounds:
            images.append(self._acoustic(sounds, data_samples))
        if self.log_mel is not None or 'spectrogram' in sounds or not images:
            source = 'spectrogram' if 'spectrogram' in sounds else 'audio'
            if source not in sounds:
                raise ValueError('the batch holds acoustic images alone, but log_mel wants waveforms')
            images.append(self._spectrogram(sounds[source], source, data_samples, training))
        return torch.cat(images, dim=1) if len(images) > 1 else images[0]

    def _acoustic(self, sounds: dict[str, Tensor], data_samples: list | None) -> Tensor:
        if self.acoustic_image is None:
            raise ValueError(
                'the batch holds acoustic images: give acoustic_image=dict(...) to the data preprocessor'
            )
        if 'acoustic_image' in sounds:
            image, settings = sounds['acoustic_image'].float(), self.acoustic_image.settings()
            made_with = data_samples[0].metainfo.get('acoustic_settings') if data_samples else None
            if made_with is not None and made_with != settings:
                changed = sorted(key for key in settings if made_with.get(key) != settings[key])
                raise ValueError(
                    f'the acoustic images were prepared with other {", ".join(changed)} than the data '
                    "preprocessor's acoustic_image has"
                )
        elif 'audio' in sounds:
            rate = data_samples[0].metainfo.get('sample_rate') if data_samples else None
            if rate not in (None, self.acoustic_image.sample_rate):
                raise ValueError(
                    f'the waveforms have {rate} Hz, but acoustic_image wants '
                    f'{self.acoustic_image.sample_rate} Hz: make its sample_rate that of the pipeline'
                )
            image = self.acoustic_image(as_float(sounds['audio']))
        else:
            raise ValueError('acoustic_image needs waveforms, but the batch holds spectrograms')
        return self.acoustic_input(image)

    def acoustic_input(self, image: Tensor) -> Tensor:
        """Acoustic images (B, C, rows, columns) as the network takes them, before the padding."""
        assert self.audio_size is not None  # acoustic_image needs it
        size = [side // self.acoustic_stride for side in self.audio_size]
        image = interpolate(image, size=size, mode='bilinear', align_corners=False)
        return self._normalize(image, 'acoustic')

    def _spectrogram(self, audio: Tensor, source: str, data_samples: list | None, training: bool) -> Tensor:
        if source == 'audio':
            if self.log_mel is None:
                raise ValueError('the batch holds waveforms: give log_mel=dict(...) to the data preprocessor')
            waveform = as_float(audio)
            audio = self.log_mel(waveform)
            decibel, phase = audio[:, : waveform.shape[1]], audio[:, waveform.shape[1] :]
        else:
            self._check_spectrogram(audio, data_samples)
            decibel, phase = audio.float(), audio[:, :0]
        if training and self.spec_augment is not None:
            decibel = mask_spectrogram(decibel, **self.spec_augment)
        return self.spectrogram_input(decibel, phase)

    def spectrogram_input(self, decibel: Tensor, phase: Tensor) -> Tensor:
        """Spectrograms (B, C, M, T) as the network takes them, before the padding.

        Args:
            decibel: Of the microphones.
            phase: Phase channels, -1..1; their number may be 0.

        Returns:
            (B, C, H, W)
        """
        low, high = self.db_range
        audio = ((decibel - low) / (high - low)).clamp(0, 1)
        if phase.shape[1]:
            audio = torch.cat([audio, (phase + 1) / 2], dim=1)
        if self.audio_size is not None and tuple(audio.shape[-2:]) != self.audio_size:
            audio = self._resize(audio, self.audio_size)
        return self._normalize(audio, 'audio')

    def _resize(self, audio: Tensor, size: Sequence[int]) -> Tensor:
        """Bicubic resizing to ``size``, (B, C, M, T) to (B, C, H, W).

        It is linear along each axis, so on a CPU two matrix products give the same, faster.
        """
        if audio.device.type != 'cpu' or audio.requires_grad:
            return interpolate(audio, size=size, mode='bicubic', align_corners=False)
        rows, columns = (_bicubic_matrix(old, new) for old, new in zip(audio.shape[-2:], size, strict=True))
        return rows @ (audio @ columns.t())

    def _check_spectrogram(self, spectrogram: Tensor, data_samples: list | None) -> None:
        if self.log_mel is None:
            return
        if self.log_mel.phase_channels:
            raise ValueError('phase channels need waveforms, but the batch holds spectrograms')
        if spectrogram.shape[-2] != self.log_mel.n_mels:
            raise ValueError(
                f'the batch holds spectrograms of {spectrogram.shape[-2]} mel bands, '
                f'log_mel says {self.log_mel.n_mels}'
            )
        made_with = data_samples[0].metainfo.get('log_mel') if data_samples else None
        if made_with is not None and made_with != self.log_mel.settings():
            raise ValueError(
                f'the spectrograms were prepared with {made_with}, but log_mel says {self.log_mel.settings()}'
            )

    def _image(self, image: Tensor, name: str) -> Tensor:
        if name not in self.bgr_to_rgb:
            raise KeyError(
                f'the batch holds {name!r}, but the data preprocessor does not know how to normalize it: '
                f'add modalities=dict({name}=dict(mean=..., std=...))'
            )
        if self.bgr_to_rgb[name]:
            if image.shape[1] != 3:
                raise ValueError(f'bgr_to_rgb needs 3 channels, {name} has {image.shape[1]}')
            image = image.flip(1)
        return self._normalize(image.float(), name)

    def _normalize(self, values: Tensor, name: str) -> Tensor:
        mean, std = getattr(self, f'{name}_mean'), getattr(self, f'{name}_std')
        for kind, numbers in (('mean', mean), ('std', std)):
            if len(numbers) not in (1, values.shape[1]):
                raise ValueError(f'{name} has {values.shape[1]} channels, its {kind} {len(numbers)} values')
        if name in self._untouched:
            return values
        return (values - mean).div_(std)

    def pad(self, values: Tensor, stride: int) -> Tensor:
        """Pad inputs (B, C, H, W), of which a cell is ``stride`` pixels, to multiples of the divisor."""
        divisor = self.pad_size_divisor // stride
        height, width = values.shape[-2:]
        right = math.ceil(width / divisor) * divisor - width
        bottom = math.ceil(height / divisor) * divisor - height
        return pad(values, (0, right, 0, bottom)) if right or bottom else values

    def _set_shapes(self, data_samples: list, shape: tuple[int, int], padded: tuple[int, int]) -> None:
        for sample in data_samples:
            # Letterboxed content fills the network's input in one direction, stretched content in both.
            content = sample.metainfo.get('img_shape', shape)
            fits = (
                content[0] <= shape[0]
                and content[1] <= shape[1]
                and (content[0] == shape[0] or content[1] == shape[1])
            )
            if not fits:
                raise ValueError(
                    f'the boxes live in {tuple(content)} (H, W), the inputs in {shape}; '
                    'make audio_size (H, W) and the scale (W, H) of ResizeModalities agree'
                )
            sample.set_metainfo(dict(batch_input_shape=padded, pad_shape=padded))
        samplelist_boxtype2tensor(data_samples)
