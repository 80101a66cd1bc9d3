import pytest

from mmav.utils.result_shards import ResultShards


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
