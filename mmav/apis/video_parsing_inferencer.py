"""What happens in a video and when, to be heard, seen, or both.

Letters: T segments (seconds), C classes, F frames, D channels.
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

from ..datasets.clip_pairs import VIDEO_EXTENSIONS
from ..datasets.errors import SampleError
from ..datasets.llp import LLP_CLASSES
from ..engine.atomic_backend import AtomicLocalBackend
from ..structures import SegmentDataSample
from ..utils.event_runs import find_events
from ..visualization.timeline import EventBand, draw_timeline
from .model_loading import load_model
from .segment_feature_extractor import LLP_FEATURES, SegmentFeatureExtractor

Features = Mapping[str, np.ndarray | str | Path]
MODALITIES = ('audio', 'visual', 'audio_visual')


class VideoParsingInferencer:
    """Parse videos, or their features, by ``HybridAttentionParser``.

    Longer videos are parsed in stretches of ``window`` seconds, as long as those that the parser was trained
    on; events go on over their borders.

    Args:
        model (str or Config, optional): Config file or config. None: the config within the checkpoint, read
            as plain values and not run.
        weights (str, optional): Checkpoint, read safely and loaded strictly. None: random weights.
        device (str, optional): Defaults to the GPU where there is one.
        extractor (SegmentFeatureExtractor, optional): Makes features of videos, by the names of the model's
            inputs. None: VGGish, ResNet-152 and R(2+1)D-18 with public weights, when the first video comes.
            A parser that was trained on other features (of audio-visual grounding, say) needs its own, or
            features as inputs.
        classes (Sequence[str], optional): Names. None: those in the checkpoint, or LLP's.
        window (int): Seconds that are parsed at a time. Defaults to 10.
        show_progress (bool): Whether to draw a progress bar. Defaults to True.

    Raises:
        RuntimeError: The checkpoint does not fit the config; the message lists the parameters.
        ValueError: The model is no parser, ``classes`` are of another number than its, or ``window`` is not
            above 0.

    Examples:
        >>> inferencer = VideoParsingInferencer('configs/avvp/han_llp.py', 'han.pth')
        >>> inferencer('dog.mp4', out_dir='parsed')[0]['events'][0]
        {'modality': 'audio', 'label': 'Dog', 'onset': 2.0, 'offset': 5.0, 'score': 0.93}
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
        if not hasattr(self.model, 'pooling') or not hasattr(self.model, 'channels'):
            raise ValueError(f'the model is a {type(self.model).__name__}, not a HybridAttentionParser')
        self.channels: dict[str, int] = self.model.channels
        number = self.model.pooling.classifier.out_features
        self.classes = tuple(classes or (meta.get('dataset_meta') or {}).get('classes') or LLP_CLASSES)
        if len(self.classes) != number or window < 1:
            raise ValueError(f'{len(self.classes)} names for {number} classes, window {window} s')
        self.extractor = extractor
        self.window = window
        self.show_progress = show_progress

    @torch.no_grad()
    def __call__(
        self,
        inputs: str | Path | Features | Sequence[str | Path | Features],
        threshold: float = 0.5,
        out_dir: str | Path | None = None,
    ) -> list[dict]:
        """Parse.

        Args:
            inputs: A video's path; or features by the names of the model's inputs, arrays or paths of .npy
                files: ``audio`` (T, D), ``visual`` and ``visual_st`` (F, D), F a multiple of T, and ``name``,
                if you like; or a list of these.
            threshold (float): A second has an event where its probability is at least this. Defaults to 0.5.
            out_dir (str, optional): Folder for ``predictions.json`` and ``timelines/*.png``. None: nothing is
                written.

        Returns:
            list[dict]: Of each input: ``input`` (name), ``duration`` (s), ``events``: dicts of ``modality``
            ('audio', 'visual', or 'audio_visual' where an event of a class is heard and seen at once),
            ``label``, ``onset`` and ``offset`` (s), ``score`` (mean probability; of audio-visual events that
            of both); ``audio`` and ``visual``, probabilities (T, C) float32, which go to no file.

        Raises:
            SampleError: An input is missing, damaged or of another shape; the message names it.
            ValueError: ``threshold`` is not above 0 up to 1.
            TypeError: An input is neither path nor features.
        """
        if not 0 < threshold <= 1:
            raise ValueError(f'threshold must be above 0 up to 1, got {threshold}')
        sources = [inputs] if isinstance(inputs, (str, Path, Mapping)) else list(inputs)
        if not sources:
            raise SampleError('inputs', 'the list is empty')
        predictions = []
        for name, features in tqdm(
            self._features(sources), 'Parsing', len(sources), unit=' videos', disable=not self.show_progress
        ):
            predictions.append(self._parse(name, features, threshold))
        if out_dir is not None:
            self._write(Path(out_dir), predictions, threshold)
        return predictions

    def _features(self, sources: Sequence) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        for number, source in enumerate(sources):
            if isinstance(source, Mapping):
                name = str(source.get('name', f'input {number}'))
                yield name, self._read(name, {key: v for key, v in source.items() if key != 'name'})
            elif isinstance(source, (str, Path)):
                if Path(source).suffix[1:].lower() not in VIDEO_EXTENSIONS:
                    raise SampleError(str(source), f'is no video ({", ".join(VIDEO_EXTENSIONS)})')
                yield Path(source).name, self._read(str(source), self._extract(source))
            else:
                raise TypeError(f'input {number} is a {type(source).__name__}: give a path or features')

    def _extract(self, video: str | Path) -> dict[str, np.ndarray]:
        if self.extractor is None:
            self.extractor = SegmentFeatureExtractor(
                {key: LLP_FEATURES[key] for key in self.channels}, device=self.device
            )
        return self.extractor(video)

    def _read(self, name: str, features: Features) -> dict[str, np.ndarray]:
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
            value = np.asarray(value, dtype=np.float32)
            if value.ndim != 2 or value.shape[1] != self.channels[key] or not np.isfinite(value).all():
                raise SampleError(
                    where, f'must be finite, (segments, {self.channels[key]}), got {value.shape}'
                )
            arrays[key] = value
        segments = len(arrays['audio'])
        for key, value in arrays.items():
            if not segments or not len(value) or len(value) % segments:
                raise SampleError(name, f'{key} has {len(value)} rows for {segments} seconds of audio')
        return arrays

    def _parse(self, name: str, features: dict[str, np.ndarray], threshold: float) -> dict:
        segments = len(features['audio'])
        probs = dict(audio=[], visual=[])
        for start in range(0, segments, self.window):
            end = min(start + self.window, segments)
            rates = {key: len(value) // segments for key, value in features.items()}
            part = {
                key: torch.from_numpy(value[start * rates[key] : end * rates[key]])
                for key, value in features.items()
            }
            sample = SegmentDataSample(metainfo=dict(video_id=name, num_segments=end - start))
            batch = dict(inputs={key: [value] for key, value in part.items()}, data_samples=[sample])
            (parsed,) = self.model.test_step(batch)
            for modality, parts in probs.items():
                parts.append(parsed.get(f'pred_{modality}').float().cpu().numpy())
        audio, visual = (np.concatenate(parts) for parts in probs.values())
        both = (audio >= threshold) & (visual >= threshold)
        found = dict(
            audio=find_events(audio, self.classes, threshold),
            visual=find_events(visual, self.classes, threshold),
            audio_visual=find_events((audio + visual) / 2, self.classes, flags=both),
        )
        events = [dict(modality=key, **event._asdict()) for key in MODALITIES for event in found[key]]
        return dict(input=name, duration=float(segments), events=events, audio=audio, visual=visual)

    @staticmethod
    def _write(out_dir: Path, predictions: list[dict], threshold: float) -> None:
        for number, prediction in enumerate(predictions):
            bands = list(timeline_bands(prediction).values())
            picture = draw_timeline(bands, prediction['duration'])
            stem = Path(prediction['input']).stem.replace(' ', '_')
            path = out_dir / 'timelines' / f'{number:04d}_{stem}.png'
            mmcv.imwrite(picture[..., ::-1], str(path))
        plain = [
            {key: value for key, value in prediction.items() if key not in ('audio', 'visual')}
            for prediction in predictions
        ]
        text = dump(dict(threshold=threshold, predictions=plain), file_format='json', indent=1)
        AtomicLocalBackend().put_text(text, out_dir / 'predictions.json')


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
