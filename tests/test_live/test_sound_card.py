"""A sound card by PortAudio and ALSA: PulseAudio's null sink, whose monitor records what is played to it.

Run by `make test-sound-card`.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from stand_ins import noise
from test_reading import wait_until

sys.path.insert(0, str(Path(__file__).parents[1]))
from forked_script import finish, start_script

from mmav.apis.audio_sources import sound_card_chunks
from mmav.utils.errors import SampleError

pytestmark = pytest.mark.sound_card

RATE = 44100
# the order of eight channels in ALSA, so that nothing is reordered or mixed
CHANNELS = 'front-left,front-right,rear-left,rear-right,front-center,lfe,side-left,side-right'
TOOL = Path(__file__).parents[2] / 'tools' / 'live.py'


@pytest.fixture
def server(tmp_path, monkeypatch) -> subprocess.Popen:
    """A PulseAudio of our own, with a null sink of eight channels as the card."""
    socket = tmp_path / 'socket'
    for name in ('HOME', 'XDG_RUNTIME_DIR', 'XDG_CONFIG_HOME'):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv('PULSE_SERVER', f'unix:{socket}')
    monkeypatch.setenv('PULSE_SOURCE', 'array.monitor')
    command = [
        'pulseaudio',
        '-n',
        '--daemonize=no',
        '--exit-idle-time=-1',
        '--use-pid-file=no',
        '--realtime=no',
    ]
    command += [f'--load=module-native-protocol-unix auth-anonymous=1 socket={socket}']
    sink = f'sink_name=array channels=8 rate={RATE} format=s16le channel_map={CHANNELS}'
    process = subprocess.Popen([*command, f'--load=module-null-sink {sink}'])
    wait_until(socket.exists)
    yield process
    process.kill()
    process.wait()


def play(wave: np.ndarray) -> threading.Thread:
    """Play (8, n) samples to the card, in the background."""
    command = ['pacat', '--playback', '--raw', '--device=array', '--channels=8', f'--rate={RATE}']
    command += ['--format=s16le', f'--channel-map={CHANNELS}']
    data = np.ascontiguousarray(wave.T).tobytes()
    thread = threading.Thread(target=lambda: subprocess.run(command, input=data, check=True))
    thread.start()
    return thread


def test_the_samples_of_all_channels(server):
    wave = noise(3 * RATE, channels=8)
    chunks = sound_card_chunks(8, RATE, device='pulse')
    found = [next(chunks)]
    player = play(wave)
    while len(found) < 20 or np.any(found[-1].samples):
        found.append(next(chunks))
        assert len(found) < 200, 'it does not end'
    chunks.close()
    player.join()
    assert {chunk.samples.shape for chunk in found} == {(8, 4410)}
    heard = np.concatenate([chunk.samples for chunk in found], axis=1)
    # players begin a little late; from there on each sample of each channel is the one that was played
    middle = np.flatnonzero(heard.any(0))[0] + RATE
    (place,) = np.flatnonzero((wave[0] == heard[0, middle]) & (np.roll(wave[0], -1) == heard[0, middle + 1]))
    np.testing.assert_array_equal(heard[:, middle : middle + RATE], wave[:, place : place + RATE])


def test_a_card_that_is_not_there_or_is_gone(server):
    with pytest.raises(
        SampleError, match=r"sound card no such card: No input device matching 'no such card'"
    ):
        next(sound_card_chunks(8, RATE, device='no such card'))
    chunks = sound_card_chunks(8, RATE, device='pulse')
    next(chunks)
    server.kill()
    with pytest.raises(SampleError, match='sound card pulse: has given nothing for 5 s'):
        for _ in range(500):
            next(chunks)


def test_the_command(server, toy_config, build_detector, tmp_path):
    options = {'model.data_preprocessor.audio_size': (96, 96)}
    cfg = toy_config('avd/faster_rcnn_r18_sim_acoustic.py', options)
    cfg.dump(tmp_path / 'config.py')
    torch.save(dict(state_dict=build_detector(cfg).state_dict()), tmp_path / 'model.pth')
    printed = tmp_path / 'printed.txt'
    printed.touch()
    command = [
        TOOL,
        tmp_path / 'config.py',
        tmp_path / 'model.pth',
        '--sound-card',
        'pulse',
        '--json',
        '--no-page',
    ]
    process = start_script(command, printed)
    end = time.monotonic() + 180
    while printed.read_text().count('"bboxes"') < 3:
        assert process.is_alive() and time.monotonic() < end, printed.read_text()
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGINT)
    assert finish(process) == 0 and 'Traceback' not in printed.read_text()
    assert 'is constant: no sound arrives' in printed.read_text()  # nobody plays
