import json
import os
import secrets
import shutil
import stat

import h5py
import pytest
from full_disk import full_after
from mmengine.fileio import get_file_backend

from mmav.engine import AtomicLocalBackend
from mmav.utils.fileio import (
    TEMPORARY_SUFFIX,
    check_writable,
    remove_folder,
    whole_file,
    whole_folder,
    write_json,
)
from mmav.utils.locks import file_lock, folder_lock


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
    with folder_lock(tmp_path, 'test'):
        assert AtomicLocalBackend.remove_leftovers(tmp_path, 'epoch') == []
        assert AtomicLocalBackend.remove_leftovers(tmp_path) == [f'.epoch_1.pth.77{TEMPORARY_SUFFIX}']
        assert AtomicLocalBackend.remove_leftovers(tmp_path / 'missing') == []
    assert sorted(os.listdir(tmp_path)) == ['.hidden', 'epoch_1.pth', f'mine{TEMPORARY_SUFFIX}']


def test_leftovers_of_one_file_need_its_lock_alone(tmp_path):
    (tmp_path / f'.a.json.77{TEMPORARY_SUFFIX}').write_bytes(b'')
    (tmp_path / f'.b.json.77{TEMPORARY_SUFFIX}').write_bytes(b'')
    with file_lock(tmp_path / 'a.json', 'test'):
        assert AtomicLocalBackend.remove_leftovers(tmp_path, 'a.json') == [f'.a.json.77{TEMPORARY_SUFFIX}']
        with pytest.raises(RuntimeError, match='folder_lock'):
            AtomicLocalBackend.remove_leftovers(tmp_path, 'b.json')
    with pytest.raises(RuntimeError, match='folder_lock'):
        AtomicLocalBackend.remove_leftovers(tmp_path)
    assert os.listdir(tmp_path) == [f'.b.json.77{TEMPORARY_SUFFIX}']


@pytest.mark.parametrize('mode', [0o444, 0o600, 0o664])
def test_a_file_keeps_its_permissions(tmp_path, mode):
    (tmp_path / 'file').write_bytes(b'old')
    (tmp_path / 'file').chmod(mode)
    AtomicLocalBackend().put(b'new', tmp_path / 'file')
    assert (tmp_path / 'file').read_bytes() == b'new'
    assert stat.S_IMODE((tmp_path / 'file').stat().st_mode) == mode


@pytest.mark.parametrize('there', [True, False])
def test_a_link_stays_and_what_it_points_to_is_written(tmp_path, there):
    target, link = tmp_path / 'elsewhere' / 'file', tmp_path / 'link'
    if there:
        target.parent.mkdir()
        target.write_bytes(b'old')
    link.symlink_to(target)
    AtomicLocalBackend().put(b'new', link)
    assert link.is_symlink() and not target.is_symlink() and target.read_bytes() == b'new'
    assert sorted(os.listdir(tmp_path)) == ['elsewhere', 'link'] and os.listdir(target.parent) == ['file']


def test_a_linked_folder_stays_linked(tmp_path):
    (tmp_path / 'real').mkdir(mode=0o750)
    (tmp_path / 'link').symlink_to('real')
    with whole_folder(tmp_path / 'link') as temporary:
        (temporary / 'part').write_text('new')
    assert (tmp_path / 'link').is_symlink() and (tmp_path / 'real/part').read_text() == 'new'
    assert stat.S_IMODE((tmp_path / 'real').stat().st_mode) == 0o750


def test_temporary_names_are_new_and_never_those_of_a_link_in_place(tmp_path, monkeypatch):
    names = set()
    for _ in range(3):
        with whole_file(tmp_path / 'a') as first, whole_file(tmp_path / 'a') as second:
            names |= {first.name, second.name}
    assert len(names) == 6
    monkeypatch.setattr(secrets, 'token_hex', lambda size: 'guessed')
    (tmp_path / 'victim').write_text('precious')
    (tmp_path / f'.a.guessed{TEMPORARY_SUFFIX}').symlink_to('victim')
    with pytest.raises(FileExistsError), whole_file(tmp_path / 'a') as temporary:
        temporary.write_text('harm')
    assert (tmp_path / 'victim').read_text() == 'precious'


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


def test_folders_are_leftovers_too(tmp_path):
    for name in (f'.store{TEMPORARY_SUFFIX}', 'store'):
        (tmp_path / name).mkdir()
    (tmp_path / f'.a.mp4.77{TEMPORARY_SUFFIX}.mp4').write_text('')
    with folder_lock(tmp_path, 'test'):
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


def test_a_folder_is_removed_or_left_as_a_leftover(tmp_path, monkeypatch):
    folder = tmp_path / 'x.parts'
    for name in ('a', 'b'):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text('')
    (tmp_path / '.other.12.mmav-tmp').write_text('')  # of another program at work
    remove_folder(tmp_path / 'missing')
    with monkeypatch.context() as patch:
        patch.setattr(shutil, 'rmtree', _killed)
        with pytest.raises(KeyboardInterrupt):
            remove_folder(folder)
    assert not folder.exists()
    with file_lock(tmp_path / 'x', 'test'):
        (name,) = AtomicLocalBackend.remove_leftovers(tmp_path, 'x')
    assert name.startswith('.x.parts.')
    assert [path.name for path in tmp_path.iterdir()] == ['.other.12.mmav-tmp']


def _killed(path, **options) -> None:
    raise KeyboardInterrupt


def test_outputs_that_cannot_be_written_are_told_and_nothing_is_made(tmp_path):
    (tmp_path / 'file').write_text('')
    check_writable(tmp_path / 'a' / 'b')
    check_writable(tmp_path / 'a' / 'b.json', folder=False)
    check_writable(tmp_path / 'file', folder=False)
    within = tmp_path / 'file' / 'x'
    for path, folder in ((tmp_path / 'file', True), (within, True), (within, False)):
        with pytest.raises(NotADirectoryError, match='this is a file, a folder is wanted'):
            check_writable(path, folder)
    with pytest.raises(IsADirectoryError, match='this is a folder'):
        check_writable(tmp_path, folder=False)
    with pytest.raises(OSError, match='nothing can be written'):
        check_writable('/proc/x')
    assert [path.name for path in tmp_path.iterdir()] == ['file']
