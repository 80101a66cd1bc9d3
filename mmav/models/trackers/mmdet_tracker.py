"""MMDetection's trackers where mmav's metric and tools expect one.

Shapes: n detections of a frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData

from .frame_tracker import FrameTracker


@MODELS.register_module()
class MMDetTracker(FrameTracker):
    """A tracker of MMDetection, frame by frame.

    ``TrackingMetric`` and ``tools/track.py`` give it boxes, scores and classes, so motion has to come from
    these alone: ``ByteTracker`` and ``OCSORTTracker`` do, trackers that look at images do not. Both need the
    package ``lap``.

    Args:
        tracker: Config of the tracker. ``num_tentatives``, the frames that confirm a track, and the score
            thresholds decide the most where boxes come from sound.

    Example:
        >>> tracker = MMDetTracker(dict(type='ByteTracker', motion=dict(type='KalmanFilter')))
        >>> tracker.step(torch.tensor([[10.0, 10, 50, 40]]), torch.tensor([0.9]))
        array([1])
    """

    def __init__(self, tracker: Mapping[str, Any]) -> None:
        self.tracker = MODELS.build(dict(tracker))
        self.reset()

    def reset(self) -> None:
        """Forget all tracks; ids begin at 1 again."""
        super().reset()
        self.tracker.reset()
        self._frame = 0

    def step(
        self,
        bboxes: np.ndarray | torch.Tensor,
        scores: np.ndarray | torch.Tensor,
        labels: np.ndarray | torch.Tensor | None = None,
    ) -> np.ndarray:
        """Take the next frame; see :meth:`IoUTracker.step`."""
        bboxes = torch.as_tensor(bboxes, dtype=torch.float32, device='cpu').reshape(-1, 4)
        labels = torch.zeros(len(bboxes)) if labels is None else labels
        sample = DetDataSample(
            metainfo=dict(frame_id=self._frame),
            pred_instances=InstanceData(
                bboxes=bboxes,
                scores=torch.as_tensor(scores, dtype=torch.float32, device='cpu'),
                labels=torch.as_tensor(labels, device='cpu').long(),
            ),
        )
        tracked = self.tracker.track(data_sample=sample)
        self._frame += 1
        ids = np.full(len(bboxes), -1, dtype=np.int64)
        # MMDetection's trackers give the boxes in another order, unchanged
        equal = (tracked.bboxes[:, None] == bboxes).all(-1) & (
            tracked.scores[:, None] == sample.pred_instances.scores
        )
        for row, track in zip(equal.numpy(), tracked.instances_id.tolist()):
            free = np.flatnonzero(row & (ids < 0))  # two equal boxes are two
            ids[free[0]] = track + 1
        return ids
