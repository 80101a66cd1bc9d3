"""What happens in a video and when, to be heard, seen, or both.

Shapes: T segments (seconds), C classes, F frames, D channels.
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from mmav.features.segment_feature_extractor import LLP_FEATURES
from mmav.structures.events import find_events
from mmav.utils.errors import SampleError

from ..datasets.llp import LLP_CLASSES
from ..visualization.timeline import EventBand
from .segment_inferencer import SegmentInferencer, Source

MODALITIES = ('audio', 'visual', 'audio_visual')


class VideoParsingInferencer(SegmentInferencer):
    """Parse videos, or their features, by ``HybridAttentionParser``.

    Longer videos are parsed in stretches of ``window`` seconds, as long as those that the parser was trained
    on; events go on over their borders.

    Arguments are those of :class:`SegmentInferencer`. Without an extractor, features of videos are made by
    VGGish, ResNet-152 and R(2+1)D-18; a parser that was trained on other features (of audio-visual grounding,
    say) needs its own, or features as inputs. Default names are LLP's.

    Raises:
        RuntimeError: The checkpoint does not fit the config; the message lists the parameters.
        ValueError: The model is no parser, ``classes`` are of another number than its, or ``window`` is not
            above 0.

    Example::

        inferencer = VideoParsingInferencer('configs/avvp/han_llp.py', 'han.pth')
        inferencer('dog.mp4', out_dir='parsed')[0]['events'][0]
        # {'modality': 'audio', 'label': 'Dog', 'onset': 2.0, 'offset': 5.0, 'score': 0.93}
    """

    progress = 'Parsing'
    public_classes = LLP_CLASSES
    public_features = LLP_FEATURES
    arrays = ('audio', 'visual')

    def _check_model(self) -> None:
        if not hasattr(self.model, 'pooling') or not hasattr(self.model, 'channels'):
            raise ValueError(f'the model is a {type(self.model).__name__}, not a HybridAttentionParser')
        number = self.model.pooling.classifier.out_features
        if len(self.classes) != number:
            raise ValueError(f'{len(self.classes)} names for {number} classes')

    def __call__(
        self,
        inputs: Source | Sequence[Source],
        threshold: float = 0.5,
        out_dir: str | Path | None = None,
    ) -> list[dict]:
        """Parse.

        Args:
            inputs: A video's path; or a dict with ``video``, or with features by the names of the model's
                inputs, arrays or paths of .npy files: ``audio`` (T, D), ``visual`` and ``visual_st`` (F, D),
                F a multiple of T; with ``name``, if you like; or a list of these.
            threshold: A second has an event where its probability is at least this. Defaults to 0.5.
            out_dir: Folder for ``predictions.json`` and ``timelines/*.png``. None: nothing is
                written.

        Returns:
            Of each input: ``input`` (name), ``duration`` (s), ``events``: dicts of ``modality``
            ('audio', 'visual', or 'audio_visual' where an event of a class is heard and seen at once),
            ``label``, ``onset`` and ``offset`` (s), ``score`` (mean probability; of audio-visual events that
            of both); ``audio`` and ``visual``, probabilities (T, C) float32, which go to no file.

        Raises:
            SampleError: An input is missing, damaged or of another shape; the message names it.
            ValueError: ``threshold`` is not above 0 up to 1.
            TypeError: An input is neither a path nor a dict.
        """
        if not 0 < threshold <= 1:
            raise ValueError(f'threshold must be above 0 up to 1, got {threshold}')
        predictions = self._predict(inputs, partial(self._parse, threshold=threshold))
        if out_dir is not None:
            self._write(Path(out_dir), predictions, threshold=threshold)
        return predictions

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

    def _parse(self, name: str, source: Mapping, features: dict[str, np.ndarray], threshold: float) -> dict:
        probs = dict(audio=[], visual=[])
        for _, sample in self._run_stretches(name, features):
            for modality, parts in probs.items():
                parts.append(sample.get(f'pred_{modality}').float().numpy())
        audio, visual = (np.concatenate(parts) for parts in probs.values())
        both = (audio >= threshold) & (visual >= threshold)
        found = dict(
            audio=find_events(audio, self.classes, threshold),
            visual=find_events(visual, self.classes, threshold),
            audio_visual=find_events((audio + visual) / 2, self.classes, flags=both),
        )
        events = [dict(modality=key, **event._asdict()) for key in MODALITIES for event in found[key]]
        return dict(
            input=name, duration=float(len(features['audio'])), events=events, audio=audio, visual=visual
        )


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
