import numpy as np
import pytest

from mmav.datasets import FlickrSoundNetDataset, SampleError
from mmav.datasets.localization_map import localization_map

STEMS = ['aaaaaaaaaaa_000010', 'bbbbbbbbbbb_000020', 'ccccccccccc_000030']


def xml(*annotators):
    """The published form: a box is an element with its number first, then its corners."""
    text = ''
    for boxes in annotators:
        text += '<annotator>'
        for number, box in enumerate(boxes):
            names = zip(('xmin', 'ymin', 'xmax', 'ymax'), box)
            corners = ''.join(f'<{name}>{value}</{name}>' for name, value in names)
            text += f'<bbox><id>{number}</id>{corners}</bbox>'
        text += '</annotator>'
    return f'<annotations>{text}</annotations>'


def load(clips, **kwargs):
    return FlickrSoundNetDataset(data_root=str(clips.root), pipeline=[], serialize_data=False, **kwargs)


def test_boxes_of_several_annotators(clips):
    clips.write(f'Annotations/{STEMS[0]}.xml', xml([(0, 64, 128, 256)], [(32, 64, 256, 256), (0, 0, 16, 16)]))
    clips.write(f'Annotations/{STEMS[1]}.xml', xml([(10, 20, 10, 40)], []))
    clips.write('Annotations/further.xml', 'of a clip that is not listed')
    dataset = load(clips, split_file=clips.write('flickr_test.csv', '\n'.join([*STEMS, 'gone'])))
    assert len(dataset) == 2
    assert dataset.left_out == {'without an image': 1, 'without an annotation': 1, 'boxes without area': 1}
    sample = dataset[0]
    expected = [[0, 0.25, 0.5, 1], [0.125, 0.25, 1, 1], [0, 0, 0.0625, 0.0625]]
    np.testing.assert_array_equal(sample['gt_boxes'], expected)
    np.testing.assert_array_equal(sample['annotator'], [0, 1, 1])
    assert sample['category'] is None
    assert dataset[1]['gt_boxes'].shape == (0, 4) and dataset[1]['annotator'].shape == (0,)


def test_map_has_the_published_rounding(clips):
    boxes = [(3, 10, 201, 255), (100, 7, 256, 130), (55, 66, 77, 88)]
    clips.write(f'Annotations/{STEMS[0]}.xml', xml(*[[box] for box in boxes]))
    sample = load(clips, split_file=clips.write('list.txt', STEMS[0]))[0]
    expected = np.zeros((224, 224))
    for box in boxes:
        x1, y1, x2, y2 = (224 * value // 256 for value in box)
        expected[y1:y2, x1:x2] += 1
    expected = np.minimum(1, expected / 2)
    np.testing.assert_array_equal(localization_map(sample['gt_boxes'], consensus=True), expected)


def test_training_lists_need_no_annotations(clips):
    dataset = load(clips, annotated=False, split_file=clips.write('flickr_10k.txt', '\n'.join(STEMS[1:])))
    assert [dataset[i]['clip'] for i in range(2)] == STEMS[1:]
    assert 'gt_boxes' not in dataset[0]


@pytest.mark.parametrize(
    ('text', 'reason'),
    [
        ('<a><b>', 'no readable xml'),
        ('<annotations><annotator/></annotations>', 'holds no bbox'),
        (xml([(1, 2, 3)]), r'its box .* is not \[x1, y1, x2, y2\]'),
        (xml([(1, 2, 3, 'x')]), r'its box .* is not \[x1, y1, x2, y2\]'),
        ('<a><bbox><id>1</id></bbox></a>', "holds a bbox that is not within an annotator's element"),
        ('<a><b><bbox><id>1</id><c/><c/><c/><c/></bbox></b></a>', r'its box .* is not \[x1, y1, x2, y2\]'),
    ],
)
def test_bad_annotations_name_the_file(clips, text, reason):
    clips.write(f'Annotations/{STEMS[0]}.xml', text)
    with pytest.raises(SampleError, match=rf'{STEMS[0]}\.xml: {reason}'):
        load(clips)
