"""Which pixels make the sound: from images and audio, or from videos, outside of any data set.

H, W: height and width of an image in pixels; h, w: of the model's input, and of its maps.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import Compose, LoadImageFromFile
from mmdet.registry import TRANSFORMS
from mmdet.structures import DetDataSample
from mmengine import ConfigDict

from mmav.media.video_writer import VideoWriter
from mmav.utils.checks import check_positive
from mmav.utils.config_parts import builds
from mmav.utils.fileio import whole_file

from ..datasets.transforms import LoadAudioSegment, LoadClipFrame
from ..visualization import blend_heatmap
from .base_inferencer import AudioVisualInferencer, Result
from .localization_sources import ImageAudioPair, Source, check_source, read_pair, video_pairs

_LOADERS = (LoadClipFrame, LoadImageFromFile, LoadAudioSegment)


class SoundLocalizationInferencer(AudioVisualInferencer):
    """Localize sounds by ``AVCLocalizer``, ``ObjectGuidedLocalizer`` or any model with their inputs.

    A pair is an image and its audio, of which the middle goes into the model. Images of a video go in with
    the audio around them, and become a video of heat maps with its audio. Teachers of the config are left
    out.

    Arguments and errors are those of :class:`AudioVisualInferencer`; a config whose test pipeline loads no
    audio is a ValueError, too. A call takes the options of :meth:`preprocess` (``fps``) and of
    :meth:`visualize` (``alpha``, ``value_range``). Beside ``predictions.json``, ``out_dir`` receives
    ``pictures/*.jpg`` and ``maps/*.npy`` ((h, w) float32) of pairs, ``videos/*.mp4`` of videos.

    Example::

        inferencer = SoundLocalizationInferencer('config.py', 'checkpoint.pth')
        inferencer(dict(image='dog.jpg', audio='dog.wav'))['predictions'][0]['peak']
        inferencer('dog.mp4', out_dir='found')  # found/videos/0000_dog.mp4
    """

    progress = ('Localization', 'images')
    arrays = ('map',)
    left_out = ('teachers', 'localizer.teachers')
    preprocess_kwargs = {'fps'}
    visualize_kwargs = {'alpha', 'value_range'}

    def _init_pipeline(self, cfg: ConfigDict) -> Compose:
        """The config's test pipeline without its loading; sets what is known from the latter."""
        pipeline = self._test_dataset(cfg).pipeline
        loading = [step for step in pipeline if builds(step, LoadAudioSegment)]
        loading = [step for step in loading if step.get('key', 'audio') == 'audio']
        if not loading:
            raise ValueError('the test pipeline of the config has no LoadAudioSegment for audio')
        self.loader = TRANSFORMS.build(dict(loading[0], from_video=False))
        return Compose([step for step in pipeline if not builds(step, *_LOADERS)])

    def _inputs_to_list(self, inputs: Any) -> list[Source]:
        sources = super()._inputs_to_list(inputs)
        for number, source in enumerate(sources):
            check_source(source, number)
        return sources

    def preprocess(
        self, inputs: Sequence[Source], batch_size: int = 8, fps: float = 10.0
    ) -> Iterator[tuple[list[ImageAudioPair], dict]]:
        """Read pairs, or videos image by image, and make batches.

        Args:
            inputs: The inputs. A call takes a pair, ``dict(image=..., audio=...)`` of paths or arrays, see
                :func:`mmav.apis.localization_sources.read_pair`; the path of a video; or a list of these.
            batch_size: Images in a batch. Defaults to 8.
            fps: Images of a video that are taken, and shown, a second. Defaults to 10.

        Yields:
            The pairs of a batch; and ``inputs`` and ``data_samples``, as the model's ``test_step`` takes
            them.

        Raises:
            SampleError: An input is missing, damaged, empty or without audio; the message names it.
            ValueError: ``fps`` is not above 0.
        """
        check_positive('SoundLocalizationInferencer', fps=fps)
        return self._batches(self._pairs(inputs, fps), batch_size)

    def _pairs(self, sources: Sequence[Source], fps: float) -> Iterator[tuple[ImageAudioPair, dict]]:
        for number, source in enumerate(sources):
            pairs: Iterable[ImageAudioPair]
            if isinstance(source, Mapping):
                pairs = [read_pair(source, number, self.loader)]
            else:
                pairs = video_pairs(source, fps, self.loader)
            for pair in pairs:
                shape = pair.image.shape[:2]
                packed = self.pipeline(
                    dict(
                        img=cv2.cvtColor(pair.image, cv2.COLOR_RGB2BGR),
                        img_id=number,
                        img_path=pair.name,
                        img_shape=shape,
                        ori_shape=shape,
                        audio=pair.audio,
                        sample_rate=self.loader.sample_rate,
                    )
                )
                metainfo = dict(input_index=number, input_name=pair.name, time=pair.time, ori_shape=shape)
                packed['data_samples'].set_metainfo(metainfo)
                yield pair, packed

    def visualize(
        self,
        inputs: Sequence[ImageAudioPair],
        preds: Sequence[DetDataSample],
        alpha: float = 0.5,
        value_range: tuple[float, float] | None = None,
    ) -> list[np.ndarray]:
        """Lay maps over their images.

        Args:
            inputs: The images.
            preds: Their predictions.
            alpha: Weight of the maps' colors. Defaults to 0.5.
            value_range: Values of the ends of the colors; None: each map's own minimum and maximum, so that
                there is always a maximum to see. Defaults to None.

        Returns:
            RGB images (H, W, 3) of uint8.
        """
        return [
            blend_heatmap(pair.image, sample.pred_map.float().numpy(), alpha, value_range)
            for pair, sample in zip(inputs, preds, strict=True)
        ]

    def pred2dict(self, data_sample: DetDataSample) -> dict:
        """A prediction as plain values.

        Args:
            data_sample: The prediction.

        Returns:
            ``input`` (name), ``time`` (seconds, of a video's images; else None), ``maximum`` of the map, not
            normalized, ``peak``, its place (x, y) in pixels of the image, and ``map``, (h, w) float32.
        """
        heatmap = data_sample.pred_map.float().numpy()
        row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
        (height, width), (rows, columns) = data_sample.ori_shape, heatmap.shape
        return dict(
            input=data_sample.input_name,
            time=data_sample.time,
            maximum=float(heatmap.max()),
            peak=[float((column + 0.5) * width / columns), float((row + 0.5) * height / rows)],
            map=heatmap,
        )

    def _save(self, results: Iterable[Result], out_dir: Path) -> Iterator[Result]:
        for _, group in groupby(results, key=lambda result: result[1].input_index):
            first = next(group)
            pair, sample, _ = first
            stem = self._file_stem(sample)
            if pair.recording is None:
                yield from super()._save([first], out_dir)
                with whole_file(out_dir / 'maps' / f'{stem}.npy', flush=False, keep_suffix=True) as path:
                    np.save(path, sample.pred_map.float().numpy())
                continue
            path = out_dir / 'videos' / f'{stem}.mp4'
            audio = dict(audio=pair.recording, sample_rate=self.loader.sample_rate)
            with VideoWriter(path, pair.fps, **audio, pixel_format='rgb24') as video:
                for result in chain([first], group):
                    video.write(result[2])
                    yield result
