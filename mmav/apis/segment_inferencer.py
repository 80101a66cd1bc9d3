"""What the inferencers of videos in segments share: from sources to features, through the model, to files.

Shapes: T segments (seconds).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import mmcv
import numpy as np
import torch
from mmengine import Config, ConfigDict
from mmengine.fileio import dump
from mmengine.registry import init_default_scope
from tqdm import tqdm

from mmav.features.segment_feature_extractor import SegmentFeatureExtractor
from mmav.media.suffixes import VIDEO_SUFFIXES, has_suffix
from mmav.utils.errors import SampleError
from mmav.utils.fileio import AtomicLocalBackend

from ..structures import SegmentDataSample
from ..visualization.timeline import Band, draw_timeline
from .model_loading import load_model

Source = str | Path | Mapping


class SegmentInferencer(ABC):
    """Base of inferencers that take videos, or their features, with one feature of sound a second.

    A subclass checks its model and its features, and says what is predicted of a video and how it is drawn.

    Args:
        model: Config file or config. None: the config within the checkpoint, read
            as plain values and not run.
        weights: Checkpoint, read safely and loaded strictly. None: random weights.
        device: Defaults to the GPU where there is one.
        extractor: Makes features of videos, by the names of the model's
            inputs. None: :meth:`use_extractor` with public weights, when the first video comes.
        classes: Names. None: those in the checkpoint, or the data set's.
        window: Seconds that the model takes at a time; longer videos are gone through in such
            stretches. Defaults to 10.
        show_progress: Whether to draw a progress bar. Defaults to True.

    Raises:
        RuntimeError: The checkpoint does not fit the config; the message lists the parameters.
        ValueError: The model is of another kind, ``classes`` are of another number than its, or ``window`` is
            not above 0.
    """

    progress: ClassVar[str]  # words at the progress bar
    public_classes: ClassVar[Sequence[str]]
    public_features: ClassVar[Mapping[str, str]]  # of the extractor, by the names of the model's inputs
    arrays: ClassVar[Sequence[str]]  # keys of predictions that go to no file
    beside_features: ClassVar[Sequence[str]] = ('name',)  # keys of sources

    def __init__(
        self,
        model: str | Path | Config | ConfigDict | dict | None = None,
        weights: str | None = None,
        device: str | None = None,
        extractor: SegmentFeatureExtractor | None = None,
        classes: Sequence[str] | None = None,
        window: int = 10,
        show_progress: bool = True,
    ) -> None:
        init_default_scope('mmdet')
        cfg = Config.fromfile(model) if isinstance(model, (str, Path)) else model
        cfg = cfg._cfg_dict if isinstance(cfg, Config) else ConfigDict(cfg or {})
        self.device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        self.model, meta = load_model(cfg, weights, self.device)
        self.classes = tuple(
            classes or (meta.get('dataset_meta') or {}).get('classes') or self.public_classes
        )
        self._check_model()
        if window < 1:
            raise ValueError(f'window must be at least 1 s, got {window}')
        self.channels: dict[str, int] = self.model.channels
        self.extractor = extractor
        self.window = window
        self.show_progress = show_progress

    def use_extractor(self, weights: Mapping[str, str] | None = None) -> None:
        """Make features of videos by the networks that the published features come from.

        Args:
            weights: Local weights by the networks' names; of others the public
                ones are downloaded.
        """
        features = {key: self.public_features[key] for key in self.channels}
        self.extractor = SegmentFeatureExtractor(features, weights, device=self.device)

    @abstractmethod
    def _check_model(self) -> None:
        """Raise ValueError where the model is of another kind or the classes are not as many as its."""

    def _check_source(self, name: str, source: Mapping) -> None:  # noqa: B027  (parsers need nothing)
        """Raise SampleError where a source lacks something beside features."""

    @abstractmethod
    def _check_array(self, where: str, key: str, value: np.ndarray) -> np.ndarray:
        """A feature in the shape that the model takes; raise SampleError where it is of none."""

    @abstractmethod
    def _check_lengths(self, name: str, features: Mapping[str, np.ndarray]) -> None:
        """Raise SampleError where features are not of the same seconds."""

    @abstractmethod
    def _bands(self, prediction: Mapping) -> Sequence[Band]:
        """What a prediction's timeline shows."""

    @torch.no_grad()
    def _predict(
        self,
        inputs: Source | Sequence[Source],
        predict: Callable[[str, Mapping, dict[str, np.ndarray]], dict],
    ) -> list[dict]:
        """What ``predict`` gives for the name, source and features of each input."""
        sources = [inputs] if isinstance(inputs, (str, Path, Mapping)) else list(inputs)
        if not sources:
            raise SampleError('inputs', 'the list is empty')
        read = (self._features(number, source) for number, source in enumerate(sources))
        bar = tqdm(read, self.progress, len(sources), unit=' videos', disable=not self.show_progress)
        return [predict(*each) for each in bar]

    def _features(self, number: int, source: Source) -> tuple[str, Mapping, dict[str, np.ndarray]]:
        """Name, source as a dict, and features of an input."""
        if isinstance(source, (str, Path)):
            source = dict(video=source)
        if not isinstance(source, Mapping):
            raise TypeError(f'input {number} is a {type(source).__name__}: give a path or a dict')
        video = source.get('video')
        name = str(source.get('name', Path(video).name if video else f'input {number}'))
        self._check_source(name, source)
        if video is None:
            features = {key: source[key] for key in source if key not in self.beside_features}
            return name, source, self._read(name, features)
        return name, source, self._read(str(video), self._extract(Path(video)))

    def _extract(self, video: Path) -> Mapping[str, np.ndarray]:
        if not has_suffix(video, VIDEO_SUFFIXES):
            raise SampleError(str(video), f'is no video ({", ".join(VIDEO_SUFFIXES)})')
        if self.extractor is None:
            self.use_extractor()
        return self.extractor(video)

    def _read(self, name: str, features: Mapping) -> dict[str, np.ndarray]:
        """Features as arrays, checked."""
        if set(features) != set(self.channels):
            raise SampleError(name, f'has {sorted(features)}, the model takes {sorted(self.channels)}')
        arrays = {}
        for key, value in features.items():
            where = f'{key} of {name}'
            if isinstance(value, (str, Path)):
                where = str(value)
                try:
                    value = np.load(value, allow_pickle=False)
                except (OSError, ValueError, EOFError) as error:
                    raise SampleError(where, f'no array can be read from it ({error})') from error
            arrays[key] = self._check_array(where, key, np.asarray(value, dtype=np.float32))
        self._check_lengths(name, arrays)
        return arrays

    def _run(self, name: str, arrays: Mapping[str, np.ndarray]) -> SegmentDataSample:
        sample = SegmentDataSample(metainfo=dict(video_id=name, num_segments=len(arrays['audio'])))
        inputs = {key: [torch.from_numpy(np.ascontiguousarray(value))] for key, value in arrays.items()}
        (sample,) = self.model.test_step(dict(inputs=inputs, data_samples=[sample]))
        return sample.to('cpu')

    def _run_stretches(
        self, name: str, arrays: Mapping[str, np.ndarray]
    ) -> Iterator[tuple[int, SegmentDataSample]]:
        """Starts (s) and results of stretches of ``window`` seconds."""
        segments = len(arrays['audio'])
        for start in range(0, segments, self.window):
            end = min(start + self.window, segments)
            part = {}
            for key, value in arrays.items():
                rate = len(value) // segments
                part[key] = value[start * rate : end * rate]
            yield start, self._run(name, part)

    def _write(self, out_dir: Path, predictions: Sequence[Mapping], **settings: object) -> None:
        """Write ``timelines/*.png``, and ``predictions.json`` with the settings and all but arrays."""
        for number, prediction in enumerate(predictions):
            picture = draw_timeline(self._bands(prediction), prediction['duration'])
            stem = Path(prediction['input']).stem.replace(' ', '_')
            mmcv.imwrite(picture[..., ::-1], str(out_dir / 'timelines' / f'{number:04d}_{stem}.png'))
        plain = [
            {key: value for key, value in prediction.items() if key not in self.arrays}
            for prediction in predictions
        ]
        text = dump(dict(settings, predictions=plain), file_format='json', indent=1)
        AtomicLocalBackend().put_text(text, out_dir / 'predictions.json')
