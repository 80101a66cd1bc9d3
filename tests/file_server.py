"""A web server for tests, in a thread of theirs: files of a folder by aiohttp, and faults that are asked for.

A folder of a bucket's name makes it an S3 server that objects can be read from (not listed).
"""

import asyncio
import threading
from pathlib import Path

from aiohttp import web
from free_port import free_port

FAULTS = ('busy', 'stall', 'cut', 'cut_pieces')


class FileServer:
    """``with FileServer(folder) as server: server.url``.

    Attributes:
        faults: What becomes of the next GET requests: 'busy' (503), 'stall' (no byte comes), 'cut' (half of
            the announced bytes), 'cut_pieces' (half, and no last piece); '' for none.
        paths: Paths of all GET requests.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.port = free_port()
        self.url = f'http://127.0.0.1:{self.port}'
        self.faults: list[str] = []
        self.paths: list[str] = []

    def __enter__(self) -> 'FileServer':
        self.start()
        return self

    def __exit__(self, *args) -> None:
        self.stop()

    def start(self) -> None:
        """Listen, at the same address as before."""
        self._loop = asyncio.new_event_loop()
        listening = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(listening,), daemon=True)
        self._thread.start()
        assert listening.wait(10), 'the server does not start'

    def stop(self) -> None:
        """Close all connections."""
        if not self._loop.is_closed():
            asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(10)
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def _run(self, listening: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)

        @web.middleware
        async def answer(request: web.Request, handler) -> web.StreamResponse:
            return await self._answer(request, handler)

        application = web.Application(middlewares=[answer])
        application.router.add_static('/', self.root, show_index=True)
        self._runner = web.AppRunner(application, shutdown_timeout=0.05)
        self._loop.run_until_complete(self._runner.setup())
        site = web.TCPSite(self._runner, '127.0.0.1', self.port, reuse_address=True)
        self._loop.run_until_complete(site.start())
        listening.set()
        self._loop.run_forever()
        self._loop.close()

    async def _answer(self, request: web.Request, handler) -> web.StreamResponse:
        if request.method != 'GET':
            return await handler(request)
        self.paths.append(request.path)
        fault = self.faults.pop(0) if self.faults else ''
        if fault == 'busy':
            return web.Response(status=503)
        if fault == 'stall':
            await asyncio.sleep(30)
        if fault.startswith('cut'):
            content = (self.root / request.path.lstrip('/')).read_bytes()
            response = web.StreamResponse()
            if fault == 'cut':
                response.content_length = len(content)
            else:
                response.enable_chunked_encoding()
            await response.prepare(request)
            await response.write(content[: len(content) // 2])
            await asyncio.sleep(0.02)
            request.transport.close()
            return response
        return await handler(request)
