"""Vehicles by sound: from recordings to boxes in the camera image, outside of any data set.

Shapes: M microphones, L samples of a recording, N samples of a window, H and W height and width of the camera
image.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.structures import DetDataSample
from mmengine import Config, ConfigDict
from mmengine.fileio import dump
from mmengine.infer import BaseInferencer
from mmengine.registry import init_default_scope
from mmengine.visualization import Visualizer
from torch import nn
from tqdm import tqdm

from mmav.utils.fileio import AtomicLocalBackend
from mmav.utils.precision import as_float

from ..models.detectors import VISUAL_PREFIXES
from ..structures import Rig
from ..visualization import crop_to_sample, draw_acoustic_image, draw_spectrogram_strip
from .audio_clips import Source, collect_clips, read_camera_images, windows
from .model_loading import load_model
from .recording_rig import adopt_rig, check_recordings, fit_camera, fit_microphones

_LOADERS = ('LoadMultichannelAudio', 'LoadVisualModalities', 'LoadAnnotations')
_DEFAULT_CROP = (200, 0, 1720, 650)  # MAVD's


class AudioDetInferencer(BaseInferencer):
    """Detect vehicles in recordings of a microphone array.

    Works with every detector whose input is sound: ``AudioVisualFasterRCNN`` and MMDetection's own with
    ``AudioResNet``. Spectrograms and acoustic images are made by the model's data preprocessor. Boxes are in
    pixels of the camera image that the model was trained with, after its crop (MAVD: 1520 x 650 pixels,
    columns 200 to 1720 of the camera).

    Attribute ``rig``: that of the recordings, if ``rig``, the model or the checkpoint tell of one. A
    ``rig.json`` in a recording's folder, or in the folder above it, is compared with it, but not used.

    A recording is gone through in windows of the model's length (1 s); each gives one prediction.

    Args:
        model: Config file or config. None: the config within the checkpoint, read as
            plain values and not run.
        weights: Checkpoint, read safely and loaded strictly. None: random weights.
        device: Defaults to the GPU where there is one.
        stripped: Accept a checkpoint without the visual branch
            (``tools/model_converters/strip_visual.py``) for a config that has one. Defaults to False.
        image_size: (W, H) that boxes refer to. Defaults to that of the config's test
            set.
        show_progress: Whether to draw a progress bar. Defaults to True.
        rig: The rig of the recordings, or its ``rig.json``. None: that of the
            model.
        allow_other_rig: Whether rigs that differ are a warning instead of an error. Acoustic images
            are then made with ``rig``: the network hears another array through the images that it knows.
            The cropped camera image must be of the size that the config says. Defaults to False.

    Raises:
        RuntimeError: The checkpoint does not fit the config; the message lists the parameters.
        ValueError: The test pipeline of the config loads no sound; or the rigs of recordings, model and
            training differ; or a rig does not fit the pipeline's microphones, sample rate or crop.

    Example::

        inferencer = AudioDetInferencer('config.py', 'checkpoint.pth')
        inferencer('recording.wav')['predictions'][0]['bboxes']
    """

    preprocess_kwargs = {'sample_rate', 'stride'}
    visualize_kwargs = {'return_vis', 'images', 'pred_score_thr', 'spectrograms', 'acoustic_images'}
    postprocess_kwargs = {'out_dir'}

    def __init__(
        self,
        model: str | Config | ConfigDict | dict | None = None,
        weights: str | None = None,
        device: str | None = None,
        stripped: bool = False,
        image_size: tuple[int, int] | None = None,
        show_progress: bool = True,
        rig: Rig | Mapping[str, Any] | str | Path | None = None,
        allow_other_rig: bool = False,
    ) -> None:
        init_default_scope('mmdet')
        self._allow_missing = VISUAL_PREFIXES if stripped else ()
        self._image_size = image_size
        self._given_rig = None if rig is None else Rig.from_value(rig)
        self.allow_other_rig = allow_other_rig
        if isinstance(model, (str, Path)):
            model = Config.fromfile(model)  # names of MMDetection's model zoo hear nothing
        super().__init__(model, weights, device, scope='mmdet', show_progress=show_progress)

    def _init_model(self, cfg: ConfigDict, weights: str | None, device: str = 'cpu') -> nn.Module:
        model, meta = load_model(cfg, weights, device, self._allow_missing)
        dataset_cfg = self._test_dataset(cfg)
        classes = dataset_cfg.get('metainfo', {}).get('classes', ('vehicle',))
        model.dataset_meta = dict(
            classes=tuple(classes), palette=dataset_cfg.get('metainfo', {}).get('palette')
        )
        stored = meta.get('dataset_meta') or {}
        model.dataset_meta.update({key: stored[key] for key in ('classes', 'palette') if stored.get(key)})
        self.rig = adopt_rig(model, self._given_rig, stored, self.allow_other_rig)
        return model

    @staticmethod
    def _test_dataset(cfg: ConfigDict) -> ConfigDict:
        dataset = cfg.test_dataloader.dataset
        while 'dataset' in dataset:
            dataset = dataset.dataset
        return dataset

    def _init_pipeline(self, cfg: ConfigDict) -> Compose:
        """The config's test pipeline without its loading; sets what is known from the latter."""
        dataset = self._test_dataset(cfg)
        loading = [step for step in dataset.pipeline if step['type'] == 'LoadMultichannelAudio']
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
        return Compose([step for step in dataset.pipeline if step['type'] not in _LOADERS])

    def _init_visualizer(self, cfg: ConfigDict) -> Visualizer:
        cfg = ConfigDict(visualizer=dict(type='MAVDLocalVisualizer', name='audio_det_inferencer'))
        visualizer = super()._init_visualizer(cfg)
        visualizer.dataset_meta = self.model.dataset_meta
        return visualizer

    def __call__(
        self,
        inputs: Source | Sequence,
        batch_size: int = 1,
        sample_rate: int | None = None,
        stride: float | None = 1.0,
        return_datasamples: bool = False,
        return_vis: bool = False,
        images: str | np.ndarray | Sequence | None = None,
        pred_score_thr: float = 0.3,
        spectrograms: bool = True,
        out_dir: str | None = None,
        acoustic_images: bool = True,
    ) -> dict[str, list]:
        """Detect.

        Args:
            inputs: Recordings: a sound file with a channel for each
                microphone; a list of one-channel files in the microphones' order; a folder of such files (of
                MAVD's ``audio_<microphone>_<id>`` too); an array (M, L) of int16 or of floats in -1..1; or a
                list of these.
            batch_size: Windows that go through the model together. Defaults to 1.
            sample_rate: Of arrays, in hertz; files tell theirs. Other rates than the model's
                are resampled. Defaults to the model's.
            stride: Seconds between the starts of the windows of a longer recording; the
                last window ends with it. None: a longer recording is an error. Defaults to 1.
            return_datasamples: Whether predictions are ``DetDataSample``. Defaults to False.
            return_vis: Whether to return images. Defaults to False.
            images: Camera image (a path, or RGB of shape (H, W, 3))
                to draw on, of the whole camera or cropped; one for all recordings or a list, one for each.
                None: blank.
            pred_score_thr: Lowest score that is drawn. Defaults to 0.3.
            spectrograms: Whether to draw the spectrograms below the image. Defaults to True.
            out_dir: Folder for ``predictions.json`` and the images. None: nothing is
                written.
            acoustic_images: Whether to draw, where the model makes acoustic images, that of the window
                over the camera image, in a second image below the first. Defaults to True.

        Returns:
            ``predictions``, one per window: a ``DetDataSample``, or a dict of ``input``
            (name), ``start`` and ``duration`` (seconds), ``bboxes`` (x1, y1, x2, y2 in pixels of the cropped
            camera image), ``scores``, ``labels``, ``classes`` (names); and ``visualization``, RGB images of
            uint8.

        Raises:
            SampleError: A recording is missing, damaged, empty, too short, holds NaN or another number of
                channels, or lies beside the ``rig.json`` of another rig; the message names it.
        """
        if batch_size < 1 or (stride is not None and not stride > 0):
            raise ValueError(f'batch_size and stride must be positive, got {batch_size} and {stride}')
        clips = self._inputs_to_list(inputs)
        pictures = read_camera_images(images, len(clips))
        drawn = return_vis or out_dir is not None
        results = dict(predictions=[], visualization=[])
        batches = self.preprocess(clips, batch_size, sample_rate, stride)
        with tqdm(batches, desc='Detection', unit=' batches', disable=not self.show_progress) as progress:
            for data in progress:
                samples = self.forward(data)
                options = (pred_score_thr, spectrograms, acoustic_images)
                vis = self.visualize(data, samples, pictures, *options) if drawn else []
                if out_dir is not None:
                    self._save_pictures(vis, samples, Path(out_dir))
                results['visualization'] += vis if return_vis else []
                results['predictions'] += samples if return_datasamples else map(self.pred2dict, samples)
        if out_dir is not None:
            listed = results['predictions']
            listed = [self.pred2dict(sample) for sample in listed] if return_datasamples else listed
            text = dump(dict(image_size=list(self.image_size), predictions=listed), file_format='json')
            AtomicLocalBackend().put_text(text, Path(out_dir) / 'predictions.json')
        return results

    def _inputs_to_list(self, inputs) -> list:
        return collect_clips(inputs, self.num_channels)

    def preprocess(
        self, inputs: list, batch_size: int = 1, sample_rate: int | None = None, stride: float | None = 1.0
    ) -> Iterator[dict]:
        """Read recordings one after the other, and make batches of their windows.

        Args:
            inputs: The recordings.
            batch_size: Windows in a batch. Defaults to 1.
            sample_rate: Of arrays, in hertz.
            stride: Seconds between windows; see :meth:`__call__`.

        Yields:
            ``inputs`` and ``data_samples``, as the model's ``test_step`` takes them.

        Raises:
            SampleError: See :meth:`__call__`.
        """
        for chunk in self._get_chunk_data(self._windows_of(inputs, sample_rate, stride), batch_size):
            yield self.collate_fn(chunk)

    def _windows_of(self, clips: list, sample_rate: int | None, stride: float | None) -> Iterator[dict]:
        check_recordings(clips, self.rig, self.allow_other_rig)
        step = None if stride is None else max(round(stride * self.sample_rate), 1)
        width, height = self.image_size
        geometry = {}
        if self.rig is not None:  # as data sets give it, with the array's center as the origin
            positions = self.rig.microphone_positions
            geometry = dict(microphone_positions=positions - positions.mean(0))
        for index, clip in enumerate(clips):
            wave = clip.read(self.sample_rate, self.num_channels, sample_rate)
            for start, window in windows(wave, clip.name, self.window_length, step, self.sample_rate):
                packed = self.pipeline(
                    dict(
                        audio=np.ascontiguousarray(window),
                        sample_rate=self.sample_rate,
                        img_id=index,
                        img_path=clip.name,
                        ori_shape=(height, width),
                        img_shape=(height, width),
                        height=height,
                        width=width,
                        crop=self.crop,
                        **geometry,
                    )
                )
                packed['data_samples'].set_metainfo(dict(start=start, clip=index))
                yield packed

    @torch.no_grad()
    def forward(self, inputs: dict) -> list[DetDataSample]:
        """Run the model.

        Args:
            inputs: A batch.

        Returns:
            Predictions, on the CPU.
        """
        return [sample.to('cpu') for sample in self.model.test_step(inputs)]

    def visualize(
        self,
        inputs: dict,
        preds: list[DetDataSample],
        images: list,
        pred_score_thr: float = 0.3,
        spectrograms: bool = True,
        acoustic_images: bool = True,
    ) -> list[np.ndarray]:
        """Draw the boxes of a batch over the camera image or a blank one, and what is heard below it.

        Args:
            inputs: The batch that went into the model.
            preds: Its predictions.
            images: A camera image or None for each recording.
            pred_score_thr: Lowest score that is drawn. Defaults to 0.3.
            spectrograms: Whether to draw spectrograms. Defaults to True.
            acoustic_images: Whether to draw the acoustic image over the camera image, with the boxes.
                Defaults to True.

        Returns:
            RGB images (H', W, 3).
        """
        width, height = self.image_size
        preprocessor = self.model.data_preprocessor
        layer = getattr(preprocessor, 'acoustic_image', None) if acoustic_images else None
        pictures = []
        for audio, sample in zip(inputs['inputs']['audio'], preds):
            image = images[sample.clip]
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
                    sample.img_path, canvas, sample, draw_gt=False, pred_score_thr=pred_score_thr
                )
                parts.append(self.visualizer.get_image())
            if spectrograms and preprocessor.log_mel is not None:
                parts.append(self._draw_spectrograms(waveform, parts[0].shape[1]))
            pictures.append(np.concatenate(parts))
        return pictures

    @torch.no_grad()
    def _draw_spectrograms(self, waveform: np.ndarray, width: int) -> np.ndarray:
        preprocessor = self.model.data_preprocessor
        batch = preprocessor.cast_data(torch.from_numpy(waveform)[None])
        decibel = preprocessor.log_mel(batch)[0, : len(waveform)].cpu().numpy()
        low, high = preprocessor.db_range
        rows = -(-len(decibel) // 4)
        strip = draw_spectrogram_strip(decibel, (width, rows * 84), (low, high), columns=4)
        return cv2.cvtColor(strip, cv2.COLOR_BGR2RGB)

    def postprocess(
        self, preds: list, visualization: list | None = None, return_datasamples: bool = False
    ) -> dict:
        """Pack predictions and images.

        Args:
            preds: Predictions.
            visualization: Images.
            return_datasamples: Whether to leave the predictions as they are. Defaults to False.

        Returns:
            ``predictions`` and ``visualization``.
        """
        predictions = preds if return_datasamples else [self.pred2dict(sample) for sample in preds]
        return dict(predictions=predictions, visualization=visualization or [])

    def pred2dict(self, data_sample: DetDataSample) -> dict:
        """A prediction as plain numbers; see :meth:`__call__`.

        Args:
            data_sample: The prediction.

        Returns:
            Ready for json.
        """
        pred = data_sample.pred_instances
        labels = pred.labels.tolist()
        return dict(
            input=data_sample.img_path,
            start=float(data_sample.start),
            duration=self.window_length / self.sample_rate,
            bboxes=pred.bboxes.tolist(),
            scores=pred.scores.tolist(),
            labels=labels,
            classes=[self.model.dataset_meta['classes'][label] for label in labels],
        )

    def _save_pictures(self, pictures: list, samples: list, out_dir: Path) -> None:
        for picture, sample in zip(pictures, samples):
            name = f'{sample.clip:04d}_{Path(sample.img_path).stem}_{sample.start:09.3f}.jpg'
            mmcv.imwrite(picture[..., ::-1], str(out_dir / 'pictures' / name))
