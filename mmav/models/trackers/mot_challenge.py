"""Tracks as a text file of the MOTChallenge benchmarks."""

from collections.abc import Iterable

import numpy as np


def mot_challenge_text(frames: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> str:
    """The tracks of one sequence as MOTChallenge's lines ``frame,id,x,y,w,h,score,-1,-1,-1``.

    Frames are counted from 1, and so are pixels, as the format has it: the first column of pixels begins at x
    = 1 there and at 0 here. ``frames`` are in order of time: ids (n,), from 1, boxes (n, 4) as x1, y1, x2, y2
    in pixels, and scores (n,). ValueError for an id below 1, or twice in a frame.

    Source: https://motchallenge.net/instructions/.
    """
    lines = []
    for number, (ids, bboxes, scores) in enumerate(frames, 1):
        ids = np.asarray(ids)
        if len(np.unique(ids)) < len(ids) or (ids < 1).any():
            raise ValueError(f'frame {number}: ids must differ and be at least 1, got {ids.tolist()}')
        for place in np.argsort(ids):
            x1, y1, x2, y2 = (float(value) for value in bboxes[place])
            box = f'{x1 + 1:.2f},{y1 + 1:.2f},{x2 - x1:.2f},{y2 - y1:.2f}'
            lines.append(f'{number},{ids[place]},{box},{float(scores[place]):.4f},-1,-1,-1\n')
    return ''.join(lines)
