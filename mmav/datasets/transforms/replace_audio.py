"""Sounds that do not belong to the image, to see whether a localizer uses the audio.

Shapes: L samples.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from mmav.utils.checks import check_choice
from mmav.utils.errors import SampleError

KINDS = ('silence', 'noise', 'other')
_PATHS = ('audio_path', 'video_path')


@TRANSFORMS.register_module()
class ReplaceAudio(BaseTransform):
    """Give a clip silence, noise or another clip's sound in place of its own.

    'silence' and 'noise' replace a loaded sound: put them after :class:`LoadAudioSegment`. 'other' replaces
    the path that the sound will be loaded from: put it before. What a clip gets depends on ``seed`` and its
    ``img_id`` alone. :class:`mmav.datasets.NegativeSoundDataset` does all this for a whole test set.

    Required keys: ``img_id``; ``audio`` (L,), or for 'other' ``audio_path`` or ``video_path``. Modified keys:
    these. Added key: ``negative``, the kind.

    Args:
        kind: ``'silence'``: zeros. ``'noise'``: white Gaussian noise. ``'other'``: the sound of one of
            ``sounds``, of another file and, where both categories are known, of another category.
        sounds: For 'other': ``audio_path`` or ``video_path`` of each, and
            ``category`` where known. Defaults to None.
        level: Standard deviation of the noise, full scale being 1. Defaults to 0.1 (-20 dB).
        seed: Defaults to 0.

    Raises:
        ValueError: For an unknown kind, 'other' without ``sounds``, or a level that is not above 0.
        KeyError: In use, if the sample has no sound or no path, as the place in the pipeline demands.
        SampleError: In use, if none of ``sounds`` may replace that of the sample.
    """

    def __init__(
        self, kind: str, sounds: Sequence[Mapping] | None = None, level: float = 0.1, seed: int = 0
    ) -> None:
        check_choice('ReplaceAudio', 'kind', kind, KINDS)
        if (kind == 'other') != bool(sounds):
            raise ValueError(
                f"kind='other' and sounds go together, got {kind!r} and {len(sounds or ())} sounds"
            )
        if not level > 0:
            raise ValueError(f'level must be above 0, got {level}')
        self.kind = kind
        self.sounds = sounds
        self.level = level
        self.seed = seed

    def transform(self, results: dict) -> dict:
        """Replace the sound of ``results``; see the class."""
        rng = np.random.default_rng((self.seed, results['img_id']))
        if self.kind == 'other':
            self._take_other(results, rng)
        else:
            if 'audio' not in results:
                raise KeyError(
                    f"no 'audio' to replace by {self.kind}: put LoadAudioSegment before ReplaceAudio"
                )
            shape = results['audio'].shape
            noise = rng.standard_normal(shape, np.float32) * np.float32(self.level)
            results['audio'] = noise if self.kind == 'noise' else np.zeros(shape, np.float32)
        results['negative'] = self.kind
        return results

    def _take_other(self, results: dict, rng: np.random.Generator) -> None:
        if 'audio' in results:
            raise KeyError(
                "the sound is loaded already: put ReplaceAudio(kind='other') before LoadAudioSegment"
            )
        key = next((key for key in _PATHS if key in results), None)
        if key is None:
            raise KeyError(f'the sample has none of {_PATHS}')
        category, sounds = results.get('category'), self.sounds or ()
        for index in rng.permutation(len(sounds)):
            other = sounds[index]
            if other[key] != results[key] and (category is None or other.get('category') != category):
                results[key] = other[key]
                return
        raise SampleError(
            results[key],
            f'none of {len(sounds)} sounds is of another clip and category than {category!r}',
        )
