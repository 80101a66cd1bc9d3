"""Audio-visual events in videos, outside of any data set: when they happen, and which window of images
belongs to a sound, or the other way round.

Shapes: T segments (seconds), H and W height and width of a segment's feature map, D channels.
"""

from collections.abc import Mapping

import numpy as np
import torch
from mmengine.model import BaseModel

from mmav.features.segment_feature_extractor import AVE_FEATURES
from mmav.structures.events import find_events
from mmav.utils.errors import SampleError

from ..datasets.ave import AVE_CLASSES
from ..models.event_localizers import DCMR, DMIN
from ..structures import SegmentDataSample
from ..visualization.timeline import Band, EventBand, MapBand, ValueBand
from .segment_inferencer import SegmentInferencer, Source

_MODALITIES = dict(a='audio', v='visual')


def event_bands(prediction: Mapping) -> list[Band]:
    """Bands of :func:`mmav.visualization.draw_timeline` for a prediction of :class:`EventInferencer`.

    Args:
        prediction: Of one input.

    Returns:
        Events, relevance and attention; or query and answer.
    """
    if 'answer' in prediction:
        names = dict(audio='audio', visual='images')
        return [
            EventBand(f'{what}: {names[event["modality"]]}', [(event['onset'], event['offset'], what)])
            for what, event in (('query', prediction['query']), ('answer', prediction['answer']))
        ]
    events = [(event['onset'], event['offset'], event['label']) for event in prediction['events']]
    bands: list[Band] = [EventBand('found', events), ValueBand('relevance', prediction['relevance'])]
    if 'attention' in prediction:
        bands.append(MapBand('attention', prediction['attention']))
    return bands


class EventInferencer(SegmentInferencer):
    """Find events in videos, or in their features, by ``DMIN``, and the counterpart of a query by ``DCMR``.

    Features are ``visual`` (T, H, W, D), for DCMR also (T, D), and ``audio`` (T, D). DCMR takes whole videos
    and needs ``query`` in each input, (onset, offset) in whole seconds; DMIN names one category of a window.

    Arguments and errors are those of :class:`SegmentInferencer`. Without an extractor, ``visual`` and
    ``audio`` of videos are made by VGG-19 and VGGish; default names are AVE's.

    Example::

        inferencer = EventInferencer('configs/dmin/dmin_ave.py', 'dmin.pth')
        inferencer('dog.mp4', out_dir='found')['predictions'][0]['events'][0]
        # {'label': 'Bark', 'onset': 2.0, 'offset': 5.0, 'score': 0.93}
        inferencer = EventInferencer('configs/dmin/dcmr_ave_a2v.py', 'dcmr.pth')
        inferencer(dict(video='dog.mp4', query=(2, 5)))['predictions'][0]['answer']
        # {'modality': 'visual', 'onset': 3.0, 'offset': 6.0, 'score': 0.88}
    """

    progress = ('Events', 'videos')
    public_classes = AVE_CLASSES
    public_features = AVE_FEATURES
    segment_fields = ('pred_labels', 'pred_relevance', 'pred_attention')
    arrays = ('relevance', 'attention')
    beside_features = ('name', 'query')
    _bands = staticmethod(event_bands)

    def _check_model(self, model: BaseModel) -> None:
        if not isinstance(model, (DMIN, DCMR)):
            raise ValueError(f'the model is a {type(model).__name__}, not DMIN or DCMR')
        self.whole_videos = isinstance(model, DCMR)
        if not self.whole_videos and len(self.classes) != model.num_categories:
            raise ValueError(f'{len(self.classes)} names for {model.num_categories} categories')

    def _check_source(self, name: str, source: Mapping) -> None:
        if self.whole_videos and source.get('query') is None:
            raise SampleError(name, 'DCMR needs a query: (onset, offset) in seconds')

    def _load(self, number: int, source: Source) -> dict:
        packed = super()._load(number, source)
        if self.whole_videos and isinstance(source, Mapping):
            sample, query = packed['data_samples'], tuple(source['query'])
            segments, (onset, offset) = sample.num_segments, map(float, query)
            if not (onset.is_integer() and offset.is_integer() and 0 <= onset < offset <= segments):
                message = f'the query must be whole seconds within 0..{segments}, got {query}'
                raise SampleError(sample.input_name, message)
            packed['inputs']['query_mask'] = torch.zeros(segments)
            packed['inputs']['query_mask'][int(onset) : int(offset)] = 1
            sample.set_metainfo(dict(query=(onset, offset)))
        return packed

    def _check_array(self, where: str, key: str, value: np.ndarray) -> np.ndarray:
        channels = self.channels[key]
        if key == 'visual' and self.whole_videos and value.ndim == 4:
            value = value.mean((1, 2))
        size = 'height, width, ' if key == 'visual' and not self.whole_videos else ''
        if value.ndim != (4 if size else 2) or not value.size or value.shape[-1] != channels:
            raise SampleError(where, f'must be (segments, {size}{channels}), got {value.shape}')
        if not np.isfinite(value).all():
            raise SampleError(where, 'holds NaN or infinity')
        return value

    def _check_lengths(self, name: str, features: Mapping[str, np.ndarray]) -> None:
        lengths = {key: len(value) for key, value in features.items()}
        if lengths['visual'] != lengths['audio']:
            raise SampleError(name, f'audio and images are of different lengths: {lengths} s')

    def pred2dict(self, data_sample: SegmentDataSample) -> dict:
        """A prediction as plain values.

        Args:
            data_sample: The prediction.

        Returns:
            ``input`` (name), ``duration`` (s) and

            - by DMIN ``events``, dicts of ``label``, ``onset`` and ``offset`` (s) and ``score``, the
              category's probability times the mean relevance of the event's seconds; ``relevance`` (T,); and,
              where the model has AGTA, ``attention`` (T, H, W); these arrays go to no file;
            - by DCMR ``query`` and ``answer``, dicts of ``modality``, ``onset``, ``offset``; the answer's
              ``score`` is the mean score of its seconds; and ``windows``, the sum of scores of each window.
        """
        prediction = dict(input=data_sample.input_name, duration=float(data_sample.num_segments))
        told = self._answer if self.whole_videos else self._events
        return prediction | told(data_sample)

    def _events(self, sample: SegmentDataSample) -> dict:
        labels, relevance = sample.pred_labels.numpy(), sample.pred_relevance.float().numpy()
        segments = np.arange(len(labels))
        scores = sample.pred_scores.float().numpy()[segments // self.window, : len(self.classes)]  # (T, C)
        flags = labels[:, None] == np.arange(len(self.classes))
        events = find_events(relevance[:, None] * scores, self.classes, flags=flags)
        events.sort(key=lambda event: event.onset)
        found = dict(events=[event._asdict() for event in events], relevance=relevance)
        if 'pred_attention' in sample:
            found['attention'] = sample.pred_attention.float().numpy()
        return found

    def _answer(self, sample: SegmentDataSample) -> dict:
        onset, offset = sample.query
        length = int(offset - onset)
        start, windows = int(sample.pred_start), sample.pred_window_scores.float().numpy()
        return dict(
            query=dict(modality=_MODALITIES[self.model.querying], onset=onset, offset=offset),
            answer=dict(
                modality=_MODALITIES[self.model.searched],
                onset=float(start),
                offset=float(start + length),
                score=float(windows[start]) / length,
            ),
            windows=windows.tolist(),
        )
