"""The page's server: who is let in, what viewers get, and that none holds up another."""

import asyncio
import io
import json
import signal
import threading
from contextlib import asynccontextmanager

import aiohttp
import numpy as np
import pytest
import soundfile
from aiohttp import WSMsgType
from aiohttp.test_utils import TestClient, TestServer
from stand_ins import HOP, RATE, Feed, NoiseCamera, StandInDetector, noise

from mmav.live import LiveSession
from mmav.live.encoding import unpack
from mmav.live.server import HUB, TOO_MANY, WRONG_TOKEN, check_token, make_app, serve
from mmav.utils.errors import SampleError

TOKEN = 'a long secret'


class Page:
    """A session with its server."""

    def __init__(self, client, session, feed):
        self.client, self.session, self.feed = client, session, feed

    @property
    def hub(self):
        return self.client.server.app[HUB]

    async def join(self, token='', **options):
        socket = await self.client.ws_connect('/ws', **options)
        await socket.send_json(dict(token=token))
        return socket

    async def fetch(self, path, token=None, **headers):
        if token is not None:
            headers['Authorization'] = f'Bearer {token}'
        return await self.client.get(path, headers=headers)


@asynccontextmanager
async def opened(token=None, most_viewers=20, camera=None):
    feed = Feed()
    session = LiveSession(StandInDetector(), feed, 'street.wav', camera)
    async with TestClient(TestServer(await make_app(session, token, most_viewers))) as client:
        session.start()
        try:
            yield Page(client, session, feed)
        finally:
            feed.end()
            session.stop()


async def text_of(socket, kind):
    """The next text of that type."""
    while True:
        message = await socket.receive(timeout=60)
        assert message.type in (WSMsgType.TEXT, WSMsgType.BINARY), message
        if message.type is WSMsgType.TEXT and message.json()['type'] == kind:
            return message.json()


async def result_of(socket):
    while True:
        message = await socket.receive(timeout=60)
        assert message.type in (WSMsgType.TEXT, WSMsgType.BINARY), message
        if message.type is WSMsgType.BINARY:
            return unpack(message.data)


async def until(condition):
    for _ in range(6000):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError('it did not happen')


def run(test):
    """Run a test that is a coroutine."""

    def wrapped():
        asyncio.run(asyncio.wait_for(test(), 180))

    wrapped.__name__ = test.__name__
    return wrapped


@run
async def test_viewers_get_results_and_the_page_needs_no_other_address():
    async with opened() as page:
        response = await page.client.get('/')
        text = await response.text()
        assert '<canvas id="view"' in text and 'http' not in text
        policy = response.headers['Content-Security-Policy']
        assert "default-src 'none'" in policy and "script-src 'self'" in policy
        for name in ('/app.js', '/style.css'):
            text = await (await page.client.get(name)).text()
            assert len(text) > 1000 and 'http://' not in text and 'https://' not in text
        assert (await page.client.get('/../server.py')).status == 404
        socket = await page.join()
        hello = await text_of(socket, 'hello')
        assert hello['source'] == 'street.wav' and hello['image_size'] == [152, 65]
        for number in range(1, 4):
            page.feed.give()
            header, _ = await result_of(socket)
            assert header['number'] == number and header['bboxes'][0] == [10 + number, 20, 40 + number, 40]


@run
async def test_without_the_token_there_is_nothing():
    async with opened(TOKEN) as page:
        page.feed.give()
        await until(lambda: page.session.recent.results()['results'])
        for first in (
            json.dumps(dict(token='another secret')),
            json.dumps(dict(token='')),
            json.dumps(dict(token=None)),
            json.dumps(dict(pause=True)),
            '[]',
            'no json',
        ):
            socket = await page.client.ws_connect('/ws')
            await socket.send_str(first)
            page.feed.give()
            message = await socket.receive(timeout=60)
            assert message.type is WSMsgType.CLOSE and socket.close_code == WRONG_TOKEN
        assert not page.session.paused and not page.hub.viewers
        for name in ('sound.wav', 'results.json', 'tracks.txt', 'nothing'):
            for token in (None, 'another secret', '', TOKEN[:-1], TOKEN + 'x'):
                response = await page.fetch(f'/download/{name}', token)
                assert response.status == 401 and len(await response.read()) < 20
        socket = await page.join(TOKEN)
        await text_of(socket, 'hello')
        page.feed.give()
        await result_of(socket)
        assert (await page.fetch('/download/results.json', TOKEN)).status == 200


