"""The page of a running detection: static files, a WebSocket, and downloads, by aiohttp.

The page itself holds no data. Whoever opens the WebSocket sends ``{"token": "..."}`` first, downloads have
the header ``Authorization: Bearer ...``; without a token configured, any text will do.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import signal
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import quote, urlsplit

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from mmav.utils.errors import SampleError

from .encoding import json_text
from .session import LiveSession
from .viewers import Hub, Viewer

WRONG_TOKEN, TOO_MANY = 4401, 4429
"""Codes with which a WebSocket is closed."""

LEAST_TOKEN = 8
_STATIC = Path(__file__).parent / 'static'
_PAGES = {'/': 'index.html', '/app.js': 'app.js', '/style.css': 'style.css'}
_TYPES = {'.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css'}
_HEADERS = {
    'Cache-Control': 'no-store',
    'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' blob: data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
}
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine alone.

    Example:
        >>> is_loopback('127.0.0.1'), is_loopback('localhost'), is_loopback('0.0.0.0')
        (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == 'localhost'


def check_token(host: str, token: str | None) -> None:
    """ValueError unless an address may be listened on with a token, or without one.

    Example:
        >>> check_token('0.0.0.0', None)
        Traceback (most recent call last):
        ValueError: 0.0.0.0 can be reached from other machines: give a token (--token)
    """
    if token is None and not is_loopback(host):
        raise ValueError(f'{host} can be reached from other machines: give a token (--token)')
    if token is not None and len(token) < LEAST_TOKEN:
        raise ValueError(f'the token has {len(token)} characters, but needs {LEAST_TOKEN}')


class LivePage:
    """The handlers of requests.

    Args:
        session: What is shown.
        hub: Its viewers.
        token: What viewers must know; None: nothing, and requests must name this machine as their host.
    """

    def __init__(self, session: LiveSession, hub: Hub, token: str | None = None) -> None:
        self.session, self.hub = session, hub
        self._token = token

    def add_routes(self, app: web.Application) -> None:
        """Add the page's routes to an application."""
        for path in _PAGES:
            app.router.add_get(path, self.static)
        app.router.add_get('/ws', self.websocket)
        app.router.add_get('/download/{name}', self.download)
        app.middlewares.append(self.guard)

    async def static(self, request: web.Request) -> web.Response:
        """A file of the page."""
        path = _STATIC / _PAGES[request.path]
        return web.Response(text=path.read_text('utf-8'), content_type=_TYPES[path.suffix], charset='utf-8')

    async def download(self, request: web.Request) -> web.Response:
        """The last minute: ``sound.wav``, ``results.json`` or ``tracks.txt``."""
        kind, _, given = request.headers.get('Authorization', '').partition(' ')
        if not self._admits(given if kind.lower() == 'bearer' else ''):
            raise web.HTTPUnauthorized(text='wrong token\n', headers={'WWW-Authenticate': 'Bearer'})
        name, recent = request.match_info['name'], self.session.recent
        if name == 'sound.wav':
            run = asyncio.get_running_loop().run_in_executor
            try:
                body, kind = await run(None, recent.sound_file), 'audio/wav'
            except SampleError as error:
                raise web.HTTPNotFound(text=f'{error}\n') from error
        elif name == 'results.json':
            size = list(self.session.detector.inferencer.image_size)
            body, kind = json_text(dict(image_size=size, **recent.results())).encode(), 'application/json'
        elif name == 'tracks.txt':
            body, kind = recent.tracks().encode(), 'text/plain'
        else:
            raise web.HTTPNotFound(text='there are sound.wav, results.json and tracks.txt\n')
        headers = {'Content-Disposition': f'attachment; filename="{name}"'}
        return web.Response(body=body, content_type=kind, headers=headers)

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Results and events, to a viewer that has sent the token."""
        # a peer that does not answer is let go after half a heartbeat
        peer = web.WebSocketResponse(heartbeat=20, timeout=2, compress=False, max_msg_size=4096)
        await peer.prepare(request)
        if not await self._asked(peer):
            await peer.close(code=WRONG_TOKEN, message=b'wrong token')
            return peer
        viewer = self.hub.join()
        if viewer is None:
            await peer.close(code=TOO_MANY, message=b'too many viewers')
            return peer
        sending = asyncio.create_task(self._send(peer, viewer))
        try:
            async for message in peer:
                if message.type is WSMsgType.TEXT:
                    self.hub.obey(message.data)
        finally:
            self.hub.leave(viewer)
            sending.cancel()
        return peer

    async def _asked(self, peer: web.WebSocketResponse) -> bool:
        """Whether the first message holds the token."""
        try:
            message: WSMessage = await peer.receive(timeout=5)
            given = json.loads(message.data)['token'] if message.type is WSMsgType.TEXT else None
        except (asyncio.TimeoutError, LookupError, TypeError, ValueError):
            return False
        return isinstance(given, str) and self._admits(given)

    def _admits(self, given: str) -> bool:
        return self._token is None or hmac.compare_digest(given.encode(), self._token.encode())

    @staticmethod
    async def _send(peer: web.WebSocketResponse, viewer: Viewer) -> None:
        try:
            while (data := await viewer.next()) is not None:
                await (peer.send_str(data) if isinstance(data, str) else peer.send_bytes(data))
            await peer.close(code=WSCloseCode.GOING_AWAY, message=b'the server ends')
        except ConnectionError:  # it has left
            await peer.close()

    @web.middleware
    async def guard(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """Refuse what pages of others make a browser ask for.

        Without a token, such a page could otherwise take a name that leads to this machine (DNS rebinding).
        """
        try:
            name = urlsplit(f'//{request.host}').hostname or ''
            origin = urlsplit(request.headers.get('Origin', f'http://{request.host}')).netloc
        except ValueError as error:
            raise web.HTTPBadRequest(text=f'Host or Origin: {error}\n') from error
        if self._token is None and not is_loopback(name):
            raise web.HTTPForbidden(
                text='without a token this page is for the names localhost and 127.0.0.1 alone: start the '
                'command with --token\n'
            )
        if origin != request.host:
            raise web.HTTPForbidden(text=f'the origin {origin} is not that of the page, {request.host}\n')
        return await handler(request)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


async def make_app(session: LiveSession, token: str | None = None, most_viewers: int = 20) -> web.Application:
    """The application that shows a session; the session is started by others.

    Args:
        session: What is shown.
        token: What viewers must know. Defaults to nothing.
        most_viewers: Defaults to 20.
    """
    app = web.Application()
    hub = Hub(session, most_viewers)
    LivePage(session, hub, token).add_routes(app)
    app.on_response_prepare.append(_add_headers)
    app[HUB] = hub
    return app


HUB = web.AppKey('hub', Hub)


async def serve(
    session: LiveSession,
    host: str = '127.0.0.1',
    port: int = 8000,
    token: str | None = None,
    most_viewers: int = 20,
    stay: bool = False,
    announce: Callable[[str], None] = print,
) -> None:
    """Run a session and show it, until it ends or SIGINT or SIGTERM comes.

    Args:
        session: Not yet started.
        host: Address to listen on. Defaults to 127.0.0.1.
        port: 0 takes any that is free. Defaults to 8000.
        token: What viewers must know. Defaults to nothing, which other machines' access rules out.
        most_viewers: Defaults to 20.
        stay: Go on showing a session that has ended without an error. Defaults to False.
        announce: Called with the page's address.

    Raises:
        ValueError: The address needs a token, or the token is too short.
        OSError: The address cannot be listened on.
        Exception: What the session ended with.
    """
    check_token(host, token)
    app = await make_app(session, token, most_viewers)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
    await runner.setup()
    loop, interrupted = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    try:
        await web.TCPSite(runner, host, port).start()
        for number in signals:
            loop.add_signal_handler(number, interrupted.set)
        announce(page_address(host, runner.addresses[0][1], token))
        session.start()
        await _first(app[HUB].ended, interrupted)
        if stay and session.error is None and not interrupted.is_set():
            await interrupted.wait()
        for number in signals:
            loop.remove_signal_handler(number)  # the next one ends it at once
        await loop.run_in_executor(None, session.stop)
        await _let_go(app[HUB])
    finally:
        await runner.cleanup()
    if session.error is not None:
        raise session.error


def page_address(host: str, port: int, token: str | None) -> str:
    """Address of the page; the part behind # stays in the browser.

    Example:
        >>> page_address('127.0.0.1', 8000, 'much-too-easy')
        'http://127.0.0.1:8000/#token=much-too-easy'
    """
    if host in ('0.0.0.0', '::'):  # all of this machine's
        host = socket.gethostname()
    name = f'[{host}]' if ':' in host else host
    return f'http://{name}:{port}/' + ('' if token is None else f'#token={quote(token, safe="")}')


async def _first(*events: asyncio.Event) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()


async def _let_go(hub: Hub, seconds: float = 2.0) -> None:
    """Send what is still to be sent, so that viewers see how it ended; a slow one does not hold it up."""
    hub.close()
    end = asyncio.get_running_loop().time() + seconds
    while hub.viewers and asyncio.get_running_loop().time() < end:
        await asyncio.sleep(0.02)
