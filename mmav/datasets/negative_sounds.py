"""A test set whose clips come with their own sound and with sounds that are not theirs."""

import copy
from collections.abc import Sequence
from typing import Any

from mmdet.registry import DATASETS
from mmengine.dataset import BaseDataset, Compose

from .transforms import LoadAudioSegment, ReplaceAudio
from .transforms.replace_audio import KINDS


@DATASETS.register_module()
class NegativeSoundDataset:
    """Yields every clip of a data set with its own sound, then every clip with each kind of a wrong one.

    The pipeline stays as it is: :class:`ReplaceAudio` is put beside its :class:`LoadAudioSegment`. Wrong
    sounds are marked by the metainfo ``negative``, by which :class:`mmav.evaluation.CIoUMetric` keeps them
    apart. In a config:

        test_dataloader = dict(dataset=dict(type='NegativeSoundDataset', dataset=dict(type='VGGSSDataset')))

    Args:
        dataset: The data set, or its config; its pipeline loads ``audio``.
        kinds: Of 'silence', 'noise', 'other'. Defaults to all three.
        own: Whether to yield the clips with their own sound, too. Defaults to True.
        level: Of the noise; see :class:`ReplaceAudio`. Defaults to 0.1.
        seed: Chooses noise and other sounds. Defaults to 0.
        lazy_init: Whether to read the annotations on the first use. Defaults to False.

    Raises:
        ValueError: If ``kinds`` names something else or nothing, the pipeline loads no ``audio``, or the data
            set wraps others (``ConcatDataset``).
    """

    def __init__(
        self,
        dataset: dict | BaseDataset,
        kinds: Sequence[str] = KINDS,
        own: bool = True,
        level: float = 0.1,
        seed: int = 0,
        lazy_init: bool = False,
    ) -> None:
        if not kinds or len(set(kinds)) < len(kinds) or not set(kinds) <= set(KINDS):
            raise ValueError(f'kinds must be some of {KINDS}, each once, got {kinds}')
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        if not hasattr(self.dataset, 'pipeline'):
            raise ValueError(
                f'NegativeSoundDataset takes a data set with a pipeline, a {type(self.dataset).__name__} has '
                'none: put it into that, around each of its data sets'
            )
        self.kinds = tuple(kinds)
        self.own = own
        self.level = level
        self.seed = seed
        self._views: list[BaseDataset] = []
        if not lazy_init:
            self.full_init()

    @property
    def metainfo(self) -> dict:
        """That of the data set."""
        return self.dataset.metainfo

    def full_init(self) -> None:
        """Read the annotations, and prepare a pipeline for each kind."""
        if self._views:
            return
        self.dataset.full_init()
        views = [self.dataset] if self.own else []
        for kind in self.kinds:
            view = copy.copy(self.dataset)  # shares the list of clips
            view.pipeline = self._pipeline(kind)
            views.append(view)
        self._views = views

    def _pipeline(self, kind: str) -> Compose:
        steps = list(self.dataset.pipeline.transforms)
        places = [
            i for i, step in enumerate(steps) if isinstance(step, LoadAudioSegment) and step.key == 'audio'
        ]
        if not places:
            raise ValueError(
                f'{type(self.dataset).__name__}: its pipeline has no LoadAudioSegment for audio, so there is '
                'no sound to replace'
            )
        options: dict[str, Any] = dict(kind=kind, level=self.level, seed=self.seed)
        if kind == 'other':
            infos = [self.dataset.get_data_info(index) for index in range(len(self.dataset))]
            keys = ('audio_path', 'video_path', 'category')
            options['sounds'] = [{key: info[key] for key in keys if key in info} for info in infos]
        steps.insert(places[0] + (kind != 'other'), ReplaceAudio(**options))
        return Compose(steps)

    def _place(self, index: int) -> tuple[BaseDataset, int]:
        self.full_init()
        if not -len(self) <= index < len(self):
            raise IndexError(f'{index} of {len(self)} samples')
        view, place = divmod(index % len(self), len(self.dataset))
        return self._views[view], place

    def get_data_info(self, index: int) -> dict:
        """Annotation of a sample, before its pipeline; see ``BaseDataset``."""
        view, place = self._place(index)
        return view.get_data_info(place)

    def __getitem__(self, index: int) -> dict:
        """Sample ``index``: the clips in their order with their own sound, then with each kind."""
        view, place = self._place(index)
        return view[place]

    def __len__(self) -> int:
        self.full_init()
        return len(self._views) * len(self.dataset)
