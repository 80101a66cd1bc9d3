"""The page in a browser: headless Chromium clicks through it. Run by `make test-browser`."""

import asyncio
import base64
import io
import os
import shutil
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import soundfile
import torch
from aiohttp import web
from playwright.sync_api import Browser, Page, expect, sync_playwright
from stand_ins import HOP, RATE, SIZE, Feed, NoiseCamera, StandInDetector, noise
from test_reading import wait_until

sys.path.insert(0, str(Path(__file__).parents[1]))
from free_port import free_port
from rigs import make_rig

from mmav.live import LiveSession
from mmav.live.server import make_app, page_address
from mmav.models.layers import AcousticImage
from mmav.utils.errors import SampleError

pytestmark = pytest.mark.browser

expect.set_options(timeout=30000)  # machines of tests are busy
ARGUMENTS = (
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
)
TOKEN = 'a long secret, with %#& in it'


class Served:
    """A session with its page, served by a thread."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self.feed, self.detector, self.token = Feed(), StandInDetector(), token
        layer = AcousticImage(make_rig(), grid=(4, 8), channels=('broadband',), windows=(None,))
        self.detector.inferencer.takes_features = True
        self.detector.inferencer.model.data_preprocessor = SimpleNamespace(acoustic_image=layer)
        self.detector.last_inputs = dict(acoustic_image=torch.linspace(0, 1, 32).view(1, 4, 8))
        self.session = LiveSession(self.detector, self.feed, 'street.wav', NoiseCamera((152, 65)))
        self.port, self.loop = port, asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self.loop).result(20)

    @property
    def address(self) -> str:
        return page_address('127.0.0.1', self.port, self.token)

    async def _start(self) -> None:
        self.runner = web.AppRunner(await make_app(self.session, self.token), shutdown_timeout=0.1)
        await self.runner.setup()
        await web.TCPSite(self.runner, '127.0.0.1', self.port).start()
        self.session.start()

    def close(self) -> None:
        if not self.loop.is_closed():
            asyncio.run_coroutine_threadsafe(self.runner.cleanup(), self.loop).result(20)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()
            self.loop.close()
            self.feed.end()
            self.session.stop()


@pytest.fixture(scope='module')
def browser() -> Browser:
    names = ('chromium', 'chromium-browser', 'google-chrome')
    path = os.environ.get('CHROMIUM') or next(filter(None, map(shutil.which, names)))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser) -> Page:
    """An empty page; in the end it must have asked nobody but us, and met no error."""
    page = browser.new_page()
    page.set_default_timeout(60000)
    asked, errors = [], []
    page.on('request', lambda request: asked.append(request.url))
    page.on('pageerror', lambda error: errors.append(str(error)))
    page.on('websocket', lambda socket: asked.append(socket.url))
    yield page
    page.close()
    assert not errors
    assert asked and all(url.split('/')[2].startswith('127.0.0.1:') for url in asked if url[:5] != 'blob:')


@pytest.fixture
def serve():
    open_ones = []

    def start(port: int | None = None, token: str | None = None) -> Served:
        open_ones.append(Served(port or free_port(), token))
        return open_ones[-1]

    yield start
    for served in open_ones:
        served.close()


def joined(page: Page, served: Served) -> None:
    """Open the page and wait until the server knows of it."""
    page.goto(served.address)
    expect(page.locator('#connection')).to_have_text('connected')


def pixels(page: Page, canvas: str = 'view') -> np.ndarray:
    """(H, W, 4): blue, green, red and opacity of a canvas."""
    text = page.evaluate(f"document.getElementById('{canvas}').toDataURL('image/png')")
    data = np.frombuffer(base64.b64decode(text.partition(',')[2]), np.uint8)
    return cv2.imdecode(data, cv2.IMREAD_UNCHANGED)


def color_at(page: Page, x: int, y: int) -> list[int]:
    """Red, green and blue at a place of the camera image."""
    image = pixels(page)
    scale = image.shape[1] / SIZE[0]
    return image[round(y * scale), round(x * scale), 2::-1].tolist()


def test_boxes_arrive_and_move(page, serve):
    served = serve()
    joined(page, served)
    expect(page.locator('#source')).to_have_text('street.wav')
    served.feed.give()
    boxes = page.locator('#boxes li')
    expect(boxes).to_have_count(1)
    expect(boxes).to_have_text('vehicle 10.90')  # track 1, score 0.90
    expect(page.locator('#time')).to_have_text('0:00.1')
    # the lower edge of the box, in the color of its track
    assert color_at(page, 26, 40) == [0x40, 0x78, 0xFF]
    for _ in range(20):
        served.feed.give()
    expect(page.locator('#time')).to_have_text('0:02.1')
    assert color_at(page, 46, 40) == [0x40, 0x78, 0xFF]
    expect(page.locator('#latency')).to_have_text('10 ms')
    expect(page.locator('#viewers')).to_have_text('1')
    levels = page.locator('#meters .level')
    expect(levels).to_have_text(['-20.0', '–'])
    assert page.locator('#meters meter').first.evaluate('meter => meter.value') == -20


def test_the_slider_chooses_boxes(page, serve):
    served = serve()
    joined(page, served)
    served.feed.give()
    boxes = page.locator('#boxes li')
    for value, count in (('0.1', 2), ('0.5', 1), ('0.95', 0), ('0.2', 2)):
        page.locator('#threshold').fill(value)
        expect(boxes).to_have_count(count)
        expect(page.locator('#threshold-value')).to_have_text(f'{float(value):.2f}')


def test_layers_are_switched_on_and_off(page, serve):
    served = serve()
    joined(page, served)
    for number in range(1, 11):
        served.feed.give()
        expect(page.locator('#time')).to_have_text(f'0:{number / 10:04.1f}')  # none is left out
    for name in ('#overlay', '#tails'):
        with_it = pixels(page)
        page.locator(name).uncheck()
        assert np.mean(pixels(page) != with_it) > (0.2 if name == '#overlay' else 1e-4)
        page.locator(name).check()
        np.testing.assert_array_equal(pixels(page), with_it)
    # the spectrogram has begun at the right
    opaque = pixels(page, 'spectrogram')[0, :, 3]
    assert (opaque[-14:] == 255).all() and not opaque[:-14].any()  # of 8,000 samples


def test_pause_and_go_on(page, serve):
    served = serve()
    joined(page, served)
    page.locator('#pause').click()
    expect(page.locator('#pause')).to_have_text('Go on')
    assert served.session.paused
    served.feed.give()
    expect(page.locator('#events li').first).to_contain_text('paused')
    expect(page.locator('#boxes li')).to_have_count(0)
    page.locator('#pause').click()
    expect(page.locator('#boxes li')).to_have_count(1)
    assert not served.session.paused


def test_downloads(page, serve):
    served = serve(token=TOKEN)
    joined(page, served)
    served.feed.give(noise(HOP))
    expect(page.locator('#boxes li')).to_have_count(1)
    with page.expect_download() as started:
        page.locator('#download-sound').click()
    assert started.value.suggested_filename == 'sound.wav'
    samples, rate = soundfile.read(io.BytesIO(Path(started.value.path()).read_bytes()), dtype='int16')
    np.testing.assert_array_equal(samples.T, noise(HOP))
    assert rate == RATE
    with page.expect_download() as started:
        page.locator('#download-tracks').click()
    assert Path(started.value.path()).read_text().startswith('1,1,12.00,21.00,30.00,20.00')


def test_it_reconnects_by_itself(page, serve):
    served = serve()
    joined(page, served)
    for _ in range(3):
        served.feed.give(lost=8)
    expect(page.locator('#time')).to_have_text('0:00.3')
    expect(page.locator('#events li')).to_have_count(3)
    served.close()
    expect(page.locator('#connection')).not_to_have_attribute('data-state', 'connected')
    again = serve(served.port)
    expect(page.locator('#connection')).to_have_attribute('data-state', 'connected')
    expect(page.locator('#events li')).to_have_count(0)  # those of another session
    expect(page.locator('#boxes li')).to_have_count(0)
    again.feed.give()
    expect(page.locator('#boxes li')).to_have_count(1)
    expect(page.locator('#time')).to_have_text('0:00.1')


def test_a_wrong_token_gets_nothing_and_the_right_one_lets_in(page, serve):
    served = serve(token=TOKEN)
    served.feed.give(lost=8)
    wait_until(lambda: served.session.events())
    page.goto(served.address.partition('#')[0] + '#token=wrong-token')
    expect(page.locator('#connection')).to_have_text('wrong token')
    served.feed.give()
    page.wait_for_timeout(300)
    for name in ('#boxes li', '#events li', '#meters meter'):
        expect(page.locator(name)).to_have_count(0)
    expect(page.locator('#time')).to_have_text('–')
    assert not pixels(page).any() and served.session.watched is False
    page.locator('#download-results').click()
    expect(page.locator('#notice')).to_have_text('wrong token\n')
    page.locator('#token').fill(TOKEN)
    page.locator('#login-button').click()
    expect(page.locator('#connection')).to_have_text('connected')
    expect(page.locator('#login')).to_be_hidden()
    served.feed.give()
    expect(page.locator('#boxes li')).to_have_count(1)


@pytest.mark.parametrize('error', [SampleError('street.wav', 'is <b>damaged</b>'), None])
def test_how_it_ended_is_shown(page, serve, error):
    served = serve()
    joined(page, served)
    served.feed.give()
    expect(page.locator('#boxes li')).to_have_count(1)
    served.feed.end(error)
    if error is None:
        expect(page.locator('#connection')).to_have_text('the recording has ended')
        expect(page.locator('#notice')).to_be_hidden()
        served.close()
        page.wait_for_timeout(800)
        expect(page.locator('#connection')).to_have_text('the recording has ended')
    else:
        expect(page.locator('#connection')).to_have_text('the detection has failed')
        expect(page.locator('#notice')).to_have_text(str(error))
        expect(page.locator('#events li').first).to_contain_text('is <b>damaged</b>')
