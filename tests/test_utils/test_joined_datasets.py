"""Several data sets as one: each keeps its array; what they must share is compared when they are built."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
from mmdet.registry import DATASETS
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from rigs import make_rig
from tiny_mavd import CROP, TinyMAVD

from mmav.engine import RigCheckHook, StrictRunner
from mmav.utils.joined_datasets import build_joined, built_datasets, join_metainfo

POSITIONS = {name: (np.random.default_rng(seed).random((8, 3))).tolist() for seed, name in enumerate('ab')}
PIPELINE = [
    dict(type='LoadMultichannelAudio'),
    dict(type='PackAudioVisualInputs', meta_keys=('img_id', 'microphone_positions')),
]


@pytest.fixture
def configs(tmp_path) -> list[dict]:
    init_default_scope('mmdet')
    found = []
    for name in 'ab':
        tiny = TinyMAVD(tmp_path / name, modalities=('rgb',))
        tiny.add_frame()
        tiny.finish('test')
        found.append(
            dict(
                type='MAVDDataset',
                data_root=str(tmp_path / name),
                ann_file='annotations/test.json',
                crop=CROP,
                metainfo=dict(microphone_positions=POSITIONS[name]),
                pipeline=PIPELINE,
                test_mode=True,
            )
        )
    return found


def loader(configs: list[dict], outer: str | None = None) -> dict:
    dataset = dict(type='ConcatDataset', datasets=configs)
    if outer:
        dataset = dict(type=outer, dataset=dataset, times=2)
    return dict(
        batch_size=1, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False), dataset=dataset
    )


@pytest.mark.parametrize('outer', [None, 'RepeatDataset'])
def test_samples_carry_their_own_array_and_the_metainfo_is_common(configs, outer):
    dataset = StrictRunner.build_dataloader(loader(configs, outer)).dataset
    assert dataset.metainfo['classes'] == ('vehicle',) and 'microphone_positions' not in dataset.metainfo
    for index, name in enumerate('ab'):
        np.testing.assert_array_equal(dataset[index]['data_samples'].microphone_positions, POSITIONS[name])
    assert len(built_datasets(dataset)) == 2


def test_equal_arrays_stay_in_the_metainfo(configs):
    configs[1]['metainfo'] = configs[0]['metainfo']
    joined = build_joined(configs)
    assert joined.metainfo['microphone_positions'] == POSITIONS['a'] and len(joined) == 2
    assert build_joined(configs[:1]).metainfo['classes'] == ('vehicle',)


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(palette=[(1, 2, 3)]), r'/a.*/b.*cannot be joined, for they differ in palette: .*1, 2, 3'),
        (dict(microphone_positions=POSITIONS['b'][:4]), r'/a.*/b.*have 8 and 4 microphones'),
    ],
)
def test_what_cannot_be_joined_is_named(configs, change, message):
    configs[1]['metainfo'] = {**configs[1]['metainfo'], **change}
    with pytest.raises(ValueError, match=message):
        StrictRunner.build_dataloader(loader(configs))


def test_wrapper_may_ignore_keys(configs):
    configs[1]['metainfo'] = dict(configs[1]['metainfo'], palette=[(1, 2, 3)])
    joined = DATASETS.build(dict(type='ConcatDataset', datasets=configs, ignore_keys=['palette']))
    join_metainfo(joined)
    assert joined.metainfo['palette'] == built_datasets(joined)[0].metainfo['palette']


def test_model_of_one_rig_refuses_two():
    rigs = [make_rig(), make_rig(speed_of_sound=350.0)]
    parts = [
        SimpleNamespace(metainfo=dict(rig=rig.to_dict()), data_root=root) for rig, root in zip(rigs, 'ab')
    ]
    dataset = SimpleNamespace(datasets=parts, metainfo={})

    def run(rig=None):
        model = SimpleNamespace(data_preprocessor=SimpleNamespace(acoustic_image=SimpleNamespace(rig=rig)))
        loaders = SimpleNamespace(dataset=dataset)
        return SimpleNamespace(model=model, logger=MMLogger('joined'), train_dataloader=loaders)

    with pytest.raises(ValueError, match=r"data_root='b'.* not that of .*data_root='a'.*speed_of_sound"):
        RigCheckHook().before_train(run(rigs[0]))
    assert RigCheckHook().before_train(run()) is None  # spectrograms do not know of rigs
    dataset.datasets = [parts[0], copy.deepcopy(parts[0])]
    assert RigCheckHook().before_train(run(rigs[0])) is None
