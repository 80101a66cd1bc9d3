"""Fusion of teachers' boxes: a case worked by hand, a plain loop, and mmcv's NMS."""

import json

import numpy as np
import pytest
import torch
from mmcv.ops import batched_nms
from mmengine.structures import InstanceData
from pycocotools.coco import COCO

from mmav.pseudo_labels.pseudo_labels import (
    build_coco,
    count_agreement,
    count_boxes,
    format_statistics,
    fuse_predictions,
    map_labels,
    merge_labels,
)


def boxes(rows):
    """Boxes from rows (x1, y1, x2, y2, score, label)."""
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return InstanceData(bboxes=table[:, :4], scores=table[:, 4], labels=table[:, 5].long())


def random_boxes(generator, count, num_classes=2):
    corners = torch.rand(count, 2, generator=generator) * 60
    sides = torch.rand(count, 2, generator=generator) * 40 + 1.5
    return InstanceData(
        bboxes=torch.cat([corners, corners + sides], dim=1),
        scores=torch.rand(count, generator=generator),
        labels=torch.randint(num_classes, (count,), generator=generator),
    )


@pytest.fixture
def worked():
    """Two teachers whose fusion is worked out by hand in the tests."""
    rgb = boxes(
        [
            (0, 0, 100, 100, 0.9, 0),  # A
            (200, 0, 300, 100, 0.4, 0),  # B
            (400, 0, 500, 100, 0.25, 0),  # below the threshold
        ]
    )
    thermal = boxes(
        [
            (0, 0, 100, 60, 0.8, 0),  # D: IoU with A is 0.6, so A suppresses it
            (200, 0, 300, 50, 0.5, 0),  # E: IoU with B is exactly 0.5, which does not suppress
            (0, 0, 100, 100, 0.7, 1),  # F: A's place, another class
            (600, 0, 600.5, 90, 0.9, 0),  # half a pixel wide
        ]
    )
    return dict(rgb=rgb, thermal=thermal)


def test_fusion_worked_by_hand(worked):
    fused = fuse_predictions(worked, score_thr=0.3, nms_iou=0.5)
    expected = [[0, 0, 100, 100], [0, 0, 100, 100], [200, 0, 300, 50], [200, 0, 300, 100]]
    assert fused.bboxes.tolist() == expected
    assert fused.scores.tolist() == pytest.approx([0.9, 0.7, 0.5, 0.4])
    assert fused.labels.tolist() == [0, 1, 0, 0]
    assert fused.modality_ids.tolist() == [0, 1, 1, 0]


def test_a_score_equal_to_the_threshold_stays():
    assert len(fuse_predictions(dict(rgb=boxes([(0, 0, 9, 9, 0.5, 0)])), score_thr=0.5)) == 1
    assert len(fuse_predictions(dict(rgb=boxes([(0, 0, 9, 9, 0.5, 0)])), score_thr=0.51)) == 0


def test_between_equal_scores_the_first_modality_wins():
    same = boxes([(0, 0, 9, 9, 0.5, 0)])
    assert fuse_predictions(dict(rgb=same, thermal=same)).modality_ids.tolist() == [0]


def test_agreement_worked_by_hand(worked):
    # A with D (0.6) and B with E (0.5, which agrees); F has no partner of its class
    assert count_agreement(worked).tolist() == [[2, 2], [2, 3]]
    assert count_agreement(worked, iou_thr=0.55).tolist() == [[2, 1], [1, 3]]


def fuse_by_loop(predictions, score_thr, nms_iou):
    """Greedy class-wise suppression, written as its definition."""
    rows = [
        (score, -number, label, box, modality)
        for modality, found in enumerate(predictions.values())
        for number, (box, score, label) in enumerate(
            zip(found.bboxes.tolist(), found.scores.tolist(), found.labels.tolist())
        )
        if score >= score_thr
    ]
    kept = []
    for row in sorted(rows, reverse=True):
        if all(row[2] != other[2] or iou(row[3], other[3]) <= nms_iou for other in kept):
            kept.append(row)
    return kept


def iou(first, second):
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(b[2] - b[0]) * (b[3] - b[1]) for b in (first, second)]
    return shared / (sum(areas) - shared)


