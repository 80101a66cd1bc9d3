"""Audio-visual events in videos, outside of any data set: when they happen, and which stretch of images
belongs to a sound, or the other way round.

Shapes: T segments (seconds), H and W height and width of a segment's feature map, D channels.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mmav.features.segment_feature_extractor import AVE_FEATURES
from mmav.structures.events import find_events
from mmav.utils.errors import SampleError

from ..datasets.ave import AVE_CLASSES
from ..models.event_localizers import DCMR, DMIN
from ..visualization.timeline import Band, EventBand, MapBand, ValueBand
from .segment_inferencer import SegmentInferencer, Source


class EventInferencer(SegmentInferencer):
    """Find events in videos, or in their features, by ``DMIN``, and the counterpart of a stretch by ``DCMR``.

    Arguments are those of :class:`SegmentInferencer`. Without an extractor, ``visual`` and ``audio`` of
    videos are made by VGG-19 and VGGish; default names are AVE's; DMIN names one category of a ``window``.

    Raises:
        RuntimeError: The checkpoint does not fit the config; the message lists the parameters.
        ValueError: The model is neither DMIN nor DCMR, ``classes`` are of another number than its, or
            ``window`` is not above 0.

    Example::

        inferencer = EventInferencer('configs/dmin/dmin_ave.py', 'dmin.pth')
        inferencer('dog.mp4', out_dir='found')[0]['events'][0]
        # {'label': 'Bark', 'onset': 2.0, 'offset': 5.0, 'score': 0.93}
        inferencer = EventInferencer('configs/dmin/dcmr_ave_a2v.py', 'dcmr.pth')
        inferencer(dict(video='dog.mp4', query=(2, 5)))[0]['answer']
        # {'onset': 3.0, 'offset': 6.0, 'score': 0.88}
    """

    progress = 'Events'
    public_classes = AVE_CLASSES
    public_features = AVE_FEATURES
    arrays = ('relevance', 'attention')
    beside_features = ('name', 'query')

    def _check_model(self) -> None:
        if not isinstance(self.model, (DMIN, DCMR)):
            raise ValueError(f'the model is a {type(self.model).__name__}, not DMIN or DCMR')
        self.searches = isinstance(self.model, DCMR)
        if not self.searches and len(self.classes) != self.model.num_categories:
            raise ValueError(f'{len(self.classes)} names for {self.model.num_categories} categories')

    def __call__(self, inputs: Source | Sequence[Source], out_dir: str | Path | None = None) -> list[dict]:
        """Find events, or counterparts of stretches.

        Args:
            inputs: A video's path; or a dict with ``video``, or with features, arrays or paths of .npy files:
                ``visual`` (T, H, W, D), for DCMR also (T, D), and ``audio`` (T, D); with ``name``, if you
                like; and for DCMR with ``query``, (onset, offset) in whole seconds. Or a list of these.
            out_dir: Folder for ``predictions.json`` and ``timelines/*.png``. None: nothing is
                written.

        Returns:
            Of each input ``input`` (name), ``duration`` (s) and

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
        predictions = self._predict(inputs, self._search if self.searches else self._find)
        if out_dir is not None:
            self._write(Path(out_dir), predictions)
        return predictions

    def _check_source(self, name: str, source: Mapping) -> None:
        if self.searches and source.get('query') is None:
            raise SampleError(name, 'DCMR needs a query: (onset, offset) in seconds')

    def _check_array(self, where: str, key: str, value: np.ndarray) -> np.ndarray:
        channels = self.channels[key]
        if key == 'visual' and self.searches and value.ndim == 4:
            value = value.mean((1, 2))
        size = 'height, width, ' if key == 'visual' and not self.searches else ''
        if value.ndim != (4 if size else 2) or not value.size or value.shape[-1] != channels:
            raise SampleError(where, f'must be (segments, {size}{channels}), got {value.shape}')
        if not np.isfinite(value).all():
            raise SampleError(where, 'holds NaN or infinity')
        return value

    def _check_lengths(self, name: str, features: Mapping[str, np.ndarray]) -> None:
        lengths = {key: len(value) for key, value in features.items()}
        if lengths['visual'] != lengths['audio']:
            raise SampleError(name, f'sound and images are of different lengths: {lengths} s')

    def _bands(self, prediction: Mapping) -> list[Band]:
        return event_bands(prediction)

    def _find(self, name: str, source: Mapping, features: dict[str, np.ndarray]) -> dict:
        segments = len(features['audio'])
        probs = np.zeros((segments, len(self.classes)))
        relevance, attention = [], []
        flags = np.zeros(probs.shape, bool)
        for start, sample in self._run_stretches(name, features):
            labels, scores = sample.pred_labels.numpy(), sample.pred_scores.float().numpy()
            relevance.append(sample.pred_relevance.float().numpy())
            probs[start : start + len(labels)] = relevance[-1][:, None] * scores[None, : len(self.classes)]
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

    def _search(self, name: str, source: Mapping, features: dict[str, np.ndarray]) -> dict:
        segments = len(features['audio'])
        query = source['query']
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


def event_bands(prediction: Mapping) -> list[Band]:
    """Bands of :func:`mmav.visualization.draw_timeline` for a prediction of :class:`EventInferencer`.

    Args:
        prediction: Of one input.

    Returns:
        Events, relevance and attention; or query and answer.
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
