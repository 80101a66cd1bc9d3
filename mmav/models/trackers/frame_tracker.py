"""What trackers that go frame by frame share.

Shapes: n detections of a frame.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData


class FrameTracker(ABC):
    """Base of trackers with :meth:`reset` before a sequence and :meth:`step` for each of its frames.

    :meth:`track` and :meth:`reset` are what MMDetection's tracking models call.
    """

    def reset(self) -> None:
        """Forget all tracks; ids begin at 1 again."""
        self._drive = None

    @abstractmethod
    def step(
        self,
        bboxes: np.ndarray | torch.Tensor,
        scores: np.ndarray | torch.Tensor,
        labels: np.ndarray | torch.Tensor | None = None,
    ) -> np.ndarray:
        """Take the next frame: boxes (n, 4), scores (n,) and classes (n,) to the track of each box (n,)."""

    def track(self, data_sample: DetDataSample, **kwargs: Any) -> InstanceData:
        """Take the next frame as MMDetection's tracking models give it.

        A sample of another drive (metainfo ``drive``), or number 0 of a video (metainfo ``frame_id``), begins
        a new sequence.

        Args:
            data_sample: With ``pred_instances``: ``bboxes``, ``scores`` and ``labels``.
            **kwargs: What other trackers need; unused.

        Returns:
            The boxes that belong to a track: ``bboxes``, ``labels``, ``scores`` and ``instances_id``.
        """
        drive = data_sample.metainfo.get('drive')
        if drive != self._drive or data_sample.metainfo.get('frame_id') == 0:
            self.reset()
            self._drive = drive
        pred = data_sample.pred_instances
        ids = torch.from_numpy(self.step(pred.bboxes, pred.scores, pred.labels)).to(pred.bboxes.device)
        tracked = InstanceData(bboxes=pred.bboxes, labels=pred.labels, scores=pred.scores, instances_id=ids)
        return tracked[ids >= 0]
