import json
import os
import stat

import h5py
import pytest
from full_disk import full_after
from mmengine.fileio import get_file_backend

from mmav.engine import AtomicLocalBackend
from mmav.utils.fileio import TEMPORARY_SUFFIX, whole_file, whole_folder, write_json


def test_is_found_by_name_and_writes(tmp_path):
    backend = get_file_backend(backend_args=dict(backend='atomic_local'))
    backend.put(b'one', tmp_path / 'new' / 'file')
    backend.put_text('zwei \u00fc', str(tmp_path / 'new' / 'file'))
    assert (tmp_path / 'new' / 'file').read_text(encoding='utf-8') == 'zwei \u00fc'
    assert os.listdir(tmp_path / 'new') == ['file']


@pytest.mark.parametrize('function', ['fsync', 'replace'])
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, function):
    path = tmp_path / 'file'
    path.write_bytes(b'old')

    def fail(*args):
        raise OSError('No space left on device')

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(OSError, match='No space'):
        AtomicLocalBackend().put(b'new', path)
    assert path.read_bytes() == b'old'
    assert os.listdir(tmp_path) == ['file']


def test_permissions_are_those_of_a_plain_file(tmp_path):
    (tmp_path / 'plain').write_bytes(b'')
    AtomicLocalBackend().put(b'', tmp_path / 'atomic')
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ('plain', 'atomic')]
    assert modes[0] == modes[1]


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    for name in (f'.epoch_1.pth.77{TEMPORARY_SUFFIX}', '.hidden', 'epoch_1.pth', f'mine{TEMPORARY_SUFFIX}'):
        (tmp_path / name).write_bytes(b'')
    assert AtomicLocalBackend.remove_leftovers(tmp_path) == [f'.epoch_1.pth.77{TEMPORARY_SUFFIX}']
    assert sorted(os.listdir(tmp_path)) == ['.hidden', 'epoch_1.pth', f'mine{TEMPORARY_SUFFIX}']
    assert AtomicLocalBackend.remove_leftovers(tmp_path / 'missing') == []


def test_what_json_cannot_hold_leaves_the_old_file(tmp_path):
    file = tmp_path / 'a.json'
    write_json(file, [1])
    with pytest.raises(TypeError):
        write_json(file, [object()])
    assert json.loads(file.read_text()) == [1]


def test_the_text_is_that_of_json(tmp_path):
    content = dict(a=[1, 2.5], b=None)
    write_json(tmp_path / 'new' / 'a.json', content, indent=1)
    assert (tmp_path / 'new' / 'a.json').read_text() == json.dumps(content, indent=1)
    assert [path.name for path in (tmp_path / 'new').iterdir()] == ['a.json']


@pytest.mark.parametrize('write', [whole_file, whole_folder])
def test_what_is_written_takes_its_place_at_the_end(tmp_path, write):
    place = tmp_path / 'new' / 'a.bin'

    def content(path):
        return [each.read_text() for each in (path, *path.rglob('*')) if each.is_file()]

    for text in ('old', 'new'):
        before = content(place) if place.exists() else None
        with write(place) as temporary:
            assert temporary.parent == place.parent and temporary.suffix == TEMPORARY_SUFFIX
            (temporary / 'part' if temporary.is_dir() else temporary).write_text(text)
            assert (content(place) if place.exists() else None) == before
        assert content(place) == [text]
        assert os.listdir(place.parent) == ['a.bin']
    with pytest.raises(KeyError), write(place) as temporary:
        (temporary / 'part' if temporary.is_dir() else temporary).write_text('half')
        raise KeyError
    assert content(place) == ['new']
    assert os.listdir(place.parent) == ['a.bin']


def test_a_folder_left_by_a_kill_is_no_part_of_the_next(tmp_path):
    left = tmp_path / f'.store{TEMPORARY_SUFFIX}'
    left.mkdir()
    (left / 'old').write_text('')
    with whole_folder(tmp_path / 'store') as temporary:
        (temporary / 'new').write_text('')
    assert os.listdir(tmp_path) == ['store'] and os.listdir(tmp_path / 'store') == ['new']


def test_nothing_written_replaces_nothing(tmp_path):
    (tmp_path / 'a').write_text('old')
    with whole_file(tmp_path / 'a'):
        pass
    assert (tmp_path / 'a').read_text() == 'old'


def test_folders_are_leftovers_too(tmp_path):
    for name in (f'.store{TEMPORARY_SUFFIX}', 'store'):
        (tmp_path / name).mkdir()
    (tmp_path / f'.a.mp4.77{TEMPORARY_SUFFIX}.mp4').write_text('')
    assert len(AtomicLocalBackend.remove_leftovers(tmp_path)) == 2
    assert os.listdir(tmp_path) == ['store']


def test_a_temporary_file_is_no_file_of_that_suffix_unless_asked(tmp_path):
    for keep, suffix in ((False, TEMPORARY_SUFFIX), (True, '.pth')):
        with whole_file(tmp_path / 'a.pth', keep_suffix=keep) as temporary:
            temporary.write_text('')
            assert temporary.suffix == suffix


def test_a_full_disk_is_named(tmp_path):
    (tmp_path / 'x.json').write_text('old')
    with pytest.raises(OSError, match=rf'{tmp_path}/x\.json'), full_after(100):
        write_json(tmp_path / 'x.json', list(range(1000)))
    with pytest.raises(OSError, match=rf'{tmp_path}/x\.h5'), full_after(10_000):
        with whole_file(tmp_path / 'x.h5') as temporary, h5py.File(temporary, 'w') as file:
            file['values'] = [1.5] * 100_000
    assert os.listdir(tmp_path) == ['x.json'] and (tmp_path / 'x.json').read_text() == 'old'
