"""What the ground truth says of detections: vehicles close together, and what could be known at most.

Shapes: N vehicles, D numbers known of each.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from mmengine.fileio import load
from sklearn.ensemble import ExtraTreesRegressor

from mmav.evaluation import evaluate_detections
from mmav.evaluation.coco import coco_average_precision, load_coco

ANGLES = (0.0, 5.0, 10.0, 20.0, 180.0)  # degrees
KINDS = ('car', 'truck', 'motorcycle')


def precision_by_angle(detections: Path, truth: Path, edges: Sequence[float] = ANGLES) -> dict[str, float]:
    """Average precision over frames of one vehicle, and of two by the angle between them.

    Args:
        detections: COCO results.
        truth: COCO json with the vehicles' ``azimuth`` in degrees.
        edges: Of the bins, in degrees.

    Returns:
        ``alone/mAP_50`` and ``pairs/<low>-<high>/mAP_50`` in percent, and the numbers of frames
        ``.../frames``.
    """
    coco, found = load_coco(str(truth)), load(detections)
    bins = {'alone': [], **{f'pairs/{low:g}-{high:g}': [] for low, high in pairwise(edges)}}
    for image_id in coco.get_img_ids():
        azimuths = [ann['azimuth'] for ann in coco.load_anns(coco.get_ann_ids(img_ids=[image_id]))]
        if len(azimuths) == 1:
            bins['alone'].append(image_id)
        elif len(azimuths) == 2:
            angle = abs(azimuths[0] - azimuths[1])
            for low, high in pairwise(edges):
                if low <= angle < high:
                    bins[f'pairs/{low:g}-{high:g}'].append(image_id)
    results = {}
    for name, images in bins.items():
        results[f'{name}/frames'] = len(images)
        if images:
            precision = coco_average_precision(coco, found, coco.get_cat_ids(), images)
            results[f'{name}/mAP_50'] = precision['mAP_50']
    return results


def known_at_most(train: Path, test: Path, known: Sequence[str], seed: int = 0) -> dict[str, float]:
    """Average precision of boxes regressed from what one could know of each vehicle, one box a true vehicle.

    Args:
        train: COCO json to regress from.
        test: COCO json to test on.
        known: Of 'azimuth', 'distance', 'kind' and 'motion' (the azimuth's and distance's change from the
            drive's last to its next frame, per second: the heading and speed).
        seed: Of the trees, and of the errors.

    Returns:
        As :class:`mmav.evaluation.MAVDMetric`.
    """
    trees = ExtraTreesRegressor(300, min_samples_leaf=2, random_state=seed, n_jobs=1)
    inputs, boxes, _ = _vehicles(train, known)
    trees.fit(inputs, boxes)
    inputs, _, image_ids = _vehicles(test, known)
    found = trees.predict(inputs)
    predictions = []
    for image in load(test)['images']:
        own = found[image_ids == image['id']]
        score_and_label = np.tile([1.0, 0.0], (len(own), 1))
        predictions.append(np.hstack([own, score_and_label]))
    return evaluate_detections(str(test), predictions)


def _vehicles(path: Path, known: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What is known (N, D), boxes (N, 4) x1, y1, x2, y2, and their images' ids (N,)."""
    truth = load(path)
    images = {image['id']: image for image in truth['images']}
    tracks: dict[tuple, list] = {}
    for ann in truth['annotations']:
        image = images[ann['image_id']]
        tracks.setdefault((image['drive'], ann['track_id']), []).append((image['timestamp'], ann))
    rows, boxes, ids = [], [], []
    for track in tracks.values():
        track.sort(key=lambda place: place[0])
        for index, (_, ann) in enumerate(track):
            (before, first), (after, last) = track[max(index - 1, 0)], track[min(index + 1, len(track) - 1)]
            seconds = max(after - before, 1e-3)
            values = dict(
                azimuth=[ann['azimuth']],
                distance=[ann['distance']],
                kind=[float(ann['kind'] == kind) for kind in KINDS],
                motion=[(last[key] - first[key]) / seconds for key in ('azimuth', 'distance')],
            )
            rows.append([value for key in known for value in values[key]])
            x, y, w, h = ann['bbox']
            boxes.append([x, y, x + w, y + h])
            ids.append(ann['image_id'])
    return np.array(rows), np.array(boxes), np.array(ids)
