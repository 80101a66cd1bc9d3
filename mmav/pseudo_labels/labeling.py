"""Labeling frames with visual teachers, by any number of processes, each of which may be stopped.

The frames are cut into batches by their positions, before any process takes its share, and a shard holds
whole batches: a frame meets the same neighbors, and so gets the same boxes to the last bit, whoever labels
it and however often the run was stopped.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader
from tqdm import tqdm

from mmav.utils.run_parameters import ResultShards

from .pseudo_labels import count_agreement, fuse_predictions
from .visual_teachers import Teacher


@dataclass
class LabelRules:
    """How teachers' boxes become labels; see :func:`mmav.pseudo_labels.pseudo_labels.fuse_predictions`.

    Attributes:
        score_thr: Least score of a box.
        nms_iou: IoU above which the weaker of two boxes goes.
        min_size: Least width and height in pixels.
        class_map: Teacher's class name to label's name; empty: names stay.
    """

    score_thr: float = 0.3
    nms_iou: float = 0.5
    min_size: float = 1.0
    class_map: Mapping[str, str] = field(default_factory=dict)

    def parameters(self) -> dict:
        """The rules as json can hold them."""
        return asdict(self)


def cut_batches(todo: Sequence[int], done: Container[int], batch_size: int) -> list[list[int]]:
    """Cut the positions of frames, ``todo``, into batches and leave out those that are done."""
    batches = (todo[start : start + batch_size] for start in range(0, len(todo), batch_size))
    left = ([position for position in batch if position not in done] for batch in batches)
    return [batch for batch in left if batch]


def label_batches(
    teachers: Sequence[Teacher],
    images: Sequence[Mapping],
    batches: Sequence[list[int]],
    classes: Sequence[str],
    rules: LabelRules,
    num_workers: int = 0,
) -> Iterable[dict[int, dict]]:
    """Label batches of frames, one after the other; see :func:`fuse_predictions` and :func:`count_agreement`.

    Args:
        teachers: The teachers.
        images: COCO image entries of all frames.
        batches: Positions of the frames of each batch.
        classes: Class names of the labels.
        rules: Thresholds and names.
        num_workers: Loading processes of each teacher.

    Yields:
        Labels of a batch by position, as :func:`build_coco` takes them, with ``agreement``.

    Raises:
        ValueError: If the teachers see frames of different sizes.
    """
    loaders = [
        DataLoader(teacher.dataset, batch_sampler=batches, num_workers=num_workers, collate_fn=pseudo_collate)
        for teacher in teachers
    ]
    for positions, *loaded in zip(batches, *loaders):
        results = [t.predict(batch, classes, rules.class_map) for t, batch in zip(teachers, loaded)]
        modalities = [teacher.modality for teacher in teachers]
        yield {
            position: _label_frame(images[position], dict(zip(modalities, found)), rules)
            for position, found in zip(positions, zip(*results))
        }


def _label_frame(image: Mapping, found: Mapping[str, tuple], rules: LabelRules) -> dict:
    """Fuse (boxes, (height, width)) by modality."""
    sizes = {modality: size for modality, (_, size) in found.items()}
    if len(set(sizes.values())) > 1:
        raise ValueError(
            f'{image["file_name"]}: the teachers see frames of different (height, width), '
            f'{sizes}: their pipelines must crop alike'
        )
    predictions = {modality: boxes for modality, (boxes, _) in found.items()}
    limits = dict(score_thr=rules.score_thr, min_size=rules.min_size)
    fused = fuse_predictions(predictions, nms_iou=rules.nms_iou, **limits)
    height, width = next(iter(sizes.values()))
    return dict(
        image=dict(image, height=height, width=width),
        bboxes=[[round(v, 2) for v in box] for box in fused.bboxes.tolist()],
        scores=[round(score, 4) for score in fused.scores.tolist()],
        labels=fused.labels.tolist(),
        modality_ids=fused.modality_ids.tolist(),
        agreement=count_agreement(predictions, **limits).tolist(),
    )


def write_shards(
    labeled: Iterable[Mapping[int, dict]], shards: ResultShards, shard_frames: int, progress: tqdm
) -> None:
    """Keep labels of one batch after the other, in shards of whole batches of at least ``shard_frames``."""
    fresh: dict[int, dict] = {}
    for batch in labeled:
        fresh.update(batch)
        progress.update(len(batch))
        if len(fresh) >= shard_frames:
            shards.write(fresh)
            fresh = {}
    shards.write(fresh)
