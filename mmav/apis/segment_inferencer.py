"""What the inferencers of videos in segments share: from features, through the model, to timelines.

Shapes: T segments (seconds).
"""

import warnings
from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from mmengine import Config, ConfigDict
from mmengine.model import BaseModel

from mmav.features.segment_feature_extractor import SegmentFeatureExtractor
from mmav.media.array_files import read_npy
from mmav.media.suffixes import VIDEO_SUFFIXES, has_suffix
from mmav.utils.checks import check_positive
from mmav.utils.errors import SampleError

from ..structures import SegmentDataSample
from ..visualization.timeline import Band, draw_timeline
from .base_inferencer import AudioVisualInferencer

Source = str | Path | Mapping


class SegmentInferencer(AudioVisualInferencer):
    """Base of inferencers that take videos, or their features, with one feature of audio a second.

    A subclass checks its model and its features, and says how predictions are told and drawn. Data samples
    are of whole videos: predictions of segments (``segment_fields``) follow each other, those of a window as
    a whole have a leading axis of windows. ``out_dir`` receives ``timelines/*.png``.

    ``model``, ``weights``, ``device``, ``show_progress`` and ``trusted_packages`` are those of
    :class:`AudioVisualInferencer`.

    Args:
        extractor: Makes features of videos, by the names of the model's inputs. None: :meth:`use_extractor`
            with public weights, when the first video comes.
        classes: Names. None: those in the checkpoint, or the data set's.
        window: Seconds that the model takes at a time, those of its training; longer videos are gone through
            in such windows. Defaults to 10.

    Raises:
        RuntimeError: The checkpoint does not fit the config; the message lists the parameters.
        ValueError: The model is of another kind, ``classes`` are of another number than its, or ``window`` is
            not above 0.
    """

    image_folder = 'timelines'
    image_suffix = '.png'
    public_classes: ClassVar[Sequence[str]]
    public_features: ClassVar[Mapping[str, str]]  # of the extractor, by the names of the model's inputs
    segment_fields: ClassVar[Sequence[str]]  # of data samples: T first
    beside_features: ClassVar[Sequence[str]] = ('name',)  # keys of sources
    whole_videos = False  # whether the model takes videos of any length at once

    def __init__(
        self,
        model: str | Path | Config | ConfigDict | dict | None = None,
        weights: str | None = None,
        device: str | None = None,
        extractor: SegmentFeatureExtractor | None = None,
        classes: Sequence[str] | None = None,
        window: int = 10,
        show_progress: bool = True,
        trusted_packages: Sequence[str] = (),
    ) -> None:
        check_positive(type(self).__name__, window=window)
        self.extractor, self.window = extractor, window
        self.classes = tuple(classes or ())
        super().__init__(model, weights, device, show_progress, trusted_packages)

    def _init_model(self, cfg: ConfigDict, weights: str | None, device: str = 'cpu') -> BaseModel:
        model = super()._init_model(cfg, weights, device)
        stored = (self.checkpoint_meta.get('dataset_meta') or {}).get('classes')
        self.classes = self.classes or tuple(stored or self.public_classes)
        self._check_model(model)
        self.channels: dict[str, int] = model.channels
        return model

    def _init_pipeline(self, cfg: ConfigDict) -> None:
        return None  # features are read by preprocess

    def use_extractor(self, weights: Mapping[str, str] | None = None) -> SegmentFeatureExtractor:
        """Make features of videos by the networks that the published features come from.

        Args:
            weights: Local weights by the networks' names; of others the public ones are downloaded.
        """
        features = {key: self.public_features[key] for key in self.channels}
        self.extractor = SegmentFeatureExtractor(features, weights, device=self.device)
        return self.extractor

    @abstractmethod
    def _check_model(self, model: BaseModel) -> None:
        """Raise ValueError where the model is of another kind or the classes are not as many as its."""

    @abstractmethod
    def _check_array(self, where: str, key: str, value: np.ndarray) -> np.ndarray:
        """A feature in the shape that the model takes; raise SampleError where it is of none."""

    @abstractmethod
    def _check_lengths(self, name: str, features: Mapping[str, np.ndarray]) -> None:
        """Raise SampleError where features are not of the same seconds."""

    @abstractmethod
    def _bands(self, prediction: Mapping) -> Sequence[Band]:
        """What a prediction's timeline shows."""

    def preprocess(
        self, inputs: Sequence[Source], batch_size: int = 8
    ) -> Iterator[tuple[list[Source], dict]]:
        """Read features, or make those of videos, and make batches of videos.

        Args:
            inputs: The inputs. A call takes a video's path; a dict with ``video``, or with features by the
                names of the model's inputs, arrays or paths of .npy files, and with ``name``, if you like; or
                a list of these. The class says what else there is.
            batch_size: Videos in a batch; windows of one length go through the model together. Defaults to 8.

        Yields:
            The inputs of a batch; and ``inputs``, lists of (T, ...) features, and ``data_samples``.

        Raises:
            SampleError: An input is missing, damaged or of another shape; the message names it.
            TypeError: An input is neither a path nor a dict.
        """
        samples = ((source, self._load(number, source)) for number, source in enumerate(inputs))
        return self._batches(samples, batch_size, len(inputs))

    def _load(self, number: int, source: Source) -> dict:
        """Features and data sample of an input."""
        if isinstance(source, (str, Path)):
            source = dict(video=source)
        if not isinstance(source, Mapping):
            raise TypeError(f'input {number} is a {type(source).__name__}: give a path or a dict')
        video = source.get('video')
        name = str(source.get('name', Path(video).name if video else f'input {number}'))
        self._check_source(name, source)
        if video is None:
            features = {key: source[key] for key in source if key not in self.beside_features}
            arrays = self._read(name, features)
        else:
            arrays = self._read(str(video), self._extract(Path(video)))
        metainfo = dict(input_index=number, input_name=name, video_id=name, num_segments=len(arrays['audio']))
        inputs = {key: torch.from_numpy(np.ascontiguousarray(value)) for key, value in arrays.items()}
        return dict(inputs=inputs, data_samples=SegmentDataSample(metainfo=metainfo))

    def _check_source(self, name: str, source: Mapping) -> None:
        """Raise SampleError where a source lacks something beside features."""

    def _extract(self, video: Path) -> Mapping[str, np.ndarray]:
        if not has_suffix(video, VIDEO_SUFFIXES):
            raise SampleError(str(video), f'is no video ({", ".join(VIDEO_SUFFIXES)})')
        return (self.extractor or self.use_extractor())(video)

    def _read(self, name: str, features: Mapping) -> dict[str, np.ndarray]:
        """Features as arrays, checked."""
        if set(features) != set(self.channels):
            raise SampleError(name, f'has {sorted(features)}, the model takes {sorted(self.channels)}')
        arrays = {}
        for key, value in features.items():
            where = f'{key} of {name}'
            if isinstance(value, (str, Path)):
                where = str(value)
                value = read_npy(where)
            arrays[key] = self._check_array(where, key, np.asarray(value, dtype=np.float32))
        self._check_lengths(name, arrays)
        return arrays

    @torch.no_grad()
    def forward(self, inputs: dict) -> list[SegmentDataSample]:
        """Run the model over the windows of a batch of videos, those of one length together.

        Args:
            inputs: ``inputs``, lists of (T, ...) features by name, and ``data_samples`` of the videos.

        Returns:
            A prediction of each whole video, on the CPU.
        """
        videos = inputs['data_samples']
        windows: list[list[SegmentDataSample]] = [[] for _ in videos]
        longest = max(video.num_segments for video in videos)
        step = longest if self.whole_videos else self.window
        for start in range(0, longest, step):
            groups = defaultdict(list)  # by shape
            for index, video in enumerate(videos):
                if start < video.num_segments:
                    features = {}
                    for key, values in inputs['inputs'].items():
                        rate = len(values[index]) // video.num_segments
                        features[key] = values[index][start * rate : (start + step) * rate]
                    groups[tuple(value.shape for value in features.values())].append((index, features))
            for group in groups.values():
                batch = {key: [features[key] for _, features in group] for key in inputs['inputs']}
                samples = [SegmentDataSample(metainfo=videos[index].metainfo) for index, _ in group]
                found = super().forward(dict(inputs=batch, data_samples=samples))
                for (index, _), sample in zip(group, found, strict=True):
                    windows[index].append(sample)
        for video, parts in zip(videos, windows):
            for key in parts[0].keys():
                values = [part.get(key) for part in parts]
                join = torch.cat if key in self.segment_fields else torch.stack
                setattr(video, key, values[0] if self.whole_videos else join(values))
        return videos

    def visualize(self, inputs: Sequence[Source], preds: Sequence[SegmentDataSample]) -> list[np.ndarray]:
        """Draw timelines.

        Args:
            inputs: The inputs, not used.
            preds: Their predictions.

        Returns:
            RGB images (H, W, 3) of uint8.
        """
        predictions = map(self.pred2dict, preds)
        return [draw_timeline(self._bands(each), each['duration']) for each in predictions]

    def postprocess(self, *args: Any, **kwargs: Any) -> dict[str, list]:
        """As in :class:`AudioVisualInferencer`; numbers as keys, as of the former list, still work."""
        return _Results(super().postprocess(*args, **kwargs))


class _Results(dict):
    def __missing__(self, key: object) -> dict:
        if not isinstance(key, int):
            raise KeyError(key)
        warnings.warn("results are a dict: take results['predictions'][i]", DeprecationWarning, stacklevel=2)
        return self['predictions'][key]