@pytest.mark.parametrize('seed', range(4))
def test_fusion_equals_plain_loop_and_mmcv(seed):
    generator = torch.Generator().manual_seed(seed)
    predictions = {name: random_boxes(generator, 30) for name in ('rgb', 'thermal', 'depth')}
    fused = fuse_predictions(predictions, score_thr=0.3, nms_iou=0.4)

    kept = fuse_by_loop(predictions, 0.3, 0.4)
    assert 5 < len(kept) < 60
    np.testing.assert_allclose(fused.bboxes, [row[3] for row in kept])
    assert fused.modality_ids.tolist() == [row[4] for row in kept]

    together = InstanceData.cat(list(predictions.values()))
    together = together[together.scores >= 0.3]
    dets, _ = batched_nms(together.bboxes, together.scores, together.labels, dict(iou_threshold=0.4))
    torch.testing.assert_close(torch.cat([fused.bboxes, fused.scores[:, None]], dim=1), dets)


def test_one_teacher_without_overlaps_keeps_its_boxes():
    rows = [(20 * i, 0, 20 * i + 10, 10, 0.9 - 0.1 * i, 0) for i in range(4)]
    torch.testing.assert_close(fuse_predictions(dict(rgb=boxes(rows))).bboxes, boxes(rows).bboxes)


def test_half_precision_gives_the_same_choice(worked):
    halves = {
        name: InstanceData(bboxes=found.bboxes.half(), scores=found.scores.half(), labels=found.labels)
        for name, found in worked.items()
    }
    fused = fuse_predictions(halves)
    assert fused.bboxes.dtype == torch.float32
    assert fused.modality_ids.tolist() == fuse_predictions(worked).modality_ids.tolist()


def test_no_boxes_at_all():
    empty = dict(rgb=boxes([]), thermal=boxes([]))
    fused = fuse_predictions(empty)
    assert len(fused.bboxes) == 0 and fused.bboxes.shape == (0, 4)
    assert count_agreement(empty).tolist() == [[0, 0], [0, 0]]


def test_bad_teachers_are_refused():
    with pytest.raises(ValueError, match='at least one teacher'):
        fuse_predictions({})
    with pytest.raises(ValueError, match='not finite'):
        fuse_predictions(dict(rgb=boxes([(0, 0, float('nan'), 9, 0.5, 0)])))


def test_labels_are_mapped_by_class_name():
    found = boxes([(0, 0, 9, 9, 0.9, 0), (0, 0, 9, 9, 0.8, 1), (0, 0, 9, 9, 0.7, 2)])
    mapped = map_labels(found, ['person', 'car', 'truck'], ['vehicle'], dict(car='vehicle', truck='vehicle'))
    assert mapped.scores.tolist() == pytest.approx([0.8, 0.7])
    assert mapped.labels.tolist() == [0, 0]
    same = map_labels(found, ['a', 'b', 'c'], ['c', 'b', 'a'], {})
    assert same.labels.tolist() == [2, 1, 0]


def frame(name, rows, **image):
    table = np.array(rows, dtype=float).reshape(-1, 6)
    return dict(
        image=dict(file_name=name, width=100, height=50, **image),
        bboxes=table[:, :4].tolist(),
        scores=table[:, 4].tolist(),
        labels=table[:, 5].astype(int).tolist(),
        modality_ids=[0] * len(table),
        agreement=[[len(table)]],
    )


def load_coco(content, tmp_path):
    file = tmp_path / 'labels.json'
    file.write_text(json.dumps(content))
    return COCO(str(file))


def test_coco_json_loads_with_pycocotools(tmp_path):
    frames = [
        frame('d/fl_rgb/fl_rgb_1.jpg', [(1, 2, 11, 22, 0.9, 0), (5, 5, 9, 9, 0.4, 1)], drive='d'),
        frame('d/fl_rgb/fl_rgb_2.jpg', []),
    ]
    coco = load_coco(build_coco(frames, ['vehicle', 'bicycle'], ['rgb'], info=dict(version=1)), tmp_path)
    assert coco.getImgIds() == [1, 2]
    assert coco.loadImgs(1)[0]['drive'] == 'd'
    assert [c['name'] for c in coco.loadCats(coco.getCatIds())] == ['vehicle', 'bicycle']
    first, second = coco.loadAnns(coco.getAnnIds(imgIds=1))
    assert first['bbox'] == [1, 2, 10, 20] and first['area'] == 200 and first['category_id'] == 1
    assert (second['score'], second['modality'], second['category_id']) == (0.4, 'rgb', 2)
    assert coco.getAnnIds(imgIds=2) == []


