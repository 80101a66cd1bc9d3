"""Both backends against one server with faults: aiohttp's, whose answers to GET are those of S3, too."""

import time

import pytest
from file_server import FileServer
from mmengine import fileio

from mmav.engine import RetryingHTTPBackend, S3Backend
from mmav.utils.errors import SampleError, StorageError
from mmav.utils.readers import read_bytes

CONTENT = bytes(range(256)) * 8192  # 2 MiB
QUICK = dict(retries=2, timeout=0.3, backoff=0.01)


@pytest.fixture
def server(tmp_path):
    (tmp_path / 'bucket').mkdir()
    (tmp_path / 'bucket' / 'file.bin').write_bytes(CONTENT)
    with FileServer(tmp_path) as server:
        yield server


@pytest.fixture(params=['http', 's3'])
def place(request, server):
    """Address of a folder, and how to read below it."""
    if request.param == 'http':
        return f'{server.url}/bucket', dict(backend='retrying_http', **QUICK)
    arguments = dict(endpoint_url=server.url, region_name='us-east-1', anonymous=True)
    return 's3://bucket', dict(backend='s3', **arguments, **QUICK)


def test_a_server_that_fails_twice_is_asked_a_third_time(server, place):
    root, backend_args = place
    for fault in ('busy', 'stall', 'cut', 'cut_pieces'):
        if fault == 'cut_pieces' and root.startswith('s3'):
            continue  # S3 always announces the length
        server.faults[:], server.paths[:] = [fault, fault], []
        assert read_bytes(f'{root}/file.bin', backend_args) == CONTENT, fault
        assert server.paths == ['/bucket/file.bin'] * 3


@pytest.mark.parametrize(
    ('fault', 'reason'), [('busy', '503'), ('stall', '[Tt]imed? ?out'), ('cut', r'2097152|more expected')]
)
def test_after_the_last_attempt_the_error_names_the_object(server, place, fault, reason):
    root, backend_args = place
    server.faults[:] = [fault] * 9
    pattern = rf'{root}/file.bin: could not be read in 3 attempts \(.*({reason})'
    with pytest.raises(StorageError, match=pattern) as caught:
        read_bytes(f'{root}/file.bin', backend_args)
    assert isinstance(caught.value, SampleError) and '--resume' in str(caught.value)
    assert len(server.paths) == 3


def test_a_server_that_is_gone_and_comes_back(server, place):
    root, backend_args = place
    assert fileio.exists(f'{root}/file.bin', backend_args=backend_args)
    server.stop()
    for read in (
        fileio.get,
        fileio.exists,
        lambda *args, **kw: fileio.get_local_path(*args, **kw).__enter__(),
    ):
        with pytest.raises(StorageError, match=f'{root}/file.bin: could not be read in 3 attempts'):
            read(f'{root}/file.bin', backend_args=backend_args)
    server.start()
    assert fileio.get(f'{root}/file.bin', backend_args=backend_args) == CONTENT


def test_parts_of_a_file(server, place):
    root, backend_args = place
    backend = fileio.get_file_backend(backend_args=backend_args)
    address = f'{root}/file.bin'
    for start, length in ((0, 1), (1000, 70_000), (len(CONTENT) - 3, 3)):
        server.faults[:] = ['busy']
        assert backend.get_range(address, start, length, len(CONTENT)) == CONTENT[start : start + length]
    with pytest.raises(OSError, match='has 2097152 bytes, expected are 5: it was changed'):
        backend.get_range(address, 0, 2, 5)
    server.faults[:] = ['cut'] * 9
    with pytest.raises(StorageError):
        backend.get_range(address, 10, 20, len(CONTENT))


def test_what_will_not_pass_is_not_tried_again(server, place):
    root, backend_args = place
    with pytest.raises(SampleError, match=f'{root}/none.bin: the file is missing'):
        read_bytes(f'{root}/none.bin', backend_args)
    assert server.paths == ['/bucket/none.bin']
    assert not fileio.exists(f'{root}/none.bin', backend_args=backend_args)


def test_a_local_copy_is_whole_and_removed(server, place, tmp_path):
    root, backend_args = place
    server.faults[:] = ['cut']
    with fileio.get_local_path(f'{root}/file.bin', backend_args=backend_args) as path:
        with open(path, 'rb') as file:
            assert file.read() == CONTENT and path.endswith('.bin')
    assert not fileio.exists(path)
    # local files are read by the same backend, and stay
    local = str(tmp_path / 'bucket' / 'file.bin')
    with fileio.get_local_path(local, backend_args=backend_args) as path:
        assert path == local
    assert fileio.get(local, backend_args=backend_args) == CONTENT
    assert list(fileio.list_dir_or_file(str(tmp_path), recursive=True, backend_args=backend_args))


def test_a_forked_process_has_connections_of_its_own(place):
    root, backend_args = place
    backend = fileio.get_file_backend(backend_args=backend_args)
    client = backend.client
    assert backend.client is client
    backend._process -= 1  # as in a child, which inherits the attribute
    assert backend.client is not client
    assert len(backend.get(f'{root}/file.bin')) == len(CONTENT)


def test_waits_double_and_leave_the_random_numbers_alone(monkeypatch, server):
    waits = []
    monkeypatch.setattr(time, 'sleep', waits.append)
    backend = RetryingHTTPBackend(retries=9, timeout=1, backoff=1)
    server.faults[:] = ['busy'] * 10
    with pytest.raises(StorageError):
        backend.get(f'{server.url}/bucket/file.bin')
    limits = [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert len(waits) == 9 and all(limit / 2 <= wait <= limit for wait, limit in zip(waits, limits))


@pytest.mark.parametrize('arguments', [dict(retries=-1), dict(timeout=0), dict(backoff=-1.0)])
def test_arguments_out_of_range(arguments):
    for backend in (RetryingHTTPBackend, S3Backend):
        with pytest.raises(ValueError, match='retries must be at least 0'):
            backend(**arguments)


def test_addresses_of_another_kind():
    with pytest.raises(ValueError, match=r'http://a/b: a S3Backend reads s3://'):
        S3Backend().get('http://a/b')
    with pytest.raises(ValueError, match='s3://bucket is not of the form'):
        S3Backend().get('s3://bucket')
    assert S3Backend().join_path('s3://bucket/a/', '', 'b', '/c') == 's3://bucket/a/b/c'
