from collections import Counter
from itertools import combinations

import numpy as np
import pytest

from mmav.simulation import CLIP_PRESETS, make_clip_config, sample_clip
from mmav.simulation.clips.clip_shapes import SHAPES
from mmav.simulation.clips.clip_sounds import SOUNDS
from mmav.simulation.clips.clips import KINDS, SPLITS

CONFIG = make_clip_config('default', seed=3)


@pytest.fixture(scope='module')
def scenes():
    return {split: [sample_clip(CONFIG, split, index) for index in range(600)] for split in SPLITS}


def area(box):
    return (box[2] - box[0]) * (box[3] - box[1])


def test_each_kind_can_be_seen_and_heard():
    assert set(KINDS) == set(SHAPES) == set(SOUNDS)


def test_a_clip_depends_on_its_number_alone(scenes):
    assert sample_clip(CONFIG, 'val', 17) == scenes['val'][17]
    assert sample_clip(make_clip_config('default', seed=4), 'val', 17) != scenes['val'][17]


def test_names_are_the_published_ones_and_differ(scenes):
    stems = [scene.stem for split in SPLITS for scene in scenes[split]]
    assert len(set(stems)) == len(stems)
    for stem in stems:
        video, start = stem.rsplit('_', 1)
        assert len(video) == 11 and len(start) == 6 and start.isdigit()


def test_shares(scenes):
    """Within four standard deviations of what the configuration asks for, over 1,800 clips."""
    drawn = [scene for split in ('train', 'val', 'test') for scene in scenes[split]]
    two = [scene for scene in drawn if len(scene.things) == 2]
    offscreen = [scene for scene in drawn if scene.offscreen]
    seen_two = [scene for scene in two if not scene.offscreen]
    several = [scene for scene in seen_two if all(thing.sounding for thing in scene.things)]
    for part, whole, share in ((two, drawn, 0.6), (offscreen, drawn, 0.1), (several, seen_two, 0.25)):
        sigma = np.sqrt(share * (1 - share) / len(whole))
        assert abs(len(part) / len(whole) - share) < 4 * sigma
    counts = Counter(scene.kind for scene in drawn)
    assert set(counts) == set(KINDS) and min(counts.values()) > 0.7 * len(drawn) / len(KINDS)


def test_flags_say_what_sounds(scenes):
    for scene in scenes['train']:
        for thing in scene.things:
            assert thing.sounding == (thing.kind == scene.kind)
        assert scene.offscreen == (scene.kind not in [thing.kind for thing in scene.things])


def test_boxes_lie_in_the_image_apart_from_each_other_and_are_large_enough(scenes):
    for scene in scenes['test']:
        for thing in scene.things:
            x1, y1, x2, y2 = thing.box
            assert 0 <= x1 < x2 <= 1 and 0 <= y1 < y2 <= 1
            if len(scene.things) == 1:
                assert 0.299 < area(thing.box) < 0.501
            assert area(thing.box) > 0.24
        for a, b in combinations([thing.box for thing in scene.things], 2):
            assert min(a[2], b[2]) <= max(a[0], b[0]) or min(a[3], b[3]) <= max(a[1], b[1])


def test_neither_size_nor_place_tells_what_sounds(scenes):
    drawn = [scene for split in ('train', 'val', 'test') for scene in scenes[split]]
    pairs = [s.things for s in drawn if len(s.things) == 2 and s.things[0].sounding != s.things[1].sounding]
    larger = np.mean(
        [area(a.box) > area(b.box) if a.sounding else area(b.box) > area(a.box) for a, b in pairs]
    )
    first = np.mean([a.sounding for a, _ in pairs])
    for share in (larger, first):
        assert abs(share - 0.5) < 4 * 0.5 / np.sqrt(len(pairs))


def test_clips_for_teachers_show_what_is_heard_alone(scenes):
    assert all(len(scene.things) == 1 and scene.things[0].sounding for scene in scenes['teachers'])


def test_extreme_shares():
    config = make_clip_config('default', two_share=1.0, several_share=1.0, offscreen_share=0.0)
    assert all(all(t.sounding for t in sample_clip(config, 'train', i).things) for i in range(40))
    config = make_clip_config('default', two_share=0.0, offscreen_share=1.0, kinds=('bell', 'bird', 'drum'))
    drawn = [sample_clip(config, 'train', i) for i in range(40)]
    assert all(scene.offscreen and len(scene.things) == 1 for scene in drawn)
    assert {scene.kind for scene in drawn} == {'bell', 'bird', 'drum'}


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('kinds', ('bell', 'bird')),
        ('kinds', ('bell', 'bird', 'cat')),
        ('area', (0.5, 0.3)),
        ('two_share', 1.5),
        ('clips', (0, 0, 0, 0)),
        ('audio_ext', 'mp3'),
        ('snr', (9, 3)),
        ('duration', 0.1),
    ],
)
def test_bad_values_are_named(name, value):
    with pytest.raises(ValueError, match=f'simulation parameter {name} = .* is out of its range'):
        make_clip_config('default', **{name: value})


def test_unknown_names():
    with pytest.raises(ValueError, match='preset must be one of'):
        make_clip_config('huge')
    with pytest.raises(ValueError, match='colors'):
        make_clip_config('small', colors=3)
    assert CLIP_PRESETS['small'].duration == 1.0
