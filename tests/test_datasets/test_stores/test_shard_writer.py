import json

import numpy as np
import pytest
from full_disk import full_after

from mmav.datasets.stores.shard_writer import write_shard
from mmav.utils.errors import SampleError


def sample(value: int, **others) -> dict:
    return dict(x=np.full((2, 3), value, np.float16), **others)


def test_rows_are_numpys(tmp_path):
    y = np.arange(4, dtype=np.int32)
    write_shard(tmp_path / 's', ['a', 'b'], [sample(1, y=y), sample(2, y=y[::-1])])
    assert np.array_equal(np.load(tmp_path / 's/x.npy'), np.stack([sample(1)['x'], sample(2)['x']]))
    assert np.array_equal(np.load(tmp_path / 's/y.npy'), [[0, 1, 2, 3], [3, 2, 1, 0]])
    assert np.load(tmp_path / 's/x.npy', mmap_mode='r').dtype == np.float16


def test_failures_are_rows_of_zeros(tmp_path):
    failed = [SampleError(name, 'truncated') for name in 'ac']
    samples = [failed[0], sample(2), failed[1], sample(4), dict(x=np.zeros(3))]
    write_shard(tmp_path / 's', list('abcde'), samples, on_error='skip')
    array = np.load(tmp_path / 's/x.npy')
    assert array[:, 0, 0].tolist() == [0, 2, 0, 4, 0]
    assert list(json.loads((tmp_path / 's/shard.json').read_text())['failures']) == ['a', 'c', 'e']


@pytest.mark.parametrize('size', [50, 1000, 19_000])
def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, size):
    rows = (dict(x=np.ones((10, 50), np.float32)) for _ in range(10))
    with pytest.raises(OSError, match=rf'{tmp_path}/s'), full_after(size):
        write_shard(tmp_path / 's', [str(number) for number in range(10)], rows)
    assert list(tmp_path.iterdir()) == []
