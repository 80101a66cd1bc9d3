"""Tracks from boxes: a box goes on with the tracklet of the last frame that it overlaps most.

n: detections of a frame; k: active tracklets.
"""

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from scipy.optimize import linear_sum_assignment


@MODELS.register_module()
class IoUTracker:
    """Tracker of MM-DistillNet: consecutive frames are linked by the overlap of their boxes alone.

    A tracklet starts with a box of a score above ``init_score_thr`` that no tracklet claims. In each frame
    active tracklets and boxes of the same class are paired one to one so that the sum of their IoU is
    greatest, where only an IoU above ``iou_thr`` counts; a tracklet without a box ends. Boxes that neither
    continue nor start a tracklet belong to none.

    Frame by frame: :meth:`reset` before a sequence, then :meth:`step` for each frame. :meth:`track` and
    :meth:`reset` are what MMDetection's tracking models call, so it stands in for theirs, e.g.
    ``dict(type='ByteTrack', detector=..., tracker=dict(type='IoUTracker'))``.

    Args:
        init_score_thr (float): A box must score more than this to start a tracklet. Defaults to 0.8.
        iou_thr (float): Boxes must overlap more than this to be linked. Defaults to 0.5.
        score_thr (float): Lowest score of a box that continues a tracklet. The paper names none; ours is the
            score from which its other figures count a detection. Defaults to 0.3.
        patience (int): Frames that a tracklet may lack a box and still be continued from its last one. The
            paper's rule is none. Defaults to 0.

    Raises:
        ValueError: A threshold outside 0..1, ``score_thr`` above ``init_score_thr``, negative ``patience``.

    Source: Valverde et al., "There is More than Meets the Eye" (CVPR 2021), section 3.4.
    """

    def __init__(
        self,
        init_score_thr: float = 0.8,
        iou_thr: float = 0.5,
        score_thr: float = 0.3,
        patience: int = 0,
    ) -> None:
        if not 0 <= score_thr <= init_score_thr <= 1:
            raise ValueError(
                f'0 <= score_thr <= init_score_thr <= 1 must hold, got {score_thr} and {init_score_thr}'
            )
        if not 0 <= iou_thr < 1:
            raise ValueError(f'iou_thr must be in 0..1, got {iou_thr}')
        if patience < 0:
            raise ValueError(f'patience must not be negative, got {patience}')
        self.init_score_thr = init_score_thr
        self.iou_thr = iou_thr
        self.score_thr = score_thr
        self.patience = patience
        self.reset()

    def reset(self) -> None:
        """Forget all tracklets; ids begin at 1 again."""
        self._last_id = 0
        self._drive = None
        self._ids = np.zeros(0, dtype=np.int64)
        self._labels = np.zeros(0, dtype=np.int64)
        self._missed = np.zeros(0, dtype=np.int64)
        self._bboxes = np.zeros((0, 4))

    @property
    def active_ids(self) -> list[int]:
        """Ids of the tracklets that the next frame may continue."""
        return self._ids.tolist()

    def step(
        self,
        bboxes: np.ndarray | torch.Tensor,
        scores: np.ndarray | torch.Tensor,
        labels: np.ndarray | torch.Tensor | None = None,
    ) -> np.ndarray:
        """Take the next frame.

        Args:
            bboxes (np.ndarray or Tensor): (n, 4): x1, y1, x2, y2 in pixels.
            scores (np.ndarray or Tensor): (n,).
            labels (np.ndarray or Tensor, optional): (n,), classes. None: all boxes are of one class.

        Returns:
            np.ndarray: (n,) int64, the tracklet of each box, from 1; -1 for a box of none.

        Raises:
            ValueError: The arrays differ in length.
        """
        bboxes = _to_numpy(bboxes).reshape(-1, 4)
        scores = _to_numpy(scores)
        labels = np.zeros(len(bboxes), dtype=np.int64) if labels is None else _to_numpy(labels)
        if not len(bboxes) == len(scores) == len(labels):
            raise ValueError(f'{len(bboxes)} boxes, {len(scores)} scores and {len(labels)} labels')

        ids = np.full(len(bboxes), -1, dtype=np.int64)
        self._missed += 1
        usable = np.flatnonzero(scores >= self.score_thr)
        tracklets, places = self._associate(bboxes[usable], labels[usable])
        boxes = usable[places]
        ids[boxes] = self._ids[tracklets]
        self._bboxes[tracklets] = bboxes[boxes]
        self._missed[tracklets] = 0

        started = np.flatnonzero((ids < 0) & (scores > self.init_score_thr))
        ids[started] = self._last_id + 1 + np.arange(len(started))
        self._last_id += len(started)
        kept = self._missed <= self.patience
        if len(started) or not kept.all():
            self._ids = np.concatenate([self._ids[kept], ids[started]])
            self._labels = np.concatenate([self._labels[kept], labels[started]])
            self._bboxes = np.concatenate([self._bboxes[kept], bboxes[started]])
            self._missed = np.concatenate([self._missed[kept], np.zeros(len(started), dtype=np.int64)])
        return ids

    def _associate(self, bboxes: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of active tracklets and boxes of the greatest total IoU, as indices of both."""
        if len(self._ids) == 0 or len(bboxes) == 0:
            return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        iou = _box_iou(self._bboxes, bboxes)
        # other pairs must not take part in the sum
        iou *= (iou > self.iou_thr) & (self._labels[:, None] == labels)
        tracklets, boxes = linear_sum_assignment(iou, maximize=True)
        linked = iou[tracklets, boxes] > 0
        return tracklets[linked], boxes[linked]

    def track(self, data_sample: DetDataSample, **kwargs) -> InstanceData:
        """Take the next frame as MMDetection's tracking models give it.

        A sample of another drive (metainfo ``drive``), or number 0 of a video (metainfo ``frame_id``), begins
        a new sequence.

        Args:
            data_sample (DetDataSample): With ``pred_instances``: ``bboxes``, ``scores`` and ``labels``.
            **kwargs: What other trackers need; unused.

        Returns:
            InstanceData: The boxes that belong to a tracklet: ``bboxes``, ``labels``, ``scores`` and
            ``instances_id``.
        """
        drive = data_sample.metainfo.get('drive')
        if drive != self._drive or data_sample.metainfo.get('frame_id') == 0:
            self.reset()
            self._drive = drive
        pred = data_sample.pred_instances
        ids = torch.from_numpy(self.step(pred.bboxes, pred.scores, pred.labels)).to(pred.bboxes.device)
        tracked = InstanceData(bboxes=pred.bboxes, labels=pred.labels, scores=pred.scores, instances_id=ids)
        return tracked[ids >= 0]


def _box_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """IoU (k, n), as mmdet's ``bbox_overlaps``, which takes several times as long for a handful of boxes."""
    x1, y1, x2, y2 = first.T[:, :, None]
    u1, v1, u2, v2 = second.T.astype(first.dtype)
    width = np.maximum(np.minimum(x2, u2) - np.maximum(x1, u1), 0)
    both = width * np.maximum(np.minimum(y2, v2) - np.maximum(y1, v1), 0)
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - both
    return both / np.maximum(union, 1e-6)


def _to_numpy(values: np.ndarray | torch.Tensor) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
