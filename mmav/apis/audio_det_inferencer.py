"""Vehicles by sound: from recordings to boxes in the camera image, outside of any data set.

Shapes: M microphones, L samples of a recording, N samples of a window, H and W height and width of the camera
image.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import Compose, LoadAnnotations
from mmdet.structures import DetDataSample
from mmengine import Config, ConfigDict
from mmengine.model import BaseModel
from mmengine.visualization import Visualizer
from torch import Tensor

from mmav.utils.checks import check_positive
from mmav.utils.config_parts import builds, dataset_metainfo
from mmav.utils.precision import as_float

from ..datasets.transforms import LoadMultichannelAudio, LoadVisualModalities
from ..models.detectors import VISUAL_PREFIXES
from ..structures import Rig
from ..visualization import crop_to_sample, draw_acoustic_image, draw_spectrogram_strip
from .audio_clips import AudioClip, collect_clips, read_camera_images, windows
from .base_inferencer import AudioVisualInferencer
from .recording_rig import adopt_rig, check_recordings, fit_camera, fit_microphones

_UNUSED = (LoadVisualModalities, LoadAnnotations)  # steps of test pipelines that read what nobody gives
_DEFAULT_CROP = (200, 0, 1720, 650)  # MAVD's


AudioWindow = tuple[Tensor, np.ndarray | None]  # (M, N) audio of the model, and RGB camera image, if any


class AudioDetInferencer(AudioVisualInferencer):
    """Detect vehicles in recordings of a microphone array.

    Works with every detector whose input is audio: ``AudioVisualFasterRCNN`` and MMDetection's own with
    ``AudioResNet``. Spectrograms and acoustic images are made by the model's data preprocessor. Boxes are in
    pixels of the camera image that the model was trained with, after its crop (MAVD: 1520 x 650 pixels,
    columns 200 to 1720 of the camera).

    Attribute ``rig``: that of the recordings, if ``rig``, the model or the checkpoint tell of one. A
    ``rig.json`` in a recording's folder, or in the folder above it, is compared with it, but not used.

    A recording is gone through in windows of the model's length (1 s); each gives one prediction.
    A call takes the options of :meth:`preprocess` (``sample_rate``, ``stride``, ``images``) and of
    :meth:`visualize` (``pred_score_thr``, ``spectrograms``, ``acoustic_images``).

    ``model``, ``weights``, ``device``, ``show_progress`` and ``trusted_packages`` are those of
    :class:`AudioVisualInferencer`.

    Args:
        stripped: Accept a checkpoint without the visual branch
            (``tools/model_converters/strip_visual.py``) for a config that has one. Defaults to False.
        image_size: (W, H) that boxes refer to. Defaults to that of the config's test set.
        rig: The rig of the recordings, or its ``rig.json``. None: that of the model.
        allow_other_rig: Whether rigs that differ are a warning instead of an error. Acoustic images
            are then made with ``rig``, although the network was trained with those of another array.
            The cropped camera image must be of the size that the config says. Defaults to False.

    Raises:
        RuntimeError: The checkpoint does not fit the config; the message lists the parameters.
        ValueError: The test pipeline of the config loads no audio; or the rigs of recordings, model and
            training differ; or a rig does not fit the pipeline's microphones, sample rate or crop.

    Example::

        inferencer = AudioDetInferencer('config.py', 'checkpoint.pth')
        inferencer('recording.wav', stride=0.5)['predictions'][0]['bboxes']
    """

    progress = ('Detection', 'windows')
    preprocess_kwargs = {'sample_rate', 'stride', 'images'}
    visualize_kwargs = {'pred_score_thr', 'spectrograms', 'acoustic_images'}
    takes_features = True  # whether a batch may hold acoustic images or spectrograms instead of waveforms

    def __init__(
        self,
        model: str | Path | Config | ConfigDict | dict | None = None,
        weights: str | None = None,
        device: str | None = None,
        stripped: bool = False,
        image_size: tuple[int, int] | None = None,
        show_progress: bool = True,
        rig: Rig | Mapping[str, Any] | str | Path | None = None,
        allow_other_rig: bool = False,
        trusted_packages: Sequence[str] = (),
    ) -> None:
        self.allow_missing = VISUAL_PREFIXES if stripped else ()
        self._image_size = image_size
        self._given_rig = None if rig is None else Rig.from_value(rig)
        self.allow_other_rig = allow_other_rig
        super().__init__(model, weights, device, show_progress, trusted_packages)

    def _init_model(self, cfg: ConfigDict, weights: str | None, device: str = 'cpu') -> BaseModel:
        model = super()._init_model(cfg, weights, device)
        metainfo = dataset_metainfo(self._test_dataset(cfg))
        stored = self.checkpoint_meta.get('dataset_meta') or {}
        model.dataset_meta = dict(
            classes=tuple(stored.get('classes') or metainfo.get('classes', ('vehicle',))),
            palette=stored.get('palette') or metainfo.get('palette'),
        )
        self.rig = adopt_rig(model, self._given_rig, stored, self.allow_other_rig)
        return model

    def _needed(self, dataset: ConfigDict) -> dict[str, Any]:
        metainfo = dataset_metainfo(dataset)
        return dict(
            pipeline=self._used(dataset),
            crop=dataset.get('crop', _DEFAULT_CROP),
            classes=metainfo.get('classes'),
            rig=metainfo.get('rig'),
        )

    @staticmethod
    def _used(dataset: ConfigDict) -> list:
        return [step for step in dataset.get('pipeline') or () if not builds(step, *_UNUSED)]

    def test_dataset(self) -> dict[str, Any]:
        """Of the config's test set what the inferencer needs: ``type``, ``pipeline`` and ``crop``."""
        dataset = self._test_dataset(self.cfg)
        return dict(type=dataset.type, pipeline=self._used(dataset), crop=self.crop)

    def _init_pipeline(self, cfg: ConfigDict) -> Compose:
        """The config's test pipeline without its loading; sets what is known from the latter."""
        dataset = self._test_dataset(cfg)
        loading = [step for step in dataset.pipeline if builds(step, LoadMultichannelAudio)]
        if not loading:
            raise ValueError('the test pipeline of the config has no LoadMultichannelAudio')
        self.sample_rate = loading[0].get('sample_rate', 44100)
        self.num_channels = loading[0].get('num_channels', 8)
        self.window_length = round(loading[0].get('duration', 1.0) * self.sample_rate)
        crop = dataset.get('crop', _DEFAULT_CROP)
        crop = None if crop is None else tuple(crop)
        layer = getattr(self.model.data_preprocessor, 'acoustic_image', None)
        if layer is not None and layer.sample_rate != self.sample_rate:
            raise ValueError(
                f"sample_rate: that of acoustic_image is {layer.sample_rate} Hz, that of the config's "
                f'LoadMultichannelAudio {self.sample_rate} Hz: make them agree'
            )
        rig = self._given_rig if layer is None else layer.rig
        if rig is not None:
            replaced = self._given_rig is not None
            self.num_channels = fit_microphones(rig, self.num_channels, replaced and layer is not None)
            crop, self._image_size = fit_camera(rig, crop, self._image_size, replaced)
        self.crop = crop
        if self._image_size is None and crop is None:
            raise ValueError(
                'the config crops no image: give image_size=(width, height), to which boxes refer'
            )
        width, height = self._image_size or (crop[2] - crop[0], crop[3] - crop[1])
        self.image_size = (int(width), int(height))
        return Compose([step for step in self._used(dataset) if step not in loading])

    def _init_visualizer(self, cfg: ConfigDict) -> Visualizer:
        cfg = ConfigDict(visualizer=dict(type='MAVDLocalVisualizer', name='audio_det_inferencer'))
        visualizer = super(AudioVisualInferencer, self)._init_visualizer(cfg)
        visualizer.dataset_meta = self.model.dataset_meta
        return visualizer

    def _inputs_to_list(self, inputs: Any) -> list[AudioClip]:
        return collect_clips(inputs, self.num_channels)

    def preprocess(
        self,
        inputs: Sequence[AudioClip],
        batch_size: int = 8,
        sample_rate: int | None = None,
        stride: float | None = 1.0,
        images: str | Path | np.ndarray | Sequence | None = None,
    ) -> Iterator[tuple[list[AudioWindow], dict]]:
        """Read recordings one after the other, and make batches of their windows.

        Args:
            inputs: The recordings. A call takes whatever :func:`collect_clips` makes them of: files, folders
                and arrays (M, L).
            batch_size: Windows in a batch. Defaults to 8.
            sample_rate: Sample rate of arrays, in hertz; files tell theirs. Other rates than the model's are
                resampled. Defaults to the model's.
            stride: Seconds between the starts of the windows of a longer recording; the last window ends with
                it. None: a longer recording is an error. Defaults to 1.
            images: Camera image (a path, or RGB of shape (H, W, 3)) to draw on, of the whole camera or
                cropped; one for all recordings or a list, one for each. None: blank.

        Yields:
            Audio and camera image of each window; and ``inputs`` and ``data_samples`` of the model's
            ``test_step``.

        Raises:
            SampleError: A recording is missing, damaged, empty, too short, holds NaN or another number of
                channels, or lies beside the ``rig.json`` of another rig; the message names it.
            ValueError: ``stride`` is not above 0, or the images are of another number than the recordings.
        """
        if stride is not None:
            check_positive('AudioDetInferencer', stride=stride)
        cameras = read_camera_images(images, len(inputs))
        return self._batches(self._windows(inputs, cameras, sample_rate, stride), batch_size)

    def _windows(
        self, clips: Sequence[AudioClip], cameras: list, sample_rate: int | None, stride: float | None
    ) -> Iterator[tuple[AudioWindow, dict]]:
        check_recordings(clips, self.rig, self.allow_other_rig)
        step = None if stride is None else max(round(stride * self.sample_rate), 1)
        for index, clip in enumerate(clips):
            wave = clip.read(self.sample_rate, self.num_channels, sample_rate)
            for start, window in windows(wave, clip.name, self.window_length, step, self.sample_rate):
                packed = self.pack(window, clip.name, start, index)
                yield (packed['inputs']['audio'], cameras[index]), packed

    def pack(self, window: np.ndarray, name: str, start: float, index: int = 0) -> dict:
        """What the config's test pipeline makes of a window.

        Args:
            window: (M, N) int16, or float32 in -1..1, at the model's sample rate.
            name: What its input is called.
            start: Seconds from the start of the input.
            index: Number of the input. Defaults to 0.

        Returns:
            ``inputs``, with ``audio``, and ``data_samples``; a list of them is collated for :meth:`forward`.
        """
        width, height = self.image_size
        geometry = {}
        if self.rig is not None:  # as data sets give it, with the array's center as the origin
            positions = self.rig.microphone_positions
            geometry = dict(microphone_positions=positions - positions.mean(0))
        packed = self.pipeline(
            dict(
                audio=np.ascontiguousarray(window),
                sample_rate=self.sample_rate,
                img_id=index,
                img_path=name,
                ori_shape=(height, width),
                img_shape=(height, width),
                height=height,
                width=width,
                crop=self.crop,
                **geometry,
            )
        )
        packed['data_samples'].set_metainfo(dict(input_index=index, input_name=name, start=start))
        return packed

    def visualize(
        self,
        inputs: Sequence[AudioWindow],
        preds: Sequence[DetDataSample],
        pred_score_thr: float = 0.3,
        spectrograms: bool = True,
        acoustic_images: bool = True,
    ) -> list[np.ndarray]:
        """Draw the boxes of a batch over the camera image or a blank one, and the model's input below it.

        Args:
            inputs: Audio and camera image of each window.
            preds: Their predictions.
            pred_score_thr: Lowest score that is drawn. Defaults to 0.3.
            spectrograms: Whether to draw the spectrograms. Defaults to True.
            acoustic_images: Whether to draw, where the model makes acoustic images, that of the window over
                the camera image, with the boxes, in a second image below the first. Defaults to True.

        Returns:
            RGB images (H', W, 3) of uint8.
        """
        width, height = self.image_size
        preprocessor = self.model.data_preprocessor
        layer = getattr(preprocessor, 'acoustic_image', None) if acoustic_images else None
        drawn = []
        for (audio, image), sample in zip(inputs, preds, strict=True):
            image = np.full((height, width, 3), 40, np.uint8) if image is None else image
            if image.shape[:2] != (height, width):
                image = crop_to_sample(image, sample)
            waveform = as_float(audio.numpy(force=True))
            canvases = [image]
            if layer is not None:
                canvases.append(draw_acoustic_image(image, torch.from_numpy(waveform), layer))
            parts = []
            for canvas in canvases:
                self.visualizer.add_datasample(
                    sample.input_name, canvas, sample, draw_gt=False, pred_score_thr=pred_score_thr
                )
                parts.append(self.visualizer.get_image())
            if spectrograms and preprocessor.log_mel is not None:
                parts.append(self._draw_spectrograms(waveform, parts[0].shape[1]))
            drawn.append(np.concatenate(parts))
        return drawn

    @torch.no_grad()
    def _draw_spectrograms(self, waveform: np.ndarray, width: int) -> np.ndarray:
        preprocessor = self.model.data_preprocessor
        batch = preprocessor.cast_data(torch.from_numpy(waveform)[None])
        decibel = preprocessor.log_mel(batch)[0, : len(waveform)].cpu().numpy()
        low, high = preprocessor.db_range
        rows = -(-len(decibel) // 4)
        strip = draw_spectrogram_strip(decibel, (width, rows * 84), (low, high), columns=4)
        return cv2.cvtColor(strip, cv2.COLOR_BGR2RGB)

    def pred2dict(self, data_sample: DetDataSample) -> dict:
        """A prediction as plain numbers.

        Args:
            data_sample: The prediction.

        Returns:
            ``input`` (name), ``start`` and ``duration`` (seconds), ``bboxes`` (x1, y1, x2, y2 in pixels of
            the cropped camera image), ``scores``, ``labels``, and ``classes`` (names).
        """
        pred = data_sample.pred_instances
        labels = pred.labels.tolist()
        return dict(
            input=data_sample.input_name,
            start=float(data_sample.start),
            duration=self.window_length / self.sample_rate,
            bboxes=pred.bboxes.tolist(),
            scores=pred.scores.tolist(),
            labels=labels,
            classes=[self.model.dataset_meta['classes'][label] for label in labels],
        )

    def _settings(self, preds: Sequence[DetDataSample]) -> dict:
        return dict(image_size=list(self.image_size))

    def _file_stem(self, sample: DetDataSample) -> str:
        return f'{super()._file_stem(sample)}_{sample.start:09.3f}'
