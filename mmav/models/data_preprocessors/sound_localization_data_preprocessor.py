"""From a batch of images and sounds to a sound localizer's inputs, on the model's device.

Shapes: B samples, L samples of sound, F frequency bins, T frames, H, W size of an image.
"""

from collections.abc import Mapping, Sequence

import torch
from mmdet.registry import MODELS
from mmdet.utils import OptConfigType
from torch import Tensor

from mmav.utils.precision import as_float

from .base import StackingDataPreprocessor

# ImageNet's, of RGB values 0..255.
IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@MODELS.register_module()
class SoundLocalizationDataPreprocessor(StackingDataPreprocessor):
    """Sound to log spectrograms, images to normalized tensors; batched, on the device.

    Sound: int16 / 32768 -> log spectrogram -> divided by ``spectrogram_scale``. Images: BGR to RGB ->
    mean and standard deviation. All else in ``inputs`` (``teacher_audio``, ``teacher_visual``,
    ``teacher_waveform``) is stacked as it is, half precision as float32. ``batch_input_shape`` and
    ``pad_shape`` are set as mmdet does.

    Args:
        log_spectrogram: Config of the layer that turns waveforms (B, L) into (B, F, T); None: samples hold
            ``spectrogram``. Defaults to :class:`mmav.models.layers.LogSpectrogram` as the paper has it.
        spectrogram_scale: Divides the log spectrogram. Defaults to 12.
        mean: Subtracted from the 0..255 image, one for all channels or one each, in the order after
            ``bgr_to_rgb``. Defaults to ImageNet's.
        std: Divides it. Defaults to ImageNet's.
        bgr_to_rgb: Whether the images' channels change order: mmcv loads them as BGR. Defaults to True.
        modality: None: ``inputs`` is the dict of all. 'image' or 'spectrogram': it is that tensor, as
            classifiers want it; a batch of images or of sounds alone will do, or the list of these.
        non_blocking: Whether copies to the device may overlap with work. Defaults to False.

    Raises:
        ValueError: In construction, for bad arguments; in use, for values that are not finite or samples of
            different shapes.
        KeyError: In use, if the batch holds no image or no sound.
    """

    def __init__(
        self,
        log_spectrogram: OptConfigType = dict(type='LogSpectrogram'),  # noqa: B006 (never changed)
        spectrogram_scale: float = 12.0,
        mean: float | Sequence[float] = IMAGENET_MEAN,
        std: float | Sequence[float] = IMAGENET_STD,
        bgr_to_rgb: bool = True,
        modality: str | None = None,
        non_blocking: bool = False,
    ) -> None:
        super().__init__(non_blocking=non_blocking)
        if modality not in (None, 'image', 'spectrogram'):
            raise ValueError(f"modality must be None, 'image' or 'spectrogram', got {modality!r}")
        if not spectrogram_scale > 0:
            raise ValueError(f'spectrogram_scale must be above 0, got {spectrogram_scale}')
        self.log_spectrogram = None if log_spectrogram is None else MODELS.build(log_spectrogram)
        self.spectrogram_scale = spectrogram_scale
        self.bgr_to_rgb = bgr_to_rgb
        self.modality = modality
        for name, numbers in (('mean', mean), ('std', std)):
            value = torch.as_tensor(numbers, dtype=torch.float32).reshape(-1, 1, 1)
            if len(value) not in (1, 3) or (name == 'std' and not bool((value > 0).all())):
                raise ValueError(
                    f'{name} of images needs 1 or 3 values{" above 0" * (name == "std")}, '
                    f'got {value.flatten().tolist()}'
                )
            self.register_buffer(name, value, persistent=False)

    def forward(self, data: dict, training: bool = False) -> dict:
        """Prepare a batch.

        Args:
            data: ``inputs``: dict of lists or stacked tensors: ``image`` (3, H, W) 0..255; ``audio`` (L,)
                float in -1..1 or int16, or ``spectrogram`` (1, F, T) as :class:`LogSpectrogram` gives it
                (not yet divided); others. ``data_samples``: list of DetDataSample or missing.
            training: Not used: images are augmented by the pipeline, sounds are not.

        Returns:
            ``inputs``: dict of ``image`` (B, 3, H, W), ``spectrogram`` (B, 1, F, T) and the others
            (B, ...), or what ``modality`` names of them; ``data_samples``.
        """
        inputs, samples = data['inputs'], data.get('data_samples')
        if not isinstance(inputs, Mapping):
            if self.modality is None:
                raise TypeError(f'inputs must be a dict, got {type(inputs).__name__}')
            inputs = {'image' if self.modality == 'image' else 'audio': inputs}
        images, sounds = 'image' in inputs, ('audio' in inputs) + ('spectrogram' in inputs)
        if not (images or self.modality == 'spectrogram') or not (sounds == 1 or self.modality == 'image'):
            raise KeyError(
                "the batch must hold 'image' and either 'audio' or 'spectrogram', it holds "
                f'{sorted(inputs)}: see LoadImageFromFile, LoadAudioSegment and PackLocalizationInputs'
            )
        batch = {}
        for name, values in inputs.items():
            values = self.cast_data(self.stack(name, values))
            if name == 'image':
                batch['image'] = self._normalize(values)
            elif name in ('audio', 'spectrogram'):
                batch['spectrogram'] = self._spectrogram(values, name)
            else:
                batch[name] = values.float() if values.dtype in (torch.half, torch.bfloat16) else values
        if samples is not None:
            samples = self.cast_data(samples)
            shape = tuple(batch['image' if 'image' in batch else 'spectrogram'].shape[-2:])
            for sample in samples:
                sample.set_metainfo(dict(batch_input_shape=shape, pad_shape=shape))
        return dict(inputs=batch if self.modality is None else batch[self.modality], data_samples=samples)

    def _normalize(self, image: Tensor) -> Tensor:
        if image.dim() != 4 or image.shape[1] != 3:
            raise ValueError(f'image: expected images (3, H, W), got {tuple(image.shape[1:])}')
        if self.bgr_to_rgb:
            image = image.flip(1)
        return (image.float() - self.mean).div_(self.std)

    def _spectrogram(self, values: Tensor, name: str) -> Tensor:
        if name == 'audio':
            if self.log_spectrogram is None:
                raise ValueError(
                    'the batch holds waveforms: give log_spectrogram=dict(...) to the data preprocessor'
                )
            if values.dim() != 2:
                raise ValueError(f'audio: expected mono waveforms (L,), got {tuple(values.shape[1:])}')
            values = self.log_spectrogram(as_float(values))[:, None]
        elif values.dim() != 4 or values.shape[1] != 1:
            raise ValueError(f'spectrogram: expected (1, F, T), got {tuple(values.shape[1:])}')
        return values / self.spectrogram_scale
