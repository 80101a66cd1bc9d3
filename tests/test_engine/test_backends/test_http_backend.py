"""Folders and odd answers of web servers: Python's own, and pages as nginx and Apache write them."""

import contextlib
import functools
import threading
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from file_server import FileServer
from mmengine import fileio

from mmav.engine.backends.http_backend import _names_below
from mmav.utils.errors import SampleError
from mmav.utils.readers import read_bytes
from mmav.utils.storage import list_files, read_range

NGINX = """<html><head><title>Index of /data/</title></head><body><h1>Index of /data/</h1><hr><pre>
<a href="../">../</a>
<a href="frames/">frames/</a>                         01-Dec-2026 03:00       -
<a href="Frying%20%28food%29%231.npy">Frying (food)#1.npy</a>        01-Dec-2026 03:00     128
</pre><hr></body></html>"""
APACHE = """<table><tr><th><a href="?C=N;O=D">Name</a></th></tr>
<tr><td><a href="/">Parent Directory</a></td></tr><tr><td><a href="frames/">frames/</a></td></tr>
<tr><td><a href="Frying%20(food)%231.npy">Frying (food)#1.npy</a></td></tr></table>
<address><a href="https://httpd.apache.org/data/x.npy">Apache</a></address>"""


@contextlib.contextmanager
def serving(handler):
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass


def fill(root):
    names = ['a b.npy', 'c#d.npy', 'Frying_(food).npy', 'über.txt', '100%.npy', 'deep/er/x.npy']
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(name.encode())
    return sorted(names)


def check_folder(root, url):
    assert sorted(list_files(f'{url}/data', recursive=True)) == fill(root / 'data')
    for name in list_files(f'{url}/data', recursive=True):
        if '%' not in name:  # which addresses give another meaning
            assert read_bytes(fileio.join_path(url, 'data', name)) == name.encode()
    assert list_files(f'{url}/data/', '.txt') == ['über.txt']
    assert set(fileio.list_dir_or_file(f'{url}/data', list_file=False)) == {'deep'}
    with pytest.raises(SampleError, match=r'none: the folder cannot be listed .*404'):
        list_files(f'{url}/none')


def test_folders_of_pythons_server(tmp_path):
    fill(tmp_path / 'data')
    with serving(functools.partial(Quiet, directory=str(tmp_path))) as url:
        check_folder(tmp_path, url)
        with pytest.raises(SampleError, match='hands out no parts of files'):
            read_range(f'{url}/data/a b.npy', 1, 2, 7)


def test_folders_of_aiohttps_server(tmp_path):
    fill(tmp_path / 'data')
    with FileServer(tmp_path) as server:
        check_folder(tmp_path, server.url)
        with pytest.raises(SampleError, match=r'the server lists no folders there|404'):
            list_files(f'{server.url}/data/a b.npy')


@pytest.mark.parametrize('page', [NGINX, APACHE])
def test_pages_of_other_servers(page):
    assert _names_below(page, 'http://host/data/') == (['frames'], ['Frying (food)#1.npy'])


def answer_with(status: int, **headers: str):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace('_', '-'), value)
            self.end_headers()
            self.wfile.write(b'content')

        do_HEAD = do_GET

        def log_message(self, *args) -> None:
            pass

    return Handler


@pytest.mark.parametrize(
    ('status', 'headers', 'reason'),
    [
        (200, {}, 'does not say how long it is'),
        (403, dict(Content_Length='7'), '403 Forbidden'),
        (410, dict(Content_Length='7'), 'the file is missing'),
        (418, dict(Content_Length='7'), 'answers 418'),
        (302, dict(Location='/again', Content_Length='7'), 'Exceeded 30 redirects'),
    ],
)
def test_answers_that_are_errors_at_once(status, headers, reason):
    with serving(answer_with(status, **headers)) as url:
        with pytest.raises(SampleError, match=f'{url}/x: .*{reason}'):
            read_bytes(f'{url}/x', dict(backoff=100))


def test_no_certificate_is_no_reason_to_wait(tmp_path):
    with FileServer(tmp_path) as server, pytest.raises(SampleError, match='cannot be read'):
        read_bytes(f'https://127.0.0.1:{server.port}/x', dict(backoff=100))
