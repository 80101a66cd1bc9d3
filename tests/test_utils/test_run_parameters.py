import json

import pytest

from mmav.utils.locks import folder_lock
from mmav.utils.run_parameters import ResultShards, record_parameters, refuse_other_parameters

PARAMETERS = dict(seed=1, scale=(96, 64), array=dict(radius=0.3, names='x' * 90))


def record(folder, **changes):
    text = json.dumps(dict(PARAMETERS, **changes))
    with folder_lock(folder, 'test'):
        record_parameters(folder / 'note.json', text, 'was made otherwise')


def test_the_same_parameters_are_accepted_again(tmp_path):
    for _ in range(2):
        record(tmp_path / 'new')
    assert (tmp_path / 'new' / 'note.json').read_text() == json.dumps(PARAMETERS)
    assert len(list((tmp_path / 'new').iterdir())) == 1


@pytest.mark.parametrize(
    'changes, told',
    [
        (dict(seed=2), r'was made otherwise \(seed: 1 there, 2 now\): choose'),
        (dict(array=dict(PARAMETERS['array'], radius=0.2)), r'\(array\.radius: 0\.3 there, 0\.2 now\)'),
        (dict(array=dict(PARAMETERS['array'], names='y')), r'\(array\.names\)'),
        (dict(scale=(64, 64), new=3), r'\(new: None there, 3 now, scale: \[96, 64\] there, \[64, 64\] now\)'),
    ],
)
def test_other_parameters_are_told(tmp_path, changes, told):
    record(tmp_path)
    with pytest.raises(FileExistsError, match=told):
        record(tmp_path, **changes)
    assert (tmp_path / 'note.json').read_text() == json.dumps(PARAMETERS)


def test_what_a_killed_process_left_is_removed(tmp_path):
    (tmp_path / '.note.json.77.mmav-tmp').write_text('{"se')
    record(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['note.json']


def test_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / 'thesis.txt').write_text('precious')
    with pytest.raises(FileExistsError, match=r'not empty and has no note\.json'):
        record(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['thesis.txt']


def test_an_unreadable_note_is_refused(tmp_path):
    (tmp_path / 'note.json').write_text('{"se')
    with pytest.raises(FileExistsError, match=r'note\.json: no JSON can be read'):
        record(tmp_path)


def test_names_alone_by_default():
    refuse_other_parameters(dict(scale=[1, 2]), dict(scale=(1, 2)), 'a was written otherwise')
    with pytest.raises(ValueError, match=r'^a was written otherwise \(seed\): choose another output'):
        refuse_other_parameters(dict(seed=1), dict(seed=2), 'a was written otherwise')


def test_results_come_back_in_order_whoever_wrote_them(tmp_path):
    shards = ResultShards(tmp_path / 'parts', dict(thr=0.3, size=(1, 2)))
    shards.write({0: dict(a=1), 2: dict(a=3)})
    ResultShards(tmp_path / 'parts', dict(thr=0.3, size=(1, 2))).write({1: dict(a=2), 3: dict(a=4)})
    shards.write({})
    assert shards.read() == {0: dict(a=1), 1: dict(a=2), 2: dict(a=3), 3: dict(a=4)}
    assert list(shards.read()) == [0, 1, 2, 3]
    shards.remove()
    assert not (tmp_path / 'parts').exists()


def test_other_parameters_are_refused_by_name(tmp_path):
    ResultShards(tmp_path, dict(thr=0.3, frames='x'))
    with pytest.raises(ValueError, match=r'other parameters \(thr, world\)'):
        ResultShards(tmp_path, dict(thr=0.4, frames='x', world=2))


def test_an_unfinished_shard_is_not_read(tmp_path):
    shards = ResultShards(tmp_path, {})
    shards.write({5: dict(a=1)})
    (tmp_path / '.shard_000000006.json.123.mmav-tmp').write_text('{"6": {"a"')
    assert shards.read() == {5: dict(a=1)}
