"""Reading of web servers."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from html.parser import HTMLParser
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, BinaryIO
from urllib.parse import unquote, urljoin, urlsplit

import lazy_loader
from mmengine.fileio import register_backend

from .remote_backend import BLOCK, MAX_CONNECTIONS, RemoteBackend, TransientError

if TYPE_CHECKING:
    import requests
else:
    requests = lazy_loader.load('requests')  # for those whose data is on a server

_MISSING = (404, 410)
_REFUSED = (401, 403, 407)
_PASSING = (408, 425, 429)


class RetryingHTTPBackend(RemoteBackend):
    """Files of a web server, over connections that stay open. Registered in MMEngine as ``retrying_http``.

    It takes the place of MMEngine's ``HTTPBackend`` for addresses that begin with ``http://`` or
    ``https://``; that one has no time limit, looks up no files and lists no folders. Folders are read from
    the page of links that servers make of a folder, where they are told to (nginx ``autoindex on``, Apache
    ``Options +Indexes``). An answer without a length is an error, for what is missing of it could not be
    told. Proxies, certificates and passwords come from the environment (``HTTPS_PROXY``,
    ``REQUESTS_CA_BUNDLE``, ``~/.netrc``).

    Args:
        **kwargs: Of :class:`RemoteBackend`.
    """

    SCHEMES = ('http://', 'https://')

    def _connect(self) -> requests.Session:
        session = requests.Session()
        session.headers['Accept-Encoding'] = 'identity'
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # threads share the session
        for scheme in self.SCHEMES:
            session.mount(scheme, requests.adapters.HTTPAdapter(pool_maxsize=MAX_CONNECTIONS))
        return session

    def _read(self, address: str, file: BinaryIO, start: int, length: int | None) -> int:
        headers = {} if length is None else {'Range': f'bytes={start}-{start + length - 1}'}
        with self._answer('GET', address, headers) as answer:
            size = _receive(answer, address, file)
            if length is None:
                return file.tell() if size is None else size
            part = answer.headers.get('Content-Range', '')  # bytes <start>-<end>/<size>
            if answer.status_code != 206 or not part.startswith(f'bytes {start}-'):
                raise OSError(
                    errno.EOPNOTSUPP, 'the server hands out no parts of files (HTTP ranges)', address
                )
            total = part.rpartition('/')[2]
            return int(total) if total.isdecimal() else -1

    def _exists(self, address: str) -> bool:
        try:
            with self._answer('HEAD', address):
                return True
        except FileNotFoundError:
            return False

    def _list(self, address: str) -> tuple[list[str], list[str]]:
        with self._answer('GET', address.rstrip('/') + '/') as answer:
            if 'html' not in answer.headers.get('Content-Type', ''):
                raise OSError(errno.EOPNOTSUPP, 'the server lists no folders there', address)
            page = bytearray()
            size = _receive(answer, address, page)
            if size not in (None, len(page)):
                raise TransientError(f'cut off: {len(page)} of {size} bytes came')
            return _names_below(page.decode(answer.encoding or 'utf-8', 'replace'), answer.url)

    @contextmanager
    def _answer(
        self, method: str, address: str, headers: dict[str, str] | None = None
    ) -> Iterator[requests.Response]:
        url = address.replace('#', '%23')  # files have no fragments
        try:
            with self.client.request(
                method, url, headers=headers, timeout=self.timeout, stream=True, allow_redirects=True
            ) as answer:
                _check_status(answer, address)
                yield answer
        except requests.exceptions.SSLError:
            raise  # an OSError; no certificate gets better by waiting
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
            requests.exceptions.ContentDecodingError,
        ) as error:
            raise TransientError(_reason(error)) from error


def _check_status(answer: requests.Response, address: str) -> None:
    status = f'{answer.status_code} {answer.reason}'
    if answer.status_code in _MISSING:
        raise FileNotFoundError(errno.ENOENT, status, address)
    if answer.status_code in _REFUSED:
        raise PermissionError(errno.EACCES, status, address)
    if answer.status_code >= 500 or answer.status_code in _PASSING:
        raise TransientError(f'the server answers {status}')
    if not answer.ok:
        raise OSError(errno.EIO, f'the server answers {status}', address)


def _receive(answer: requests.Response, address: str, file: BinaryIO | bytearray) -> int | None:
    """Write the body; return its announced size, None where a last piece marks its end."""
    announced = answer.headers.get('Content-Length')
    pieces = answer.headers.get('Transfer-Encoding', '').lower() == 'chunked'
    if announced is None and not pieces:
        raise OSError(
            errno.EOPNOTSUPP,
            'the server does not say how long it is: what is missing could not be told',
            address,
        )
    write = file.extend if isinstance(file, bytearray) else file.write
    for block in answer.iter_content(BLOCK):
        write(block)
    if answer.headers.get('Content-Encoding', 'identity') != 'identity':  # it packs against our wish
        came = answer.raw.tell()
        if announced is not None and came != int(announced):
            raise TransientError(f'cut off: {came} of {announced} bytes came')
        return None
    return None if announced is None else int(announced)


def _reason(error: Exception) -> str:
    """What urllib3 says at the bottom of it, without what it says around that."""
    inner = error.args[0] if error.args else error
    return str(getattr(inner, 'reason', inner))


class _Links(HTMLParser):
    """Addresses that a page links to; those whose text ends with a slash do so, too."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._in_link = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        links = [value for name, value in attrs if tag == 'a' and name == 'href' and value]
        self.found += links
        self._in_link = bool(links)

    def handle_endtag(self, tag: str) -> None:
        self._in_link = self._in_link and tag != 'a'

    def handle_data(self, data: str) -> None:
        if self._in_link and data.rstrip().endswith('/') and not self.found[-1].endswith('/'):
            self.found[-1] += '/'


def _names_below(page: str, url: str) -> tuple[list[str], list[str]]:
    """Folders and files that a page links to, of those right below its address."""
    links = _Links()
    links.feed(page)
    links.close()
    root = unquote(urlsplit(url).path)
    folders: set[str] = set()
    files: set[str] = set()
    for link in links.found:
        target = urlsplit(urljoin(url, link))
        name = unquote(target.path)
        if not name.startswith(root) or target.query or target.netloc != urlsplit(url).netloc:
            continue
        name = name.removeprefix(root)
        if name.strip('/') and '/' not in name.rstrip('/'):
            (folders if name.endswith('/') else files).add(name.rstrip('/'))
    return sorted(folders), sorted(files)


# a reloaded module registers its own class
register_backend('retrying_http', RetryingHTTPBackend, force=True, prefixes=['http', 'https'])
