"""Average precision of some images of a COCO file, against pycocotools."""

import json
from contextlib import redirect_stdout
from io import StringIO

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmav.evaluation.coco import coco_average_precision, load_coco


def make_scene(seed: int) -> tuple[dict, list[dict]]:
    """Annotations with crowds, images without any, ids out of order, and detections of equal scores."""
    generator = np.random.default_rng(seed)
    images = [
        dict(id=int(number), file_name=f'{number}.jpg', width=300, height=200)
        for number in generator.permutation(np.arange(5, 65, 3))
    ]
    categories = [dict(id=7, name='car'), dict(id=3, name='truck')]
    annotations, detections = [], []
    for image in images[3:]:  # the others have none
        for _ in range(generator.integers(0, 6)):
            x, y = generator.uniform(0, 200, 2)
            box = [float(value) for value in (x, y, *generator.uniform(5, 90, 2))]
            annotation = dict(
                id=1000 - len(annotations),
                image_id=image['id'],
                category_id=int(generator.choice([3, 7])),
                bbox=box,
                area=box[2] * box[3],
                iscrowd=int(generator.random() < 0.2),
            )
            annotations.append(annotation)
            for _ in range(generator.integers(0, 4)):
                moved = [value + float(generator.normal(0, 4)) for value in box]
                detections.append(
                    dict(
                        image_id=image['id'],
                        category_id=annotation['category_id'],
                        bbox=moved,
                        score=float(generator.integers(1, 8)) / 8,
                    )
                )
    for image in images[:5]:
        detections.append(dict(image_id=image['id'], category_id=3, bbox=[1.0, 1.0, 50.0, 40.0], score=0.5))
    return dict(images=images, annotations=annotations, categories=categories), detections


@pytest.mark.parametrize('seed', range(8))
@pytest.mark.parametrize('cat_ids', [[7, 3], [3]])
def test_is_that_of_pycocotools(tmp_path, seed, cat_ids):
    content, detections = make_scene(seed)
    path = tmp_path / 'truth.json'
    path.write_text(json.dumps(content))
    img_ids = [image['id'] for image in content['images']][: 20 - seed]
    found = coco_average_precision(load_coco(str(path)), detections, cat_ids, img_ids)

    with redirect_stdout(StringIO()):
        truth = COCO(str(path))
        evaluation = COCOeval(truth, truth.loadRes(detections), 'bbox')
        evaluation.params.imgIds, evaluation.params.catIds = img_ids, cat_ids
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval['precision'][:, :, :, 0, 2]  # of all areas, 100 detections
    expected = {}
    for name, values in dict(mAP=precision, mAP_50=precision[0], mAP_75=precision[5]).items():
        expected[name] = 100 * values[values > -1].mean()
    assert found == pytest.approx(expected, abs=1e-9)
    assert 0 < found['mAP'] < 100
