"""Detect vehicles while the sound comes in, and show it on a page in the browser.

    python tools/live.py config.py checkpoint.pth --file street.wav --camera camera.mp4
    arecord -D hw:1 -c 8 -r 44100 -f S16_LE -t raw | python tools/live.py config.py checkpoint.pth --stdin
    python tools/live.py config.py checkpoint.pth --sound-card --camera /dev/video0
    python tools/live.py config.py checkpoint.pth --file street.wav --as-fast-as-possible --json --no-page

The page is at http://127.0.0.1:8000. Boxes are in pixels of the cropped camera image. --json writes a line
for each result to standard output; messages for people go to standard error.
"""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split
from mmengine.config import DictAction

from mmav.apis import AudioClip, AudioDetInferencer, StreamingAudioDetector
from mmav.apis.audio_sources import PCM_FORMATS, AudioChunk, file_chunks, pcm_chunks, sound_card_chunks
from mmav.apis.command_line import add_model_arguments, build_inferencer
from mmav.apis.recording_rig import check_recordings
from mmav.live import LiveSession, open_camera
from mmav.live.camera import make_fit
from mmav.live.encoding import json_text
from mmav.media.audio_files import audio_length
from mmav.utils.command_line import ToolParser
from mmav.utils.errors import one_line_errors

TOKEN_VARIABLE = 'MMAV_LIVE_TOKEN'
TRACKERS = {
    'iou': dict(type='IoUTracker'),
    'byte': dict(type='MMDetTracker', tracker=dict(type='ByteTracker', motion=dict(type='KalmanFilter'))),
    'none': None,
}


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    add_model_arguments(parser, detector=True, batches=False)
    sources = parser.add_argument_group('source').add_mutually_exclusive_group(required=True)
    sources.add_argument('--file', help='sound file with a channel for each microphone')
    sources.add_argument('--stdin', action='store_true', help='raw samples from standard input')
    sources.add_argument(
        '--sound-card',
        nargs='?',
        const='',
        metavar='DEVICE',
        help="number or name, as `python -m sounddevice` lists them; default: the system's",
    )
    parser.add_argument('--channels', type=int, help="of --stdin and --sound-card; default: the model's")
    parser.add_argument('--sample-rate', type=int, help="of --stdin and --sound-card; default: the model's")
    parser.add_argument(
        '--format',
        choices=list(PCM_FORMATS),
        default='s16le',
        help='default: s16le',
    )
    parser.add_argument(
        '--use-channels',
        type=int,
        nargs='+',
        metavar='CHANNEL',
        help='channels of the source, from 0, in the order of the microphones; default: all as they come',
    )
    parser.add_argument(
        '--as-fast-as-possible',
        action='store_true',
        help='of --file and --stdin: leave no result out; the source waits for the detector',
    )
    parser.add_argument('--loop', action='store_true', help='begin --file anew when it has ended')
    parser.add_argument('--hop', type=float, default=0.1, help='seconds from result to result; default: 0.1')
    parser.add_argument(
        '--align-hop', action='store_true', help="round the hop to the front end's, which saves computing"
    )
    parser.add_argument(
        '--tracker', choices=list(TRACKERS), help="default: that of the config, or iou, MM-DistillNet's"
    )
    parser.add_argument(
        '--tracker-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
    )
    parser.add_argument(
        '--camera', help='image, folder of images, video, or camera such as /dev/video0, below the boxes'
    )
    parser.add_argument('--camera-fps', type=float, default=10.0, help='images a second; default: 10')
    parser.add_argument(
        '--camera-start',
        type=float,
        default=0.0,
        help='seconds of the recording at the first image of a folder or video; default: 0',
    )
    parser.add_argument('--host', default='127.0.0.1', help='address to listen on; default: %(default)s')
    parser.add_argument('--port', type=int, default=8000, help='0: any that is free; default: 8000')
    parser.add_argument(
        '--token',
        default=os.environ.get(TOKEN_VARIABLE),
        help=f'what viewers must know, where others can read no command lines; else set {TOKEN_VARIABLE}',
    )
    parser.add_argument('--viewers', type=int, default=20, help='most viewers at a time; default: 20')
    parser.add_argument('--score-thr', type=float, default=0.3, help='lowest score that is shown at first')
    parser.add_argument('--json', action='store_true', help='a line of JSON for each result')
    parser.add_argument('--no-page', action='store_true', help='no page; goes with --json')
    parser.add_argument('--stay', action='store_true', help='show the page when the recording has ended, too')
    args = parser.parse_args()
    if args.as_fast_as_possible and args.sound_card is not None:
        parser.error('--as-fast-as-possible is for sources that can wait, --file and --stdin')
    if args.loop and args.file is None:
        parser.error('--loop goes with --file')
    if args.file is not None and (args.channels is not None or args.sample_rate is not None):
        parser.error('--channels and --sample-rate are for --stdin and --sound-card: files tell theirs')
    if not 0 <= args.port <= 65535 or args.viewers < 1:
        parser.error('--port must be in 0..65535 and --viewers 1 or more')
    if args.no_page and not args.json:
        parser.error('--no-page goes with --json')
    if args.stdin and sys.stdin.isatty():
        parser.error('--stdin: standard input is a terminal; pipe raw samples into it')
    return args


