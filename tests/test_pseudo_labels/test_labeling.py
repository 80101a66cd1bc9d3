"""How frames are shared among processes, and what is refused."""

import pytest
import torch
from mmengine.structures import InstanceData

from mmav.pseudo_labels.labeling import LabelRules, cut_batches, label_batches


@pytest.mark.parametrize('world_size', [1, 2, 3, 5, 20])
def test_every_frame_is_labeled_once_beside_the_same_neighbors(world_size):
    todo = [i for i in range(40) if i not in (3, 17)]  # two have human labels
    whole = {tuple(batch) for batch in cut_batches(todo, (), 4)}
    # a run of some processes is stopped in the middle of its batches, and another number goes on
    first = cut_batches(todo, (), 4)
    done = {i for rank in range(3) for batch in first[rank::3][: rank + 1] for i in batch}
    left = cut_batches(todo, done, 4)
    shares = [left[rank::world_size] for rank in range(world_size)]
    batches = [tuple(batch) for share in shares for batch in share]
    assert sorted(i for batch in batches for i in batch) == sorted(set(todo) - done)
    assert set(batches) <= whole
    sizes = [len(share) for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_another_batch_size_leaves_out_what_is_done():
    assert cut_batches([0, 1, 2, 3, 4, 5, 6], {0, 1, 4}, 3) == [[2], [3, 5], [6]]
    assert cut_batches([0, 1], {0, 1}, 1) == []


class Stub:
    """A teacher that finds one box in each frame, in frames of its own size."""

    def __init__(self, modality, size):
        self.modality, self.size = modality, size
        self.dataset = [dict(index=index) for index in range(4)]

    def predict(self, batch, targets, class_map):
        box = InstanceData(
            bboxes=torch.tensor([[1.0, 2.0, 21.0, 12.0]]),
            scores=torch.tensor([0.5]),
            labels=torch.tensor([0]),
        )
        return [(box, self.size) for _ in batch['index']]


def test_batches_keep_their_positions():
    images = [dict(file_name=f'{i}.png') for i in range(4)]
    teachers = [Stub('rgb', (30, 40)), Stub('depth', (30, 40))]
    results = list(label_batches(teachers, images, [[3, 0], [2]], ['vehicle'], LabelRules()))
    assert [list(batch) for batch in results] == [[3, 0], [2]]
    frame = results[0][3]
    assert frame['image'] == dict(file_name='3.png', height=30, width=40)
    # both see it: the first one's box is kept, and each is confirmed by the other
    assert frame['bboxes'] == [[1.0, 2.0, 21.0, 12.0]] and frame['modality_ids'] == [0]
    assert frame['agreement'] == [[1, 1], [1, 1]]


def test_teachers_that_see_other_crops_are_refused():
    teachers = [Stub('rgb', (30, 40)), Stub('depth', (30, 60))]
    images = [dict(file_name='a/0.png')]
    with pytest.raises(ValueError, match=r"a/0\.png: .*'depth': \(30, 60\).*crop alike"):
        list(label_batches(teachers, images, [[0]], ['vehicle'], LabelRules()))
