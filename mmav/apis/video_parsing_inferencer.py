"""What happens in a video and when, to be heard, seen, or both.

Shapes: T segments (seconds), C classes, F frames, D channels.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from mmengine.model import BaseModel

from mmav.features.segment_feature_extractor import LLP_FEATURES
from mmav.structures.events import find_events
from mmav.utils.checks import check_positive, check_range
from mmav.utils.errors import SampleError

from ..datasets.llp import LLP_CLASSES
from ..structures import SegmentDataSample
from ..visualization.timeline import EventBand
from .segment_inferencer import SegmentInferencer, Source

MODALITIES = ('audio', 'visual', 'audio_visual')


class VideoParsingInferencer(SegmentInferencer):
    """Parse videos, or their features, by ``HybridAttentionParser``.

    Features are ``audio`` (T, D), ``visual`` and ``visual_st`` (F, D), F a multiple of T. Events go on over
    the borders of windows. A call takes the option ``threshold`` of :meth:`preprocess`.

    Arguments and errors are those of :class:`SegmentInferencer`. Without an extractor, features of videos are
    made by VGGish, ResNet-152 and R(2+1)D-18; a parser that was trained on other features (of audio-visual
    grounding, say) needs its own, or features as inputs. Default names are LLP's.

    Example::

        inferencer = VideoParsingInferencer('configs/avvp/han_llp.py', 'han.pth')
        inferencer('dog.mp4', threshold=0.4, out_dir='parsed')['predictions'][0]['events'][0]
        # {'modality': 'audio', 'label': 'Dog', 'onset': 2.0, 'offset': 5.0, 'score': 0.93}
    """

    progress = ('Parsing', 'videos')
    public_classes = LLP_CLASSES
    public_features = LLP_FEATURES
    segment_fields = ('pred_audio', 'pred_visual')
    arrays = ('audio', 'visual')
    preprocess_kwargs = {'threshold'}

    def _check_model(self, model: BaseModel) -> None:
        if not hasattr(model, 'pooling') or not hasattr(model, 'channels'):
            raise ValueError(f'the model is a {type(model).__name__}, not a HybridAttentionParser')
        number = model.pooling.classifier.out_features
        if len(self.classes) != number:
            raise ValueError(f'{len(self.classes)} names for {number} classes')

    def _check_array(self, where: str, key: str, value: np.ndarray) -> np.ndarray:
        channels = self.channels[key]
        if value.ndim != 2 or value.shape[1] != channels or not np.isfinite(value).all():
            raise SampleError(where, f'must be finite, (segments, {channels}), got {value.shape}')
        return value

    def _check_lengths(self, name: str, features: Mapping[str, np.ndarray]) -> None:
        segments = len(features['audio'])
        for key, value in features.items():
            if not segments or not len(value) or len(value) % segments:
                raise SampleError(name, f'{key} has {len(value)} rows for {segments} seconds of audio')

    def _bands(self, prediction: Mapping) -> list[EventBand]:
        return list(timeline_bands(prediction).values())

    def preprocess(
        self, inputs: Sequence[Source], batch_size: int = 8, threshold: float = 0.5
    ) -> Iterator[tuple[list[Source], dict]]:
        """Read inputs; see :meth:`SegmentInferencer.preprocess` for what is not said here.

        Args:
            inputs: The inputs.
            batch_size: Videos in a batch. Defaults to 8.
            threshold: A second has an event where its probability is at least this; data samples carry it.
                Defaults to 0.5.

        Raises:
            ValueError: ``threshold`` is not above 0 up to 1.
        """
        check_positive('VideoParsingInferencer', threshold=threshold)
        check_range('VideoParsingInferencer', 'threshold', threshold, greatest=1)
        for sources, data in super().preprocess(inputs, batch_size):
            for sample in data['data_samples']:
                sample.set_metainfo(dict(threshold=threshold))
            yield sources, data

    def pred2dict(self, data_sample: SegmentDataSample) -> dict:
        """A prediction as plain values.

        Args:
            data_sample: The prediction.

        Returns:
            ``input`` (name), ``duration`` (s), ``events``: dicts of ``modality`` ('audio', 'visual', or
            'audio_visual' where an event of a class is heard and seen at once), ``label``, ``onset`` and
            ``offset`` (s), ``score`` (mean probability; of audio-visual events that of both); ``audio`` and
            ``visual``, probabilities (T, C) float32, which go to no file.
        """
        audio, visual = (data_sample.get(f'pred_{key}').float().numpy() for key in ('audio', 'visual'))
        threshold = data_sample.threshold
        both = (audio >= threshold) & (visual >= threshold)
        found = dict(
            audio=find_events(audio, self.classes, threshold),
            visual=find_events(visual, self.classes, threshold),
            audio_visual=find_events((audio + visual) / 2, self.classes, flags=both),
        )
        events = [dict(modality=key, **event._asdict()) for key in MODALITIES for event in found[key]]
        duration = float(data_sample.num_segments)
        return dict(
            input=data_sample.input_name, duration=duration, events=events, audio=audio, visual=visual
        )

    def _settings(self, preds: Sequence[SegmentDataSample]) -> dict:
        return dict(threshold=preds[0].threshold)


def timeline_bands(prediction: Mapping) -> dict[str, EventBand]:
    """Bands of :func:`mmav.visualization.draw_timeline` for a prediction of the inferencer, by modality."""
    names = dict(audio='heard', visual='seen', audio_visual='heard and seen')
    return {
        modality: EventBand(
            name,
            [
                (event['onset'], event['offset'], event['label'])
                for event in prediction['events']
                if event['modality'] == modality
            ],
        )
        for modality, name in names.items()
    }
