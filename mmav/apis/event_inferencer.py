"""Audio-visual events in videos, outside of any data set: when they happen, and which stretch of pictures
belongs to a sound, or the other way round.

Letters: T segments (seconds), H and W height and width of a segment's feature map, D channels.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import mmcv
import numpy as np
import torch
from mmengine import Config, ConfigDict
from mmengine.fileio import dump
from mmengine.registry import init_default_scope
from tqdm import tqdm

from ..datasets.ave import AVE_CLASSES
from ..datasets.clip_pairs import VIDEO_EXTENSIONS
from ..datasets.errors import SampleError
from ..engine.atomic_backend import AtomicLocalBackend
from ..models.event_localizers import DCMR, DMIN
from ..structures import SegmentDataSample
from ..utils.event_runs import find_events
from ..visualization.timeline import Band, EventBand, MapBand, ValueBand, draw_timeline
from .model_loading import load_model
from .segment_feature_extractor import AVE_FEATURES, SegmentFeatureExtractor

Source = str | Path | Mapping
ARRAYS = ('relevance', 'attention')


class EventInferencer:
    """Find events in videos, or in their features, by ``DMIN``, and the counterpart of a stretch by ``DCMR``.

    Args:
        model (str or Config, optional): Config file or config. None: the config within the checkpoint, read
            as plain values and not run.
        weights (str, optional): Checkpoint, read safely and loaded strictly. None: random weights.
        device (str, optional): Defaults to the GPU where there is one.
        extractor (SegmentFeatureExtractor, optional): Makes ``visual`` and ``audio`` of videos. None: VGG-19
            and VGGish with public weights, when the first video comes.
        classes (Sequence[str], optional): Names of the categories. None: those in the checkpoint, or AVE's.
        window (int): Seconds that DMIN takes at a time, of which it names one category; longer videos are
            gone through in such stretches. Defaults to 10.
        show_progress (bool): Whether to draw a progress bar. Defaults to True.

    Raises:
        RuntimeError: The checkpoint does not fit the config; the message lists the parameters.
        ValueError: The model is neither DMIN nor DCMR, ``classes`` are of another number than its, or
            ``window`` is not above 0.

    Examples:
        >>> inferencer = EventInferencer('configs/dmin/dmin_ave.py', 'dmin.pth')
        >>> inferencer('dog.mp4', out_dir='found')[0]['events'][0]
        {'label': 'Bark', 'onset': 2.0, 'offset': 5.0, 'score': 0.93}
        >>> inferencer = EventInferencer('configs/dmin/dcmr_ave_a2v.py', 'dcmr.pth')
        >>> inferencer(dict(video='dog.mp4', query=(2, 5)))[0]['answer']
        {'onset': 3.0, 'offset': 6.0, 'score': 0.88}
    """

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
        if not isinstance(self.model, (DMIN, DCMR)):
            raise ValueError(f'the model is a {type(self.model).__name__}, not DMIN or DCMR')
        self.searches = isinstance(self.model, DCMR)
        self.classes = tuple(classes or (meta.get('dataset_meta') or {}).get('classes') or AVE_CLASSES)
        if not self.searches and len(self.classes) != self.model.num_categories:
            raise ValueError(f'{len(self.classes)} names for {self.model.num_categories} categories')
        if window < 1:
            raise ValueError(f'window must be at least 1 s, got {window}')
        self.extractor = extractor
        self.window = window
        self.show_progress = show_progress

    @torch.no_grad()
    def __call__(self, inputs: Source | Sequence[Source], out_dir: str | Path | None = None) -> list[dict]:
        """Find events, or counterparts of stretches.

        Args:
            inputs: A video's path; or a dict with ``video``, or with features, arrays or paths of .npy files:
                ``visual`` (T, H, W, D), for DCMR also (T, D), and ``audio`` (T, D); with ``name``, if you
                like; and for DCMR with ``query``, (onset, offset) in whole seconds. Or a list of these.
            out_dir (str, optional): Folder for ``predictions.json`` and ``timelines/*.png``. None: nothing is
                written.

        Returns:
            list[dict]: Of each input ``input`` (name), ``duration`` (s) and

            - by DMIN ``events``, dicts of ``label``, ``onset`` and ``offset`` (s) and ``score``, the
              category's probability times the mean relevance of the event's seconds; ``relevance`` (T,); and,
              where the model has AGTA, ``attention`` (T, H, W);
            - by DCMR ``query`` and ``answer``, dicts of ``modality``, ``onset``, ``offset``; the answer's
              ``score`` is the mean score of its seconds; and ``windows``, the sum of scores of each window.

            Arrays go to no file.

        Raises:
            SampleError: An input is missing, damaged, of another shape, or has no query or one that does not
                fit; the message names it.
            TypeError: An input is neither a path nor a dict.
        """
        sources = [inputs] if isinstance(inputs, (str, Path, Mapping)) else list(inputs)
        if not sources:
            raise SampleError('inputs', 'the list is empty')
        predictions = []
        progress = tqdm(
            self._features(sources), 'Events', len(sources), unit=' videos', disable=not self.show_progress
        )
        for name, query, features in progress:
            if self.searches:
                predictions.append(self._search(name, query, features))
            else:
                predictions.append(self._find(name, features))
        if out_dir is not None:
            self._write(Path(out_dir), predictions)
        return predictions

    def _features(self, sources: Sequence) -> Iterator[tuple[str, tuple | None, dict[str, np.ndarray]]]:
        for number, source in enumerate(sources):
            if isinstance(source, (str, Path)):
                source = dict(video=source)
            if not isinstance(source, Mapping):
                raise TypeError(f'input {number} is a {type(source).__name__}: give a path or a dict')
            video = source.get('video')
            name = str(source.get('name', Path(video).name if video else f'input {number}'))
            query = source.get('query')
            if self.searches and query is None:
                raise SampleError(name, 'DCMR needs a query: (onset, offset) in seconds')
            if video is None:
                features = {key: source[key] for key in source if key not in ('name', 'query')}
            else:
                features = self._extract(Path(video))
            yield name, query, self._read(name, features)

    def _extract(self, video: Path) -> dict[str, np.ndarray]:
        if video.suffix[1:].lower() not in VIDEO_EXTENSIONS:
            raise SampleError(str(video), f'is no video ({", ".join(VIDEO_EXTENSIONS)})')
        if self.extractor is None:
            self.extractor = SegmentFeatureExtractor(AVE_FEATURES, device=self.device)
        return self.extractor(video)

    def _read(self, name: str, features: Mapping) -> dict[str, np.ndarray]:
        """Features as arrays, checked."""
        channels: dict[str, int] = self.model.channels
        if set(features) != set(channels):
            raise SampleError(name, f'has {sorted(features)}, the model takes {sorted(channels)}')
        arrays = {}
        for key, value in features.items():
            where = f'{key} of {name}'
            if isinstance(value, (str, Path)):
                where = str(value)
                try:
                    value = np.load(value, allow_pickle=False)
                except (OSError, ValueError, EOFError) as error:
                    raise SampleError(where, f'no array can be read from it ({error})') from error
            value = np.asarray(value, dtype=np.float32)
            if key == 'visual' and self.searches and value.ndim == 4:
                value = value.mean((1, 2))
            size = 'height, width, ' if key == 'visual' and not self.searches else ''
            if value.ndim != (4 if size else 2) or not value.size or value.shape[-1] != channels[key]:
                needed = f'(segments, {size}{channels[key]})'
                raise SampleError(where, f'must be {needed}, got {value.shape}')
            if not np.isfinite(value).all():
                raise SampleError(where, 'holds NaN or infinity')
            arrays[key] = value
        if len(arrays['visual']) != len(arrays['audio']):
            lengths = {key: len(value) for key, value in arrays.items()}
            raise SampleError(name, f'sound and pictures are of different lengths: {lengths} s')
        return arrays

    def _run(self, name: str, arrays: Mapping[str, np.ndarray]) -> SegmentDataSample:
        sample = SegmentDataSample(metainfo=dict(video_id=name, num_segments=len(arrays['audio'])))
        inputs = {key: [torch.from_numpy(np.ascontiguousarray(value))] for key, value in arrays.items()}
        (sample,) = self.model.test_step(dict(inputs=inputs, data_samples=[sample]))
        return sample.to('cpu')

    def _find(self, name: str, features: dict[str, np.ndarray]) -> dict:
        segments = len(features['audio'])
        probs = np.zeros((segments, len(self.classes)))
        relevance, attention = [], []
        flags = np.zeros(probs.shape, bool)
        for start in range(0, segments, self.window):
            part = slice(start, min(start + self.window, segments))
            sample = self._run(name, {key: value[part] for key, value in features.items()})
            labels, scores = sample.pred_labels.numpy(), sample.pred_scores.float().numpy()
            relevance.append(sample.pred_relevance.float().numpy())
            probs[part] = relevance[-1][:, None] * scores[None, : len(self.classes)]
            rows = np.flatnonzero(labels < len(self.classes))
            flags[start + rows, labels[rows]] = True
            if 'pred_attention' in sample:
                attention.append(sample.pred_attention.float().numpy())
        events = sorted(find_events(probs, self.classes, flags=flags), key=lambda event: event.onset)
        prediction = dict(
            input=name,
            duration=float(segments),
            events=[event._asdict() for event in events],
            relevance=np.concatenate(relevance),
        )
        if attention:
            prediction['attention'] = np.concatenate(attention)
        return prediction

    def _search(self, name: str, query: Sequence[float], features: dict[str, np.ndarray]) -> dict:
        segments = len(features['audio'])
        onset, offset = map(float, query)
        if not (onset.is_integer() and offset.is_integer() and 0 <= onset < offset <= segments):
            raise SampleError(
                name, f'the query must be whole seconds within 0..{segments}, got {tuple(query)}'
            )
        mask = np.zeros(segments, np.float32)
        mask[int(onset) : int(offset)] = 1
        sample = self._run(name, dict(features, query_mask=mask))
        start, windows = int(sample.pred_start), sample.pred_window_scores.float().numpy()
        length = int(offset - onset)
        modalities = dict(a='audio', v='visual')
        return dict(
            input=name,
            duration=float(segments),
            query=dict(modality=modalities[self.model.querying], onset=onset, offset=offset),
            answer=dict(
                modality=modalities[self.model.searched],
                onset=float(start),
                offset=float(start + length),
                score=float(windows[start]) / length,
            ),
            windows=windows.tolist(),
        )

    @staticmethod
    def _write(out_dir: Path, predictions: list[dict]) -> None:
        for number, prediction in enumerate(predictions):
            picture = draw_timeline(event_bands(prediction), prediction['duration'])
            stem = Path(prediction['input']).stem.replace(' ', '_')
            mmcv.imwrite(picture[..., ::-1], str(out_dir / 'timelines' / f'{number:04d}_{stem}.png'))
        plain = [
            {key: value for key, value in prediction.items() if key not in ARRAYS}
            for prediction in predictions
        ]
        text = dump(dict(predictions=plain), file_format='json', indent=1)
        AtomicLocalBackend().put_text(text, out_dir / 'predictions.json')


def event_bands(prediction: Mapping) -> list[Band]:
    """Bands of :func:`mmav.visualization.draw_timeline` for a prediction of :class:`EventInferencer`.

    Args:
        prediction: Of one input.

    Returns:
        list: Events, relevance and attention; or query and answer.
    """
    if 'answer' in prediction:
        names = dict(audio='sound', visual='pictures')
        return [
            EventBand(f'{what}: {names[stretch["modality"]]}', [(stretch['onset'], stretch['offset'], what)])
            for what, stretch in (('query', prediction['query']), ('answer', prediction['answer']))
        ]
    events = [(event['onset'], event['offset'], event['label']) for event in prediction['events']]
    bands: list[Band] = [EventBand('found', events), ValueBand('relevance', prediction['relevance'])]
    if 'attention' in prediction:
        bands.append(MapBand('attention', prediction['attention']))
    return bands
