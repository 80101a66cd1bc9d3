"""Which pixels make the sound: from images and sounds, or from videos, outside of any data set.

H, W: height and width of an image in pixels; h, w: of the model's input, and of its maps.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import cv2
import mmcv
import numpy as np
import torch
from mmcv.transforms import Compose
from mmdet.registry import TRANSFORMS
from mmdet.structures import DetDataSample
from mmengine import Config, ConfigDict
from mmengine.fileio import dump
from mmengine.infer import BaseInferencer
from mmengine.registry import init_default_scope
from torch import nn
from tqdm import tqdm

from mmav.media.video import read_video_audio
from mmav.media.video_writer import write_video
from mmav.utils.fileio import AtomicLocalBackend

from ..visualization import blend_heatmap
from .localization_sources import Shot, Source, is_video, list_sources, pair_shot, video_shots
from .model_loading import load_model

_LOADERS = ('LoadClipFrame', 'LoadImageFromFile', 'LoadAudioSegment')


class SoundLocalizationInferencer(BaseInferencer):
    """Localize sounds by ``AVCLocalizer``, ``ObjectGuidedLocalizer`` or any model with their inputs.

    A pair is an image and a sound, of which the model hears the middle. A video is gone through image by
    image, each with the sound around it, and becomes a video of heat maps with its sound. Teachers of the
    config are left out.

    Args:
        model: Config file or config. None: the config within the checkpoint, read as plain
            values and not run.
        weights: Checkpoint, read safely and loaded strictly. None: random weights.
        device: Defaults to the GPU where there is one.
        show_progress: Whether to draw a progress bar. Defaults to True.

    Raises:
        RuntimeError: The checkpoint does not fit the config; the message lists the parameters.
        ValueError: The test pipeline of the config loads no sound.

    Example::

        inferencer = SoundLocalizationInferencer('config.py', 'checkpoint.pth')
        inferencer(dict(image='dog.jpg', audio='dog.wav'))['predictions'][0]['peak']
        inferencer('dog.mp4', out_dir='found')  # found/videos/0000_dog.mp4
    """

    def __init__(
        self,
        model: str | Config | ConfigDict | dict | None = None,
        weights: str | None = None,
        device: str | None = None,
        show_progress: bool = True,
    ) -> None:
        init_default_scope('mmdet')
        if isinstance(model, (str, Path)):
            model = Config.fromfile(model)  # names of MMDetection's model zoo hear nothing
        super().__init__(model, weights, device, scope='mmdet', show_progress=show_progress)

    def _init_model(self, cfg: ConfigDict, weights: str | None, device: str = 'cpu') -> nn.Module:
        return load_model(cfg, weights, device, left_out=('teachers', 'localizer.teachers'))[0]

    def _init_pipeline(self, cfg: ConfigDict) -> Compose:
        """The config's test pipeline without its loading; sets what is known from the latter."""
        dataset = cfg.test_dataloader.dataset
        while 'dataset' in dataset or 'datasets' in dataset:
            dataset = dataset.dataset if 'dataset' in dataset else dataset.datasets[0]
        sounds = [
            step
            for step in dataset.pipeline
            if step['type'] == 'LoadAudioSegment' and step.get('key', 'audio') == 'audio'
        ]
        if not sounds:
            raise ValueError('the test pipeline of the config has no LoadAudioSegment for audio')
        self.loader = TRANSFORMS.build(dict(sounds[0], from_video=False))
        return Compose([step for step in dataset.pipeline if step['type'] not in _LOADERS])

    def _init_visualizer(self, cfg: ConfigDict) -> None:
        return None  # images are blended, see visualize

    @torch.no_grad()
    def __call__(
        self,
        inputs: Source | Sequence[Source],
        batch_size: int = 8,
        fps: float = 10.0,
        return_datasamples: bool = False,
        return_vis: bool = False,
        alpha: float = 0.5,
        value_range: tuple[float, float] | None = None,
        out_dir: str | None = None,
    ) -> dict[str, list]:
        """Localize.

        Args:
            inputs: A pair: ``dict(image=..., audio=...)`` of paths or arrays, see
                :func:`mmav.apis.localization_sources.pair_shot`. A video: its path. Or a list of these.
            batch_size: Images that go through the model together. Defaults to 8.
            fps: Images of a video that are taken, and shown, a second. Defaults to 10.
            return_datasamples: Whether predictions are ``DetDataSample``, one for each image, with
                ``pred_map``. Defaults to False.
            return_vis: Whether to return images with maps. Defaults to False.
            alpha: Weight of the maps' colors in them. Defaults to 0.5.
            value_range: Of the colors; None: each map's own, so that there is
                always a maximum to see. Defaults to None.
            out_dir: Folder for ``predictions.json``, ``pictures/``, ``maps/`` (npy, (h, w)
                float32) and ``videos/``. None: nothing is written.

        Returns:
            ``predictions``, one for each image: a ``DetDataSample``, or a dict of
            ``input`` (name), ``time`` (seconds, of a video's images; else None), ``maximum`` of the map,
            not normalized, ``peak``, its place (x, y) in pixels of the image, and ``map``, (h, w) float32;
            ``visualization``, RGB images (H, W, 3) of uint8.

        Raises:
            SampleError: An input is missing, damaged, empty or without sound; the message names it.
            ValueError: If ``batch_size`` or ``fps`` is not above 0.
        """
        if batch_size < 1 or not fps > 0:
            raise ValueError(f'batch_size and fps must be positive, got {batch_size} and {fps}')
        sources = list_sources(inputs)
        results, listed, waves = dict(predictions=[], visualization=[]), [], {}

        def finish(shot: Shot, sample: DetDataSample) -> np.ndarray | None:
            """Note a prediction; give its image where it is wanted."""
            prediction = self.pred2dict(shot, sample)
            listed.append({key: value for key, value in prediction.items() if key != 'map'})
            results['predictions'].append(sample if return_datasamples else prediction)
            if not return_vis and out_dir is None:
                return None
            (picture,) = self.visualize([shot], [sample], alpha, value_range)
            results['visualization'] += [picture] if return_vis else []
            if out_dir is not None and shot.time is None:
                self._save(Path(out_dir), shot, picture, prediction['map'])
            return picture

        with tqdm(desc='Localization', unit=' pictures', disable=not self.show_progress) as progress:
            stream = self._predictions(self._shots(sources, fps, waves), batch_size, progress)
            for number, group in groupby(stream, key=lambda pair: pair[0].source):
                pictures = (finish(*pair) for pair in group)
                if is_video(sources[number]) and out_dir is not None:
                    path = Path(out_dir) / 'videos' / f'{number:04d}_{Path(sources[number]).stem}.mp4'
                    write_video(path, pictures, fps, waves[number], self.loader.sample_rate)
                else:
                    deque(pictures, maxlen=0)
                waves.pop(number, None)
        if out_dir is not None:
            text = dump(dict(predictions=listed), file_format='json')
            AtomicLocalBackend().put_text(text, Path(out_dir) / 'predictions.json')
        return results

    def _shots(self, sources: list[Source], fps: float, waves: dict[int, np.ndarray]) -> Iterator[Shot]:
        """All images with their sounds; the whole sound of each video goes to ``waves``."""
        for number, source in enumerate(sources):
            if is_video(source):
                waves[number] = read_video_audio(source, self.loader.sample_rate)
                yield from video_shots(source, number, waves[number], fps, self.loader)
            else:
                yield pair_shot(source, number, self.loader)

    def _predictions(
        self, shots: Iterator[Shot], batch_size: int, progress: tqdm
    ) -> Iterator[tuple[Shot, DetDataSample]]:
        for chunk in self._get_chunk_data(shots, batch_size):
            for shot, sample in zip(chunk, self.forward(self.preprocess(chunk)), strict=True):
                progress.update()
                yield shot, sample

    def preprocess(self, inputs: Sequence[Shot]) -> dict:
        """A batch of images and sounds through the test pipeline.

        Args:
            inputs: The batch.

        Returns:
            ``inputs`` and ``data_samples``, as the model's ``test_step`` takes them.
        """
        packed = []
        for number, shot in enumerate(inputs):
            image, shape = cv2.cvtColor(shot.image, cv2.COLOR_RGB2BGR), shot.image.shape[:2]
            results = dict(
                img=image,
                img_id=number,
                img_path=shot.name,
                img_shape=shape,
                ori_shape=shape,
                audio=shot.audio,
                sample_rate=self.loader.sample_rate,
            )
            packed.append(self.pipeline(results))
        return self.collate_fn(packed)

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
        inputs: Sequence[Shot],
        preds: Sequence[DetDataSample],
        alpha: float = 0.5,
        value_range: tuple[float, float] | None = None,
    ) -> list[np.ndarray]:
        """Lay maps over their images.

        Args:
            inputs: The images.
            preds: Their predictions.
            alpha: Weight of the maps' colors. Defaults to 0.5.
            value_range: See :meth:`__call__`. Defaults to None.

        Returns:
            RGB images (H, W, 3).
        """
        return [
            blend_heatmap(shot.image, sample.pred_map.float().numpy(), alpha, value_range)
            for shot, sample in zip(inputs, preds, strict=True)
        ]

    def postprocess(
        self,
        preds: Sequence[tuple[Shot, DetDataSample]],
        visualization: list[np.ndarray] | None = None,
        return_datasamples: bool = False,
    ) -> dict[str, list]:
        """Pack predictions and images.

        Args:
            preds: Images and their predictions.
            visualization: Images with maps. Defaults to None.
            return_datasamples: Whether to leave the predictions as they are. Defaults to False.

        Returns:
            ``predictions`` and ``visualization``.
        """
        predictions = [
            sample if return_datasamples else self.pred2dict(shot, sample) for shot, sample in preds
        ]
        return dict(predictions=predictions, visualization=visualization or [])

    @staticmethod
    def pred2dict(shot: Shot, sample: DetDataSample) -> dict:
        """A prediction as plain values; see :meth:`__call__`.

        Args:
            shot: The image.
            sample: Its prediction.

        Returns:
            ``input``, ``time``, ``maximum``, ``peak`` and ``map``.
        """
        heatmap = sample.pred_map.float().numpy()
        row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
        (height, width), (rows, columns) = shot.image.shape[:2], heatmap.shape
        peak = [float((column + 0.5) * width / columns), float((row + 0.5) * height / rows)]
        return dict(input=shot.name, time=shot.time, maximum=float(heatmap.max()), peak=peak, map=heatmap)

    @staticmethod
    def _save(out_dir: Path, shot: Shot, picture: np.ndarray, heatmap: np.ndarray) -> None:
        stem = f'{shot.source:04d}_{Path(shot.name).stem}'
        mmcv.imwrite(picture[..., ::-1], str(out_dir / 'pictures' / f'{stem}.jpg'))
        (out_dir / 'maps').mkdir(exist_ok=True)
        np.save(out_dir / 'maps' / f'{stem}.npy', heatmap)
