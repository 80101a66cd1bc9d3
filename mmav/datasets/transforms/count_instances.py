"""The number of labeled objects of a frame as its class."""

from collections.abc import Sequence

from mmcv.transforms import BaseTransform
from mmdet.registry import TRANSFORMS

from ..box_checks import is_label


@TRANSFORMS.register_module()
class CountInstances(BaseTransform):
    """Count the boxes of a frame: the label of MM-DistillNet's pretext task (section 3.2).

    Class n means n objects, the last class ``max_count`` or more; a classifier needs ``max_count + 1``
    classes. Labels of people, of the simulator and of teachers count alike; crowds and ignored boxes do not.

    Required keys: ``instances``, as data sets give them. Added key: ``gt_label`` (int).

    Args:
        max_count: Greatest class.
        score_thr: Labels that have a score (pseudo labels) count from it on. Defaults to 0.
        labels: Labels that count; None: all. Defaults to None.

    Raises:
        ValueError: If ``max_count`` is below 1.
        KeyError: In use, if the sample has no ``instances``.
    """

    def __init__(self, max_count: int, score_thr: float = 0.0, labels: Sequence[int] | None = None) -> None:
        if max_count < 1:
            raise ValueError(f'max_count must be at least 1, got {max_count}')
        self.max_count = max_count
        self.score_thr = score_thr
        self.labels = None if labels is None else frozenset(labels)

    def transform(self, results: dict) -> dict:
        """Set ``gt_label``; see the class."""
        if 'instances' not in results:
            raise KeyError('CountInstances finds no instances in the sample: give the data set an ann_file')
        counted = sum(map(self._counts, results['instances']))
        results['gt_label'] = min(counted, self.max_count)
        return results

    def _counts(self, instance: dict) -> bool:
        of_class = self.labels is None or instance['bbox_label'] in self.labels
        return of_class and is_label(instance, self.score_thr)
