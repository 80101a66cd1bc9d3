"""Classes and data sets of a config are found however they are written."""

import pytest
from mmcv.transforms import LoadAnnotations
from mmdet.datasets.transforms import LoadAnnotations as DetLoadAnnotations
from mmdet.registry import LOOPS, MODELS
from mmengine.runner import EpochBasedTrainLoop

from mmav.datasets.transforms import LoadMultichannelAudio, MirrorFlip
from mmav.models.detectors import AudioVisualFasterRCNN
from mmav.utils.config_parts import (
    builds,
    class_of,
    common_dataset,
    dataset_metainfo,
    inner_datasets,
    pipeline_nodes,
)

NAMES = [
    LoadMultichannelAudio,
    'LoadMultichannelAudio',
    'mmdet.LoadMultichannelAudio',
    'mmav.datasets.transforms.LoadMultichannelAudio',
    'mmav.datasets.transforms.load_multichannel_audio.LoadMultichannelAudio',
]


@pytest.mark.parametrize('kind', NAMES)
def test_all_names_of_a_class_are_that_class(kind):
    assert class_of(dict(type=kind)) is LoadMultichannelAudio
    assert builds(dict(type=kind), LoadMultichannelAudio) and not builds(dict(type=kind), MirrorFlip)


def test_scopes_registries_and_unknown_names():
    assert class_of(dict(type='LoadMultichannelAudio', _scope_='mmdet')) is LoadMultichannelAudio
    assert class_of(dict(type='LoadAnnotations')) is DetLoadAnnotations
    assert builds(dict(type='mmcv.LoadAnnotations'), LoadAnnotations)
    assert class_of(dict(type='mmdet.AudioVisualFasterRCNN'), MODELS) is AudioVisualFasterRCNN
    assert class_of(dict(type='mmengine.EpochBasedTrainLoop'), LOOPS) is EpochBasedTrainLoop
    assert class_of(dict(type='Nothing')) is None and not builds(dict(type='no.thing'), MirrorFlip)


def leaf(root: str, *steps: str, **settings) -> dict:
    return dict(type='MAVDDataset', data_root=root, pipeline=[dict(type=step) for step in steps], **settings)


def wrap(*leaves: dict) -> dict:
    mixed = dict(type='MultiImageMixDataset', dataset=leaves[-1], pipeline=[dict(type='MirrorFlip')])
    joined = dict(type='ConcatDataset', datasets=[*leaves[:-1], mixed])
    return dict(type='RepeatDataset', times=2, dataset=joined)


def test_data_sets_within_others():
    wrapped = wrap(leaf('a', 'LoadMultichannelAudio'), leaf('b', 'LoadMultichannelAudio'))
    first, second = inner_datasets(wrapped)
    assert [first.data_root, second.data_root] == ['a', 'b']
    # that of MultiImageMixDataset follows on its data set's
    assert [step.type for step in first.pipeline] == ['LoadMultichannelAudio']
    assert [step.type for step in second.pipeline] == ['LoadMultichannelAudio', 'MirrorFlip']
    assert [node['type'] for node in pipeline_nodes(wrapped)] == ['MAVDDataset', 'MultiImageMixDataset']
    assert 'MirrorFlip' not in str(wrapped['dataset']['datasets'][1]['dataset'])  # copies were changed
    assert inner_datasets(leaf('a')) == [leaf('a')]


def test_data_sets_agree_or_are_named():
    def needed(dataset):
        return dict(pipeline=dataset.pipeline, crop=dataset.get('crop'))

    joined = dict(
        type='ConcatDataset',
        datasets=[leaf('a', NAMES[1], crop=(1, 2)), leaf('b', NAMES[4], crop=[1, 2])],
    )
    assert common_dataset(joined, needed, 'test').data_root == 'a'
    joined['datasets'][1]['crop'] = (1, 3)
    with pytest.raises(ValueError, match=r"test differ in crop: .*data_root='a'\) has .*data_root='b'\) has"):
        common_dataset(joined, needed, 'test')


def test_metainfo_is_that_of_the_class_with_the_configs():
    assert dataset_metainfo(leaf('a'))['classes'] == ('vehicle',)
    changed = dataset_metainfo(leaf('a', metainfo=dict(classes=('tram',))))
    assert changed['classes'] == ('tram',) and 'palette' in changed
