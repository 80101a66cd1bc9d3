"""How well maps find the pixels that make the sound, and whether they depend on it at all.

Shapes: H and W height and width of a map in pixels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmdet.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger

from mmav.utils.checks import check_choice
from mmav.utils.errors import SampleError

from ..functional.ciou import (
    centered_box,
    ciou,
    ciou_at_thresholds,
    region_ciou,
    success_rates,
    summarize_ciou,
)
from ..functional.negative_audio import negative_audio_rates
from .ciou_tables import COLUMNS, negatives_table, scores_table, sweep_table
from .sample_arrays import sample_array

PROTOCOLS = ('median', 'fixed', 'best')
SWEEP = tuple(round(0.05 * step, 2) for step in range(1, 20))


@METRICS.register_module()
class CIoUMetric(BaseMetric):
    """Consensus IoU of localization maps, see :func:`mmav.evaluation.ciou`, with baselines.

    Compares ``pred_map`` with ``gt_map`` (both (H, W), of one size) of the data samples; figures are in
    percent. ``docs/avc.md`` (What is measured) says what they mean:

    - ``ciou/ciou_at_50``, ``ciou/auc`` and ``ciou/mean_ciou`` by the protocol's threshold, of each class as
      ``ciou/class/<class>/...`` with ``classwise``, and of two regions that are the same for every clip as
      ``ciou/whole_image/...`` and ``ciou/centred_box/...``;
    - ``ciou/sweep/<threshold>``: the share of clips with a cIoU of 0.5 at each fixed threshold of ``sweep``;
    - ``ciou/<negative>/false_positive_rate`` and ``ciou/<negative>/auroc``, of each kind of sound that does
      not belong to the image: metainfo ``negative`` ('silence', 'noise', 'other',
      :class:`mmav.datasets.NegativeSoundDataset`), or 'offscreen' where ``offscreen`` is true or ``split`` is
      'offscreen'. These have no part in other figures.

    Args:
        protocol: How a map is cut into on and off. ``'median'``: at its own median; the papers'.
            ``'fixed'``: at ``threshold``, the same for every map scaled to 0..1. ``'best'``: at the threshold
            of ``sweep`` that gives the clips of ``validation_split`` the highest share; only the other clips
            count. Defaults to ``'median'``.
        threshold: For ``'fixed'``, from 0 to 1; required there. Defaults to None.
        sweep: Fixed thresholds to report. Defaults to 0.05, 0.1 ... 0.95.
        validation_split: For ``'best'``: value of the metainfo ``split`` of the clips that choose the
            threshold. Defaults to ``'val'``.
        classwise: Whether to report each class. Defaults to False.
        center_area: Share of the image in the centered box. Defaults to 0.5, as the median leaves on.
        on_level: Level of a map's maximum, not normalized, at which it is on. None: by ``on_recall``.
        on_recall: Share of clips with their own sound that are on, from 0 to 1. Defaults to 0.95.
        **kwargs: Of ``BaseMetric``.

    Raises:
        ValueError: In use, if there are no clips with their own sound or, with ``'best'``, none to choose the
            threshold by.
        SampleError: In use, naming the image: no map, no truth, or another size.

    Source: the median threshold from Mo and Morgado, "Localizing visual sounds the easy way" (ECCV 2022);
    negative sounds after Juanola et al., "A critical assessment of visual sound source localization models
    including negative audio" (arXiv 2410.01020), who cut maps at a level common to all clips, too.

    Example:
        >>> metric, pred = CIoUMetric(), torch.tensor([[1.0, 1.0], [0.0, 0.0]])
        >>> metric.process({}, [dict(pred_map=pred, gt_map=pred), dict(pred_map=pred, gt_map=pred.t())])
        >>> metric.evaluate(size=2)['ciou/ciou_at_50']  # consensus IoU of 1 and of 1/3
        50.0
    """

    default_prefix = 'ciou'

    def __init__(
        self,
        protocol: str = 'median',
        threshold: float | None = None,
        sweep: Sequence[float] = SWEEP,
        validation_split: str = 'val',
        classwise: bool = False,
        center_area: float = 0.5,
        on_level: float | None = None,
        on_recall: float = 0.95,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_choice('CIoUMetric', 'protocol', protocol, PROTOCOLS)
        if (protocol == 'fixed') != (threshold is not None):
            raise ValueError(f"protocol='fixed' and threshold go together, got {protocol!r} and {threshold}")
        if protocol == 'best' and not len(sweep):
            raise ValueError("protocol='best' chooses among the thresholds of sweep, which is empty")
        values = [*sweep, *([] if threshold is None else [threshold]), on_recall]
        if not all(0 <= value <= 1 for value in values) or not 0 < center_area <= 1:
            raise ValueError(
                'threshold, sweep and on_recall must lie in 0..1 and center_area above 0 up to 1, got '
                f'{threshold}, {sweep}, {on_recall} and {center_area}'
            )
        self.protocol = protocol
        self.threshold = threshold
        self.sweep = tuple(sweep)
        self.validation_split = validation_split
        self.classwise = classwise
        self.center_area = center_area
        self.on_level = on_level
        self.on_recall = on_recall

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the scores of one batch; the maps themselves are not kept. SampleError as the class says."""
        for sample in data_samples:
            pred = self._map_of(sample, 'pred_map')
            offscreen = sample.get('offscreen') or sample.get('split') == 'offscreen'
            kind = sample.get('negative') or ('offscreen' if offscreen else None)
            result = dict(negative=kind, maximum=float(pred.max()), split=sample.get('split'))
            if kind is None:
                gt = self._map_of(sample, 'gt_map')
                if gt.shape != pred.shape:
                    raise SampleError(
                        self._name(sample),
                        f'pred_map {pred.shape[1:]} and gt_map {gt.shape[1:]} differ in size: the truth must '
                        'be packed at the size of the image that the model gets',
                    )
                result.update(self._scores(pred, gt), category=sample.get('category'))
            self.results.append(result)

    def _scores(self, pred: np.ndarray, gt: np.ndarray) -> dict:
        """Of one map and its truth, (1, H, W) each."""
        result = dict(sweep=ciou_at_thresholds(pred, gt, self.sweep)[0])
        if self.protocol != 'best':
            result['model'] = ciou(pred, gt, 'median' if self.threshold is None else self.threshold)['ciou'][
                0
            ]
        result['whole_image'] = region_ciou(np.ones(gt.shape[1:], bool), gt)[0]
        result['centred_box'] = region_ciou(centered_box(gt.shape[1:], self.center_area), gt)[0]
        return result

    def _map_of(self, sample: dict, key: str) -> np.ndarray:
        hint = dict(
            pred_map='the model must be a localizer in predict mode',
            gt_map='test clips need boxes, or the metainfo negative or offscreen',
        )[key]
        values = sample_array(sample, key, self._name(sample), hint)
        if values.ndim != 2 or not np.isfinite(values).all():
            raise SampleError(
                self._name(sample), f'{key} must be finite, (H, W), got {values.shape} or NaN or infinity'
            )
        return values[None]

    @staticmethod
    def _name(sample: dict) -> str:
        return str(sample.get('img_path') or f'sample {sample.get("img_id")}')

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Compute all figures, in percent, and ``threshold`` where one was chosen; log the tables."""
        own = [result for result in results if result['negative'] is None]
        if not own:
            raise ValueError('no clip with its own sound among the samples: CIoUMetric has nothing to score')
        metrics = {}
        if self.protocol == 'best':
            own, metrics['threshold'] = self._choose_threshold(own)
            results = [result for result in results if result['split'] != self.validation_split]
        rows = dict(model=np.array([result['model'] for result in own]))
        if self.classwise:
            categories = [result['category'] for result in own]
            for name in sorted(set(categories) - {None}):
                rows[f'class/{name}'] = rows['model'][[category == name for category in categories]]
        for name in ('whole_image', 'centred_box'):
            rows[name] = np.array([result[name] for result in own])
        figures = {}
        for row, scores in rows.items():
            summary = summarize_ciou(scores)
            figures[row] = {key: 100 * summary[key] for key in COLUMNS}
        metrics.update(figures['model'])
        rates = dict(zip(self.sweep, success_rates(np.stack([result['sweep'] for result in own])).tolist()))
        metrics.update({f'sweep/{threshold:g}': rate for threshold, rate in rates.items()})
        for row, values in figures.items():
            if row != 'model':
                metrics.update({f'{row}/{key}': value for key, value in values.items()})
        cut = f'threshold {self.threshold:g}' if self.protocol == 'fixed' else self.protocol
        clips = {row: len(scores) for row, scores in rows.items()}
        tables = [scores_table(figures, clips, f'model ({cut})')]
        if self.sweep:
            tables.append(sweep_table(rates))
        negatives = self._negatives(results, own)
        for kind, values in negatives.items():
            metrics.update({f'{kind}/{key}': values[key] for key in ('false_positive_rate', 'auroc')})
        if negatives:
            tables.append(negatives_table(negatives))
        MMLogger.get_current_instance().info('\n' + '\n'.join(tables))
        return metrics

    def _choose_threshold(self, own: list[dict]) -> tuple[list[dict], float]:
        """Clips that are left to be scored, with ``model`` set, and the threshold that the others chose."""
        chosen_by = [result for result in own if result['split'] == self.validation_split]
        rest = [result for result in own if result['split'] != self.validation_split]
        if not chosen_by or not rest:
            splits = sorted({str(result['split']) for result in own})
            raise ValueError(
                f"protocol='best' needs clips of the split {self.validation_split!r} and others; the samples "
                f'have the splits {splits}. Put both splits into the loader (ConcatDataset), or set '
                'validation_split'
            )
        index = int(success_rates(np.stack([result['sweep'] for result in chosen_by])).argmax())
        return [dict(result, model=result['sweep'][index]) for result in rest], self.sweep[index]

    def _negatives(self, results: list[dict], own: list[dict]) -> dict[str, dict]:
        kinds = sorted({result['negative'] for result in results} - {None})
        own_maxima = np.array([result['maximum'] for result in own])
        return {
            kind: negative_audio_rates(
                own_maxima,
                np.array([result['maximum'] for result in results if result['negative'] == kind]),
                self.on_level,
                self.on_recall,
            )
            for kind in kinds
        }
