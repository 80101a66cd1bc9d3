import json

import pytest

from mmav.simulation.resuming import open_data_set, sample_splits, write_missing
from mmav.utils.fileio import TEMPORARY_SUFFIX, whole_file
from mmav.utils.locks import folder_lock


def write(root, config, item):
    for folder, content in dict(a=f'{config} {item}', b='').items():
        with whole_file(root / folder / item, flush=False) as temporary:
            temporary.write_text(content)


@pytest.mark.parametrize('workers', [0, 2])
def test_what_is_missing_is_written_and_what_is_half_written_removed(tmp_path, workers):
    for folder in ('a', 'b'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'one').write_text('kept')
        (tmp_path / folder / f'.two.77{TEMPORARY_SUFFIX}').write_text('half')
    (tmp_path / 'a/three').write_text('without the other')

    def files(item):
        return tmp_path / 'a' / item, tmp_path / 'b' / item

    with folder_lock(tmp_path, 'test'):
        write_missing(write, tmp_path, 'new', ['one', 'two', 'three'], files, workers, 'item', False)

    found = {path.name: path.read_text() for path in (tmp_path / 'a').iterdir()}
    assert found == dict(one='kept', two='new two', three='new three')
    assert {path.name for path in (tmp_path / 'b').iterdir()} == set(found)


def test_splits_are_drawn_one_by_one():
    drawn = sample_splits(lambda *args: args, 'config', ('train', 'val', 'test'), (2, 0, 1))
    assert drawn == dict(
        train=[('config', 'train', 0), ('config', 'train', 1)], val=[], test=[('config', 'test', 0)]
    )


def test_a_folder_records_its_parameters(tmp_path):
    manifest = dict(seed=1, parameters=dict(b=(1, 2), a=3))
    with open_data_set(tmp_path / 'set', manifest) as root:
        assert json.loads((root / 'manifest.json').read_text()) == dict(
            seed=1, parameters=dict(a=3, b=[1, 2])
        )
    with open_data_set(str(root), manifest) as again:
        assert again == root
    with pytest.raises(FileExistsError, match=r'was simulated with other parameters \(seed: 1 there, 2 now'):
        with open_data_set(root, dict(manifest, seed=2)):
            pass
