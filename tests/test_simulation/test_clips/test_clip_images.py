from dataclasses import replace

import cv2
import numpy as np
import pytest

from mmav.simulation import make_clip_config, sample_clip
from mmav.simulation.clips.clip_images import render_clip
from mmav.simulation.clips.clip_shapes import SHAPES, shape_in_box


@pytest.mark.parametrize('kind', sorted(SHAPES))
@pytest.mark.parametrize(('angle', 'mirrored'), [(0.0, False), (0.25, True), (-0.2, False)])
def test_outline_fills_its_box(kind, angle, mirrored):
    box = (20.0, 30.0, 150.0, 110.0)
    parts = [points for points, _ in shape_in_box(kind, box, angle, mirrored)]
    points = np.concatenate(parts)
    np.testing.assert_allclose([*points.min(0), *points.max(0)], box, atol=1e-9)
    mask = np.zeros((140, 180), np.uint8)
    for part in parts:
        cv2.fillPoly(mask, [np.rint(part).astype(np.int32)], 1)
    # a large part of the box: a detector finds something in it
    assert mask.sum() > 0.35 * (box[2] - box[0]) * (box[3] - box[1])


def test_mirrored_is_mirrored():
    box = (-1.0, -1.0, 1.0, 1.0)
    plain, mirrored = (
        np.concatenate([p for p, _ in shape_in_box('bird', box, 0.0, m)]) for m in (False, True)
    )
    np.testing.assert_allclose(mirrored, plain * [-1, 1], atol=1e-9)


def test_things_are_painted_in_their_boxes_and_nowhere_else():
    config = make_clip_config('default')
    scene = next(s for s in (sample_clip(config, 'train', i) for i in range(20)) if len(s.things) == 2)
    width, height = scene.size
    inside = np.zeros((height, width), bool)
    for thing in scene.things:
        x1, y1, x2, y2 = thing.box
        inside[int(y1 * height) - 1 : int(y2 * height) + 2, int(x1 * width) - 1 : int(x2 * width) + 2] = True
    image, recolored = (
        render_clip(s).astype(int)
        for s in (
            scene,
            replace(scene, things=tuple(replace(t, hue=(t.hue + 0.5) % 1) for t in scene.things)),
        )
    )
    assert image.shape == (height, width, 3)
    differing = np.abs(image - recolored).max(2) > 40
    assert differing[inside].mean() > 0.2 and not differing[~inside].any()


def test_same_scene_same_image():
    scene = sample_clip(make_clip_config('small'), 'train', 5)
    np.testing.assert_array_equal(render_clip(scene), render_clip(scene))
    assert (render_clip(scene) != render_clip(replace(scene, seed=scene.seed + 1))).mean() > 0.5
