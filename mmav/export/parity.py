"""How far the boxes of two runs of one detector are apart.

Shapes: n boxes of the one run, k of the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment


@dataclass
class BoxDifferences:
    """The largest differences so far.

    Attributes:
        frames: Frames compared.
        boxes: Boxes of the first run.
        unpaired: Boxes that the other run lacks or has too many.
        pixels: Largest difference of a coordinate of paired boxes.
        score: Largest difference of their scores.
    """

    frames: int = 0
    boxes: int = 0
    unpaired: int = 0
    pixels: float = 0.0
    score: float = 0.0

    def add(self, expected: Mapping[str, np.ndarray], found: Mapping[str, np.ndarray]) -> None:
        """Compare the boxes of a frame.

        Boxes are paired by their coordinates, label by label: those of nearly equal scores may come in
        another order.

        Args:
            expected: ``bboxes`` (n, 4) in pixels, ``scores`` and ``labels`` (n,).
            found: The same of the other run, k boxes.
        """
        self.frames += 1
        self.boxes += len(expected['scores'])
        for label in np.union1d(expected['labels'], found['labels']):
            ours, theirs = (
                {key: run[key][run['labels'] == label] for key in ('bboxes', 'scores')}
                for run in (expected, found)
            )
            gaps = np.abs(ours['bboxes'][:, None] - theirs['bboxes'][None]).max(-1)  # (n, k)
            rows, columns = linear_sum_assignment(gaps)
            self.unpaired += len(ours['scores']) + len(theirs['scores']) - 2 * len(rows)
            if len(rows):
                self.pixels = max(self.pixels, float(gaps[rows, columns].max()))
                scores = np.abs(ours['scores'][rows] - theirs['scores'][columns])
                self.score = max(self.score, float(scores.max()))
