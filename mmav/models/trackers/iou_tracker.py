"""Tracks from boxes: a box goes on with the tracklet of the last frame that it overlaps most.

n: detections of a frame; k: active tracklets.
"""

import numpy as np
import torch
from mmdet.registry import MODELS
from scipy.optimize import linear_sum_assignment

from .frame_tracker import FrameTracker

# Up to this many pairs of tracklets and boxes, plain loops are quicker than arrays.
FEW_PAIRS = 200


@MODELS.register_module()
class IoUTracker(FrameTracker):
    """Tracker of MM-DistillNet: consecutive frames are linked by the overlap of their boxes alone.

    A tracklet starts with a box of a score above ``init_score_thr`` that is in no tracklet. In each frame
    active tracklets and boxes of the same class are paired one to one so that the sum of their IoU is
    greatest, where only an IoU above ``iou_thr`` counts; a tracklet without a box ends. Boxes that neither
    continue nor start a tracklet belong to none.

    Frame by frame: :meth:`reset` before a sequence, then :meth:`step` for each frame. :meth:`track` and
    :meth:`reset` are what MMDetection's tracking models call, so it stands in for theirs, e.g.
    ``dict(type='ByteTrack', detector=..., tracker=dict(type='IoUTracker'))``.

    Args:
        init_score_thr: A box must score more than this to start a tracklet. Defaults to 0.8.
        iou_thr: Boxes must overlap more than this to be linked. Defaults to 0.5.
        score_thr: Lowest score of a box that continues a tracklet. The paper names none; ours is the
            score from which its other figures count a detection. Defaults to 0.3.
        patience: Frames that a tracklet may lack a box and still be continued from its last one. The
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
        super().reset()
        self._last_id = 0
        # of each active tracklet: its id, its class, its last box, for how many frames it has had none
        self._ids: list[int] = []
        self._labels: list[int] = []
        self._bboxes: list[list[float]] = []
        self._missed: list[int] = []

    @property
    def active_ids(self) -> list[int]:
        """Ids of the tracklets that the next frame may continue."""
        return list(self._ids)

    def step(
        self,
        bboxes: np.ndarray | torch.Tensor,
        scores: np.ndarray | torch.Tensor,
        labels: np.ndarray | torch.Tensor | None = None,
    ) -> np.ndarray:
        """Take the next frame.

        Args:
            bboxes: (n, 4): x1, y1, x2, y2 in pixels.
            scores: (n,).
            labels: (n,), classes. None: all boxes are of one class.

        Returns:
            (n,) int64, the tracklet of each box, from 1; -1 for a box of none.

        Raises:
            ValueError: The arrays differ in length, or a box that overlaps a tracklet holds NaN.
        """
        corners = _to_numpy(bboxes).reshape(-1, 4)
        boxes = corners.tolist()
        score = _to_numpy(scores)
        classes = [0] * len(boxes) if labels is None else _to_numpy(labels).tolist()
        if not len(boxes) == len(score) == len(classes):
            raise ValueError(f'{len(boxes)} boxes, {len(score)} scores and {len(classes)} labels')

        ids = [-1] * len(boxes)
        missed = [count + 1 for count in self._missed]
        # compared in the precision of the scores
        usable = [box for box, use in enumerate((score >= self.score_thr).tolist()) if use]
        for tracklet, box in self._associate(corners, boxes, classes, usable):
            ids[box] = self._ids[tracklet]
            self._bboxes[tracklet] = boxes[box]
            missed[tracklet] = 0
        self._missed = missed
        ended = [tracklet for tracklet, count in enumerate(missed) if count > self.patience]
        for tracklet in reversed(ended):
            del self._ids[tracklet], self._labels[tracklet], self._bboxes[tracklet], missed[tracklet]
        for box, sure in enumerate((score > self.init_score_thr).tolist()):
            if sure and ids[box] < 0:
                self._last_id += 1
                ids[box] = self._last_id
                self._ids.append(self._last_id)
                self._labels.append(classes[box])
                self._bboxes.append(boxes[box])
                self._missed.append(0)
        return np.array(ids, dtype=np.int64)

    def _associate(
        self, corners: np.ndarray, bboxes: list[list[float]], labels: list[int], usable: list[int]
    ) -> list[tuple[int, int]]:
        """Pairs of active tracklets and usable boxes of the greatest total IoU, as indices of both."""
        if len(self._bboxes) * len(usable) <= FEW_PAIRS:
            overlaps = _overlaps(self._bboxes, [bboxes[box] for box in usable], self.iou_thr)
        else:
            overlaps = _overlaps_of_many(np.array(self._bboxes), corners[usable], self.iou_thr)
        pairs = [pair for pair in overlaps if self._labels[pair[0]] == labels[usable[pair[1]]]]
        if any(iou != iou for _, _, iou in pairs):
            raise ValueError('boxes that hold NaN cannot be tracked')
        if len({pair[0] for pair in pairs}) == len({pair[1] for pair in pairs}) == len(pairs):
            return [(tracklet, usable[place]) for tracklet, place, _ in pairs]  # nothing to choose
        # other pairs must not take part in the sum
        table = np.zeros((len(self._ids), len(usable)))
        for tracklet, place, iou in pairs:
            table[tracklet, place] = iou
        tracklets, places = linear_sum_assignment(table, maximize=True)
        linked = table[tracklets, places] > 0
        return [(t, usable[p]) for t, p in zip(tracklets[linked].tolist(), places[linked].tolist())]


def _overlaps(
    first: list[list[float]], second: list[list[float]], iou_thr: float
) -> list[tuple[int, int, float]]:
    """Pairs (i, j, IoU) of first and second boxes whose IoU is above the threshold, or NaN."""
    pairs = []
    for i, (x1, y1, x2, y2) in enumerate(first):
        area = (x2 - x1) * (y2 - y1)
        for j, (u1, v1, u2, v2) in enumerate(second):
            width = (x2 if x2 < u2 else u2) - (x1 if x1 > u1 else u1)
            height = (y2 if y2 < v2 else v2) - (y1 if y1 > v1 else v1)
            if width <= 0 or height <= 0:
                continue
            both = width * height
            iou = both / max(area + (u2 - u1) * (v2 - v1) - both, 1e-6)
            if not iou <= iou_thr:
                pairs.append((i, j, iou))
    return pairs


def _overlaps_of_many(first: np.ndarray, second: np.ndarray, iou_thr: float) -> list[tuple[int, int, float]]:
    """:func:`_overlaps` with arrays."""
    # coordinates that lie in one piece: a third of the time less
    x1, y1, x2, y2 = first.T.astype(float, order='C')[:, :, None]
    u1, v1, u2, v2 = second.T.astype(float, order='C')
    width = np.maximum(np.minimum(x2, u2) - np.maximum(x1, u1), 0)
    both = width * np.maximum(np.minimum(y2, v2) - np.maximum(y1, v1), 0)
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - both
    iou = both / np.maximum(union, 1e-6)
    pairs = np.nonzero(~(iou <= iou_thr))
    return list(zip(*(indices.tolist() for indices in pairs), iou[pairs].tolist()))


def _to_numpy(values: np.ndarray | torch.Tensor) -> np.ndarray:
    return values.detach().cpu().numpy() if isinstance(values, torch.Tensor) else np.asarray(values)
