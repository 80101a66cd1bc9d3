"""COCO annotation files of boxes, read and checked as a whole."""

from collections.abc import Hashable, Mapping, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from mmdet.datasets.api_wrappers import COCO

from mmav.utils.errors import SampleError
from mmav.utils.readers import read_json

_LISTS = {
    'images': 'the frames',
    'annotations': 'the boxes; an empty list says that nothing is labeled',
    'categories': 'the classes',
}


def read_coco(path: str, backend_args: dict | None = None, source: str | None = None) -> dict[str, Any]:
    """Read a COCO annotation file, and refuse what evaluation or training would misread.

    ``iscrowd`` and ``area`` that an annotation lacks are 0 and the area of its box. An annotation of the id
    0, which COCO's evaluation takes for none, gets the next one that is free.

    Args:
        path: The file, or an address that one of mmengine's file backends reads.
        backend_args: Arguments of the backend.
        source: What messages call the file, where ``path`` is a copy of it. Defaults to the path.

    Returns:
        Its content.

    Raises:
        SampleError: It is no such file; two images, categories or annotations have the same id, two images
            the same frame, two categories the same name; an annotation is of an image or a category that is
            not listed, its box is no box, or its ``track_id`` no integer.
    """
    try:
        content = read_json(path, backend_args)
    except SampleError as error:
        if source is None:
            raise
        raise SampleError(source, error.reason) from error
    path = path if source is None else source
    if not isinstance(content, dict):
        raise SampleError(path, f'is no COCO file: it holds a {type(content).__name__}')
    for key, what in _LISTS.items():
        items = content.get(key)
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            raise SampleError(path, f'is no COCO file of boxes: it has no list {key!r} of objects ({what})')
        _check_ids(path, key, items)
    _check_unique(
        path, 'categories', 'name', content['categories'], [c.get('name') for c in content['categories']]
    )
    _check_unique(path, 'images', 'frame', content['images'], [_frame(image) for image in content['images']])
    images = {image['id'] for image in content['images']}
    categories = {category['id'] for category in content['categories']}
    for annotation in content['annotations']:
        reason = _annotation_error(annotation, images, categories)
        if reason is not None:
            raise SampleError(f'{path}, annotation {annotation["id"]}', reason)
        annotation.setdefault('iscrowd', 0)
        if annotation.get('area') is None:
            annotation['area'] = annotation['bbox'][2] * annotation['bbox'][3]
    for annotation in content['annotations']:
        if annotation['id'] == 0:
            annotation['id'] = 1 + max(int(other['id']) for other in content['annotations'])
    return content


def _frame(image: Mapping[str, Any]) -> Hashable:
    if image.get('drive') is not None and image.get('frame_id') is not None:
        return f'{image["drive"]}/{image["frame_id"]}'
    return image.get('file_name')


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_ids(path: str, key: str, items: Sequence[Mapping[str, Any]]) -> None:
    for number, item in enumerate(items):
        if not _is_number(item.get('id')):
            raise SampleError(f'{path}, {key}[{number}]', f'its id must be a number, got {item.get("id")!r}')
    _check_unique(path, key, 'id', items, [item['id'] for item in items])


def _check_unique(
    path: str, key: str, what: str, items: Sequence[Mapping[str, Any]], values: Sequence[Hashable]
) -> None:
    first: dict[Hashable, int] = {}
    for number, value in enumerate(values):
        if value is None or not isinstance(value, (str, int, float)):
            raise SampleError(f'{path}, {key}[{number}]', f'has no {what}')
        if value in first:
            raise SampleError(
                path,
                f'{key}[{first[value]}] and {key}[{number}] have the same {what}, {value!r} (ids '
                f'{items[first[value]]["id"]} and {items[number]["id"]}): were files merged without new ids?',
            )
        first[value] = number


def _annotation_error(annotation: Mapping[str, Any], images: set, categories: set) -> str | None:
    for key, known, what in (
        ('image_id', images, 'images'),
        ('category_id', categories, 'categories'),
    ):
        value = annotation.get(key)
        if not _is_number(value) or value not in known:
            return f'its {key} is {value!r}, which is the id of none of the {what}'
    box = annotation.get('bbox')
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        return f'its bbox {box} is not [x, y, width, height]'
    track = annotation.get('track_id')
    if track is not None and not (_is_number(track) and float(track).is_integer()):
        return f'its track_id {track!r} is no integer'
    return None


class CheckedCOCO(COCO):
    """MMDetection's ``COCO`` of a file that :func:`read_coco` accepts.

    Args:
        annotation_file: Path of the file. None: nothing is read.
        source: As of :func:`read_coco`.
    """

    def __init__(self, annotation_file: str | None = None, source: str | None = None) -> None:
        super().__init__()
        if annotation_file is not None:
            self.dataset = read_coco(annotation_file, source=source)
            with redirect_stdout(StringIO()):
                self.createIndex()
            self.img_ann_map, self.cat_img_map = self.imgToAnns, self.catToImgs

    def get_cat_ids(
        self, cat_names: Sequence[str] = (), sup_names: Sequence[str] = (), cat_ids: Sequence[int] = ()
    ) -> list[int]:
        """Ids of categories, in the order of the names where these are given, as labels are.

        Args:
            cat_names: Names of categories; those that the file does not have are left out.
            sup_names: Names of their groups.
            cat_ids: Ids to choose from.
        """
        if not cat_names or sup_names or cat_ids:
            return super().get_cat_ids(list(cat_names), list(sup_names), list(cat_ids))
        ids = {category['name']: category['id'] for category in self.dataset['categories']}
        return [ids[name] for name in cat_names if name in ids]
