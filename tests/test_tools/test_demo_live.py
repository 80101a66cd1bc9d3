"""The live demo in miniature: it simulates, trains, and serves a page that shows results."""

import asyncio
import importlib
import os
import re
import signal
import sys
import time
from pathlib import Path

import aiohttp
import pytest
from forked_script import finish, start_script

from mmav.live.encoding import unpack

DEMO = Path(__file__).parents[2] / 'tools' / 'demos' / 'demo_live.py'


async def first_result(address: str) -> tuple[dict, dict, dict]:
    """What a viewer is told first, and header and parts of the first result."""
    async with aiohttp.ClientSession() as client, client.ws_connect(f'{address}ws') as socket:
        await socket.send_json(dict(token=''))
        hello = await socket.receive_json()
        async for message in socket:
            if message.type is aiohttp.WSMsgType.BINARY:
                return hello, *unpack(message.data)
    raise AssertionError('no result')


@pytest.mark.slow
def test_it_shows_a_drive_and_takes_the_detector_of_the_demo_if_there_is_one(tmp_path, monkeypatch):
    work_dir, printed = tmp_path / 'live', tmp_path / 'printed.txt'
    printed.touch()
    options = ['--preset', 'tiny', '--workers', '1', '--work-dir', work_dir, '--port', '0']
    process = start_script([DEMO, *options, '--demo', tmp_path / 'none'], printed)
    end = time.monotonic() + 600
    while not (page := re.search('^page: (.*)$', printed.read_text(), re.MULTILINE)):
        assert process.is_alive() and time.monotonic() < end, printed.read_text()[-3000:]
        time.sleep(0.2)
    hello, header, parts = asyncio.run(asyncio.wait_for(first_result(page[1]), 60))
    os.kill(process.pid, signal.SIGINT)
    assert finish(process) == 0 and 'Traceback' not in printed.read_text()
    assert hello['image_size'] == [1520, 650] and hello['acoustic']
    assert parts['image'][:2] == b'\xff\xd8' and len(parts['acoustic']) == 24 * 48
    assert len(header['levels']) == 8

    # the folder of `make demo`
    taught = tmp_path / 'demo' / 'taught'
    taught.mkdir(parents=True)
    (taught / 'last_checkpoint').write_text('taught.pth')
    monkeypatch.syspath_prepend(str(DEMO.parent))
    monkeypatch.setattr(sys, 'argv', ['demo_live.py', '--workers', '0'])  # no server of processes
    demo = importlib.import_module('demo_live')
    outcome = demo.run_demo(work_dir, demo.PLANS['tiny'], 0, 1, taught.parent, '127.0.0.1', 0)
    assert (outcome['config'], outcome['checkpoint']) == (str(taught / 'config.py'), 'taught.pth')