def test_a_box_of_one_pixel_stays_one_pixel():
    # in binary, 101.02 - 100.02 is a little less than 1, which data sets refuse as degenerate
    content = build_coco([frame('1.jpg', [(100.02, 0.0, 101.02, 5.1, 0.5, 0)])], ['vehicle'], ['rgb'])
    assert content['annotations'][0]['bbox'] == [100.02, 0.0, 1.0, 5.1]


def test_empty_frames_can_be_left_out():
    frames = [frame('1.jpg', []), frame('2.jpg', [(0, 0, 9, 9, 0.5, 0)])]
    coco = build_coco(frames, ['vehicle'], ['rgb'], keep_empty=False)
    assert [(image['id'], image['file_name']) for image in coco['images']] == [(1, '2.jpg')]
    assert coco['annotations'][0]['image_id'] == 1


def test_human_labels_win(tmp_path):
    pseudo = build_coco(
        [frame('a.jpg', [(0, 0, 9, 9, 0.5, 0)]), frame('b.jpg', [(1, 1, 9, 9, 0.6, 0)]), frame('c.jpg', [])],
        ['vehicle'],
        ['rgb'],
        info=dict(description='by teachers'),
    )
    human = dict(
        categories=[dict(id=3, name='bicycle'), dict(id=7, name='vehicle')],
        images=[dict(id=40, file_name='a.jpg', width=100, height=50), dict(id=2, file_name='z.jpg')],
        annotations=[
            dict(id=9, image_id=40, category_id=7, bbox=[2, 2, 4, 4], area=16, iscrowd=0, distance=12.0)
        ],
    )
    coco = load_coco(merge_labels(human, pseudo), tmp_path)
    images = {image['file_name']: image['id'] for image in coco.loadImgs(coco.getImgIds())}
    assert images == {'a.jpg': 1, 'z.jpg': 2, 'b.jpg': 3, 'c.jpg': 4}
    (mine,) = coco.loadAnns(coco.getAnnIds(imgIds=1))
    assert mine['bbox'] == [2, 2, 4, 4] and mine['distance'] == 12.0 and 'score' not in mine
    (taught,) = coco.loadAnns(coco.getAnnIds(imgIds=3))
    assert taught['score'] == 0.6 and taught['category_id'] == 7
    assert len(coco.anns) == 2


def test_merging_refuses_unknown_classes():
    human = dict(categories=[dict(id=1, name='vehicle')], images=[], annotations=[])
    with pytest.raises(ValueError, match=r"\['car'\].*\['vehicle'\]"):
        merge_labels(human, build_coco([frame('a.jpg', [])], ['car'], ['rgb']))


def test_statistics_worked_by_hand(worked):
    fused = fuse_predictions(worked)
    labeled = dict(
        bboxes=fused.bboxes.tolist(),
        modality_ids=fused.modality_ids.tolist(),
        agreement=count_agreement(worked).tolist(),
    )
    empty = dict(bboxes=[], modality_ids=[], agreement=[[0, 0], [0, 0]])
    counts = count_boxes([labeled, empty], ['rgb', 'thermal'])
    assert (counts['frames'], counts['boxes'], counts['frames_without_boxes']) == (2, 4, 1)
    assert counts['modalities']['rgb'] == dict(found=2, kept=2, suppressed=0, also_seen_by=dict(thermal=2))
    assert counts['modalities']['thermal'] == dict(found=3, kept=2, suppressed=1, also_seen_by=dict(rgb=2))
    lines = format_statistics(counts)
    assert 'thermal: found 3, kept 2, suppressed 1, 66.7 % also seen by rgb' in lines
    assert count_boxes([], ['rgb'])['modalities']['rgb']['found'] == 0
