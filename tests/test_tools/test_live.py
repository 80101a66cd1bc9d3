"""Running recordings by tools/live.py: lines of JSON, the page, and how it ends."""

import asyncio
import json
import os
import runpy
import signal
import subprocess
import sys
import threading
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import aiohttp
import numpy as np
import pytest
import soundfile
import torch
from forked_script import finish, start_script

from mmav.apis import AudioDetInferencer, StreamingAudioDetector
from mmav.live.encoding import unpack

ROOT = Path(__file__).parents[2]
TOOL = ROOT / 'tools' / 'live.py'
RATE = 44100


@pytest.fixture
def files(tmp_path, toy_config, build_detector) -> list[str]:
    """A config and a checkpoint of random weights."""
    options = {'model.data_preprocessor.audio_size': (96, 96)}
    cfg = toy_config('avd/faster_rcnn_r18_sim_acoustic.py', options)
    cfg.dump(tmp_path / 'config.py')
    torch.save(dict(state_dict=build_detector(cfg).state_dict()), tmp_path / 'model.pth')
    return [str(tmp_path / 'config.py'), str(tmp_path / 'model.pth')]


@pytest.fixture
def wave() -> np.ndarray:
    return np.random.default_rng(0).integers(-9999, 9999, (8, 2 * RATE)).astype(np.int16)


@pytest.fixture
def expected(files, wave) -> list[dict]:
    """Results of the class on the whole recording."""
    inferencer = AudioDetInferencer(*files, device='cpu', show_progress=False)
    tracker = dict(type='IoUTracker', init_score_thr=0.3)
    detector = StreamingAudioDetector(inferencer, hop=0.25, tracker=tracker)
    chunks = np.split(wave, range(4410, 2 * RATE, 4410), axis=1)  # levels are those of the newest sound
    results = [result for chunk in chunks for result in detector.push(chunk)] + detector.flush()
    assert len(results) == 5 and sum(len(result['scores']) for result in results) > 5
    assert max(max(result['track_ids']) for result in results) > 0
    return results


async def watch(address: str) -> list[dict]:
    """What a viewer gets to the end: headers of results, and texts."""
    found = []
    async with aiohttp.ClientSession() as client, client.ws_connect(f'{address}ws') as socket:
        await socket.send_json(dict(token=''))
        async for message in socket:
            binary = message.type is aiohttp.WSMsgType.BINARY
            found.append(unpack(message.data)[0] if binary else message.json())
    return found


def test_a_pipe_becomes_lines_of_json_and_a_page(files, wave, expected):
    arguments = ['--stdin', '--channels', '8', '--sample-rate', '44100', '--format', 's16le', '--hop', '0.25']
    arguments += ['--tracker', 'iou', '--tracker-options', 'init_score_thr=0.3', '--as-fast-as-possible']
    process = subprocess.Popen(
        [sys.executable, TOOL, *files, *arguments, '--json', '--port', '0', '--device', 'cpu'],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ, PYTHONPATH=str(ROOT)),
    )
    told = []
    for line in process.stderr:
        told.append(line.decode())
        if told[-1].startswith('page: '):
            break
    viewed = []
    viewer = threading.Thread(target=lambda: viewed.extend(asyncio.run(watch(told[-1].split()[1]))))
    viewer.start()
    time.sleep(0.5)
    data = np.ascontiguousarray(wave.T).tobytes()
    for start in range(0, len(data), 54321):
        process.stdin.write(data[start : start + 54321])
    process.stdin.close()
    lines = [json.loads(line) for line in process.stdout]
    assert process.wait(180) == 0, process.stderr.read()
    viewer.join(20)

    assert len(lines) == len(expected)
    for line, result in zip(lines, expected):
        np.testing.assert_allclose(line['bboxes'], result['bboxes'], rtol=1e-5, atol=1e-3)
        np.testing.assert_allclose(line['scores'], result['scores'], atol=1e-5)
        np.testing.assert_allclose(line['levels'], result['levels'])
        for key in ('time', 'start', 'duration', 'labels', 'classes', 'track_ids', 'skipped', 'events'):
            assert line[key] == result[key]
    assert viewed[0]['type'] == 'hello' and viewed[0]['acoustic'] and viewed[-1]['type'] == 'ended'
    headers = [message for message in viewed if message['type'] == 'result']
    assert headers[-1]['track_ids'] == lines[-1]['track_ids']
    assert headers[-1]['parts'][0]['name'] == 'acoustic' and headers[-1]['parts'][0]['shape'] == [24, 48]