@run
async def test_a_viewer_that_says_nothing_gets_nothing():
    async with opened() as page:
        socket = await page.client.ws_connect('/ws')
        page.feed.give()
        with pytest.raises(asyncio.TimeoutError):
            await socket.receive(timeout=0.3)
        assert not page.hub.viewers


@run
async def test_pages_of_others_are_refused():
    async with opened() as page:
        host = f'127.0.0.1:{page.client.port}'
        for origin in ('http://evil.example', 'null', f'http://{host}.evil.example', 'http://localhost:1'):
            with pytest.raises(aiohttp.WSServerHandshakeError, match='403'):
                await page.client.ws_connect('/ws', headers=dict(Origin=origin))
            assert (await page.fetch('/download/results.json', Origin=origin)).status == 403
        await text_of(await page.join(headers=dict(Origin=f'http://{host}')), 'hello')
        # a name that leads here, as DNS rebinding makes them
        rebound = dict(
            Host=f'evil.example:{page.client.port}', Origin=f'http://evil.example:{page.client.port}'
        )
        with pytest.raises(aiohttp.WSServerHandshakeError, match='403'):
            await page.client.ws_connect('/ws', headers=rebound)
        assert (await page.fetch('/', **rebound)).status == 403
        assert (await page.fetch('/', Host='localhost:99')).status == 200  # through a tunnel
        assert (await page.fetch('/', Host='[::1')).status == 400
    async with opened(TOKEN) as page:  # by whatever name; the token protects it
        named = dict(Host='live.example:80', Origin='http://live.example:80')
        await text_of(await page.join(TOKEN, headers=named), 'hello')


@run
async def test_downloads_are_what_was_fed_in():
    async with opened() as page:
        assert (await page.fetch('/download/sound.wav')).status == 404
        wave = noise(5 * HOP)
        for start in range(0, 5 * HOP, HOP):
            page.feed.give(wave[:, start : start + HOP])
        await until(lambda: len(page.session.recent.results()['results']) == 5)
        response = await page.fetch('/download/sound.wav')
        assert response.headers['Content-Disposition'] == 'attachment; filename="sound.wav"'
        samples, rate = soundfile.read(io.BytesIO(await response.read()), dtype='int16')
        np.testing.assert_array_equal(samples.T, wave)
        assert rate == RATE
        results = await (await page.fetch('/download/results.json')).json()
        expected = StandInDetector().push(wave, RATE, 0, 0.0)
        for result in expected:
            result['levels'] = [-20.0, None]  # JSON has no infinite numbers
        assert results['results'] == expected and results['image_size'] == [152, 65]
        tracks = (await (await page.fetch('/download/tracks.txt')).text()).splitlines()
        assert len(tracks) == 5 and tracks[0] == '1,1,12.00,21.00,30.00,20.00,0.9000,-1,-1,-1'
        assert (await page.fetch('/download/secrets')).status == 404


@run
async def test_twenty_viewers_and_no_more():
    async with opened() as page:
        sockets = [await page.join() for _ in range(20)]
        for socket in sockets:
            await text_of(socket, 'hello')
        late = await page.join()
        assert (await late.receive(timeout=60)).type is WSMsgType.CLOSE and late.close_code == TOO_MANY
        for number in range(1, 6):
            page.feed.give()
            headers = [(await result_of(socket))[0] for socket in sockets]
            assert {header['number'] for header in headers} == {number}
        await sockets[0].close()
        await until(lambda: len(page.hub.viewers) == 19)
        await text_of(await page.join(), 'hello')


@run
async def test_a_slow_viewer_slows_nobody():
    async with opened(camera=NoiseCamera()) as page:
        slow, fast = await page.join(), await page.join()
        await text_of(fast, 'hello')
        await until(lambda: len(page.hub.viewers) == 2)
        size = 0
        for number in range(1, 61):
            page.feed.give()
            header, parts = await result_of(fast)  # the other one does not read
            assert header['number'] == number
            size += len(parts['image'])
        assert size > 15e6, 'more than fits into the buffers of a connection'
        missed = sorted(viewer.missed for viewer in page.hub.viewers)
        assert missed[0] == 0 and missed[1] > 5
        await text_of(slow, 'hello')
        numbers = [(await result_of(slow))[0]['number'] for _ in range(60 - missed[1])]
        assert numbers == sorted(numbers) and numbers[-2:] == [59, 60]