@dataclass
class Source:
    """Where the sound comes from.

    Args:
        name: What messages call it.
        sample_rate: Hertz; None: the model's.
        open: Begins it, given the channels and the sample rate.
        period: Seconds after which it begins anew; None: never.
    """

    name: str
    sample_rate: int | None
    open: Callable[[int, int], Iterator[AudioChunk]]
    period: float | None = None


def make_source(args: argparse.Namespace) -> Source:
    """The source that the command line names."""
    seconds = min(args.hop, 0.1)
    if args.file is not None:
        length, rate = audio_length(args.file)
        real_time = not args.as_fast_as_possible

        def chunks(channels: int, sample_rate: int) -> Iterator[AudioChunk]:
            yield from file_chunks(args.file, seconds, real_time)
            while args.loop:
                yield from file_chunks(args.file, seconds, real_time)

        return Source(Path(args.file).name, rate, chunks, length / rate if args.loop else None)
    if args.stdin:
        # unbuffered: a thread that waits for a buffer cannot be ended
        stream = open(0, 'rb', buffering=0, closefd=False)
        return Source(
            'standard input',
            args.sample_rate,
            lambda channels, rate: pcm_chunks(stream, channels, rate, args.format, seconds),
        )
    device = int(args.sound_card) if args.sound_card.isdigit() else args.sound_card or None
    dtype = 'int16' if args.format == 's16le' else 'float32'
    return Source(
        'sound card',
        args.sample_rate,
        lambda channels, rate: sound_card_chunks(channels, rate, device, seconds, dtype),
    )


def build_detector(args: argparse.Namespace, sample_rate: int | None) -> StreamingAudioDetector:
    """The detector that the command line asks for, fed at a sample rate in hertz (None: its own)."""
    inferencer = build_inferencer(AudioDetInferencer, args, show_progress=False)
    tracker = inferencer.cfg.get('tracker') if args.tracker is None else TRACKERS[args.tracker]
    if args.tracker is None and tracker is None:
        tracker = TRACKERS['iou']
    return StreamingAudioDetector(
        inferencer,
        hop=args.hop,
        tracker=None if tracker is None else {'_scope_': 'mmdet', **tracker, **args.tracker_options},
        sample_rate=sample_rate,
        align_hop=args.align_hop,
        real_time=not args.as_fast_as_possible,
    )


def picked(chunks: Iterator[AudioChunk], channels: list[int], source: str) -> Iterator[AudioChunk]:
    """The channels of the microphones."""
    with contextlib.closing(chunks):
        for chunk in chunks:
            if not 0 <= min(channels) <= max(channels) < len(chunk.samples):
                raise ValueError(f'{source}: has {len(chunk.samples)} channels: --use-channels {channels}')
            yield replace(chunk, samples=chunk.samples[channels])


def make_session(args: argparse.Namespace, output: Callable[[str], None] | None) -> LiveSession:
    """The session that the command line asks for; ``output`` takes the lines of JSON."""
    source = make_source(args)
    detector = build_detector(args, source.sample_rate)
    inferencer = detector.inferencer
    if args.file is not None:
        clip = AudioClip(source.name, [args.file])
        check_recordings([clip], inferencer.rig, args.allow_other_rig)
    fit = make_fit(inferencer.image_size, inferencer.crop)
    camera = open_camera(args.camera, fit, args.camera_fps, args.camera_start)
    chunks = source.open(args.channels or inferencer.num_channels, detector.sample_rate)
    if args.use_channels:
        chunks = picked(chunks, args.use_channels, source.name)
    on_result = None if output is None else lambda result: output(json_text(result) + '\n')
    return LiveSession(detector, chunks, source.name, camera, source.period, args.score_thr, on_result)


@contextlib.contextmanager
def json_lines(wanted: bool) -> Iterator[Callable[[str], None] | None]:
    """Where lines of JSON go, which have standard output for themselves: all else goes to standard error."""
    if not wanted:
        yield None
        return
    file = os.dup(1)
    os.dup2(2, 1)

    def write(text: str) -> None:
        data = text.encode()
        while data:  # unbuffered: a reader that has stopped reading cannot keep the command from ending
            data = data[lines.write(data) :]

    try:
        with open(file, 'wb', buffering=0) as lines:
            yield write
    except BrokenPipeError:  # whoever reads has had enough
        return


@one_line_errors((ValueError, OSError, ImportError))
def main() -> None:
    """Detect, show and tell."""
    args = parse_args()
    if not args.no_page:
        try:
            from mmav.live.server import check_token, serve
        except ModuleNotFoundError as error:
            raise ValueError(f'the page needs {error.name}: pip install "mmav[live]"') from error
        check_token(args.host, args.token)
    with json_lines(args.json) as output:
        session = make_session(args, output)
        if args.no_page:
            run_without_page(session)
            return

        def announce(address: str) -> None:
            print(f'page: {address}', file=sys.stderr, flush=True)

        asyncio.run(serve(session, args.host, args.port, args.token, args.viewers, args.stay, announce))


def run_without_page(session: LiveSession) -> None:
    """Run a session until it ends, or Control-C comes."""
    session.start()
    try:
        session.wait()
    except KeyboardInterrupt:
        session.stop()
    if session.error is not None:
        raise session.error


if __name__ == '__main__':
    main()