def wait_for(process: BaseProcess, path: Path, text: str) -> None:
    """Wait until the process has printed a text."""
    end = time.monotonic() + 180
    while text not in path.read_text():
        assert process.is_alive() and time.monotonic() < end, path.read_text()
        time.sleep(0.05)


def test_an_interrupt_ends_it_well(files, wave, tmp_path):
    soundfile.write(tmp_path / 'street.wav', wave.T, RATE)
    printed = tmp_path / 'printed.txt'
    command = [TOOL, *files, '--file', tmp_path / 'street.wav', '--loop', '--port', '0', '--json']
    printed.touch()
    process = start_script(command, printed)
    wait_for(process, printed, '"time": 2.')  # it has begun anew
    os.kill(process.pid, signal.SIGINT)
    assert finish(process) == 0
    assert 'Traceback' not in printed.read_text()


@pytest.mark.parametrize(('page', 'channels'), [(True, 6), (False, 6), (False, 0)])
def test_a_source_that_cannot_be_used_is_one_line(files, wave, tmp_path, page, channels):
    path = tmp_path / 'street.wav'
    soundfile.write(path, wave[:channels].T, RATE) if channels else path.write_bytes(b'RIFF')
    printed = tmp_path / 'printed.txt'
    options = ['--port', '0'] if page else ['--json', '--no-page']
    assert finish(start_script([TOOL, *files, '--file', path, *options], printed)) == 2
    message = 'has 6 channels, but the model takes 8 microphones' if channels else 'not a readable sound file'
    assert printed.read_text().splitlines()[-1].startswith('live: ') and message in printed.read_text()
    assert 'Traceback' not in printed.read_text()


def test_channels_are_picked(files, wave, expected, tmp_path):
    order = [1, 2, 3, 4, 5, 6, 7, 8]
    soundfile.write(tmp_path / 'street.wav', np.concatenate([wave[:1] * 0, wave]).T, RATE)
    printed = tmp_path / 'printed.txt'
    command = [TOOL, *files, '--file', tmp_path / 'street.wav', '--use-channels', *order, '--hop', '0.25']
    command += ['--as-fast-as-possible', '--json', '--no-page', '--tracker', 'none', '--device', 'cpu']
    assert finish(start_script(command, printed)) == 0, printed.read_text()
    lines = [json.loads(line) for line in printed.read_text().splitlines() if line.startswith('{')]
    assert len(lines) == len(expected)
    for line, result in zip(lines, expected):
        np.testing.assert_allclose(line['scores'], result['scores'], atol=1e-5)
        assert set(line['track_ids']) == {-1}


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (
            ['--file', 'a.wav', '--host', '0.0.0.0'],
            '0.0.0.0 can be reached from other machines: give a token',
        ),
        (['--file', 'a.wav', '--host', '0.0.0.0', '--token', 'short'], 'the token has 5 characters'),
        (['--file', 'no.wav'], 'no.wav: the file is missing'),
        (['--sound-card', '--as-fast-as-possible'], '--as-fast-as-possible is for sources that can wait'),
        (['--stdin', '--loop'], '--loop goes with --file'),
        (['--file', 'a.wav', '--sample-rate', '48000'], 'files tell theirs'),
        (['--file', 'a.wav', '--port', '65536'], '--port must be in 0..65535'),
        (['--file', 'a.wav', '--no-page'], '--no-page goes with --json'),
        ([], 'one of the arguments --file --stdin --sound-card is required'),
        (['--file', 'a.wav', '--stdin'], 'not allowed with argument'),
    ],
)
def test_what_cannot_be_asked_for(monkeypatch, capsys, tmp_path, options, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv('MMAV_LIVE_TOKEN', raising=False)
    monkeypatch.setattr(sys, 'argv', ['live.py', 'config.py', 'model.pth', *options])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TOOL), run_name='__main__')
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