@run
async def test_events_reach_all_and_who_joins_later():
    async with opened() as page:
        socket = await page.join()
        await text_of(socket, 'hello')
        page.feed.give(lost=8)
        event = await text_of(socket, 'event')
        assert event['message'] == '8 samples are missing' and event['kind'] == 'gap'
        await socket.close()
        again = await text_of(await page.join(), 'hello')  # a viewer that reconnects
        assert [item['message'] for item in again['events']] == ['8 samples are missing']
        assert again['session'] == page.session.name


@run
async def test_a_pause_holds_for_all():
    async with opened() as page:
        first, second = await page.join(), await page.join()
        await text_of(first, 'hello')
        await text_of(second, 'hello')
        for text in ('no json', '[1]', '{"pause": "yes"}', '{"pause": true}'):
            await first.send_str(text)
        for socket in (first, second):
            assert (await text_of(socket, 'paused'))['paused'] and page.session.paused
        assert (await text_of(await page.join(), 'hello'))['paused']
        page.feed.give()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(result_of(second), 0.3)
        await second.send_json(dict(pause=False))
        assert not (await text_of(first, 'paused'))['paused']
        header, _ = await result_of(first)
        assert header['number'] == 1


def test_who_needs_a_token():
    for host in ('127.0.0.1', '::1', 'localhost', '127.1.2.3'):
        check_token(host, None)
    for host in ('0.0.0.0', '192.168.0.7', '::', 'array.example'):
        check_token(host, TOKEN)
        with pytest.raises(ValueError, match='give a token'):
            check_token(host, None)
    with pytest.raises(ValueError, match='7 characters, but needs 8'):
        check_token('127.0.0.1', 'a' * 7)


@asynccontextmanager
async def served(feed, **options):
    """A session that is served; gives the task, and the page's address."""
    session = LiveSession(StandInDetector(), feed, 'street.wav')
    announced = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(session, port=0, announce=announced.set_result, **options))
    yield task, await announced
    if not task.done():
        signal.raise_signal(signal.SIGINT)
        await task


@run
async def test_an_error_of_the_source_is_shown_and_ends_the_server():
    feed = Feed()
    async with served(feed) as (task, address), aiohttp.ClientSession() as client:
        async with client.ws_connect(f'{address}ws') as socket:
            await socket.send_json(dict(token=''))
            await text_of(socket, 'hello')
            feed.end(SampleError('street.wav', 'is damaged'))
            assert (await text_of(socket, 'event'))['kind'] == 'error'
            assert (await text_of(socket, 'ended'))['error'] == 'street.wav: is damaged'
            with pytest.raises(SampleError, match='is damaged'):
                await task
    assert threading.active_count() < 10


@run
async def test_it_ends_with_the_source_unless_it_shall_stay():
    for stay in (False, True):
        feed = Feed()
        async with served(feed, stay=stay) as (task, address), aiohttp.ClientSession() as client:
            async with client.ws_connect(f'{address}ws') as socket:
                await socket.send_json(dict(token=''))
                await text_of(socket, 'hello')
                feed.give()
                feed.end()
                assert (await text_of(socket, 'ended'))['error'] is None
                await asyncio.wait([task], timeout=0.5 if stay else 10)
                assert task.done() is not stay
                if stay:
                    async with client.get(f'{address}download/results.json') as response:
                        assert len((await response.json())['results']) == 1


@run
async def test_an_interrupt_ends_it_at_once():
    feed = Feed()  # which gives nothing and does not end
    async with served(feed) as (task, address), aiohttp.ClientSession() as client:
        async with client.ws_connect(f'{address}ws') as socket:
            await socket.send_json(dict(token=''))
            await text_of(socket, 'hello')
            begin = asyncio.get_running_loop().time()
            signal.raise_signal(signal.SIGINT)
            await task
            assert asyncio.get_running_loop().time() - begin < 5
    feed.end()


@run
async def test_a_port_that_is_taken():
    feed = Feed()
    async with served(feed) as (_, address):
        session = LiveSession(StandInDetector(), Feed())
        with pytest.raises(OSError):
            await serve(session, port=int(address.rstrip('/').rpartition(':')[2]))
    feed.end()
