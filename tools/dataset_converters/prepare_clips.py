"""Prepare videos for sound localization: the middle image and the middle 3 s of sound of each.

    python tools/dataset_converters/prepare_clips.py videos data/vggsound --workers 8

writes data/vggsound/frames/<stem>.jpg, audio/<stem>.wav and failed.txt, the list of videos that cannot be
read. An interrupted run carries on when called again. See docs/data.md.
"""

import argparse
import os

from tool_server import start_server

start_server(threads=1)  # the pool already fills the processor

from mmav.datasets.clip_preparation import FAILED_FILE, ClipSettings, prepare_clips
from mmav.utils.command_line import ToolParser
from mmav.utils.errors import one_line_errors


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser(__doc__)
    defaults = ClipSettings()
    parser.add_argument('videos', help='folder of mp4, mkv, webm, mov or avi files')
    parser.add_output('out', help='folder to write to; an interrupted run into it is continued')
    parser.add_argument('--duration', type=float, default=defaults.duration, help='seconds of sound')
    parser.add_argument(
        '--sample-rate',
        type=int,
        default=defaults.sample_rate,
        help='hertz; the default serves a CNN14 teacher, 22050 the student alone',
    )
    parser.add_argument('--audio-ext', choices=('wav', 'flac'), default=defaults.audio_ext)
    parser.add_argument('--short-side', type=int, help='shrink larger images to so many pixels')
    parser.add_argument('--jpeg-quality', type=int, default=defaults.jpeg_quality, help='1..100')
    parser.add_argument('--workers', type=int, default=os.cpu_count(), help='number of processes')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    args = parser.parse_args()
    if args.duration <= 0 or args.sample_rate <= 0 or not 1 <= args.jpeg_quality <= 100:
        parser.error('--duration and --sample-rate must be above 0, --jpeg-quality 1 to 100')
    return args


@one_line_errors(resumable=True)
def main() -> None:
    """Prepare what the command line asks for."""
    args = parse_args()
    settings = ClipSettings(
        args.duration, args.sample_rate, args.audio_ext, args.short_side, args.jpeg_quality
    )
    failed = prepare_clips(args.videos, args.out, settings, args.workers, not args.quiet)
    if failed:
        print(f'{len(failed)} videos could not be prepared: {args.out}/{FAILED_FILE}')


if __name__ == '__main__':
    main()
