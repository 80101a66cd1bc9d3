"""Estimate where an array's microphones are, how loud and how late, from labeled frames alone.

    python tools/analysis/calibrate_array.py data/street --ann-file annotations/train.json \
        --position-std 0.05 --out data/street/rig_calibrated.json

Labels are true boxes, or those that a visual detector finds (mavd_pseudo_labels.py). Beside the new rig
<out>_calibration.json tells how far to trust it. docs/rig.md says what the data can tell and what not.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from tqdm import tqdm

import mmav  # noqa: F401  (registers everything)
from mmav.calibration import ArrayPrior, PlacePrior, calibrate, collect_frames, usable_frames
from mmav.datasets.labeled_sound import boxes_of_frames, labeled_sound_dataset, labeled_sounds
from mmav.structures import Rig
from mmav.structures.rig import RIG_FILE
from mmav.utils.command_line import ToolParser
from mmav.utils.errors import one_line_errors
from mmav.utils.fileio import AtomicLocalBackend


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser(__doc__)
    parser.add_argument('data_root', help='root of the data set')
    parser.add_argument('--ann-file', default='annotations/train.json', help='COCO json of the frames')
    parser.add_argument('--rig', help=f'the rough rig; default: {RIG_FILE} of the data set')
    parser.add_output(
        '--out', folder=False, type=Path, required=True, help='the calibrated rig to write, .json'
    )
    parser.add_argument('--position-std', type=float, default=0.05, help='metres by which positions are off')
    parser.add_argument('--gain-std', type=float, default=1.0, help='decibel by which gains are off')
    parser.add_argument(
        '--delay-std', type=float, default=0.0, help='seconds by which channels are late; 0: one clock'
    )
    parser.add_argument('--source-height', type=float, default=0.5, help='metres of the sources over ground')
    parser.add_argument('--max-frames', type=int, default=200, help='at most so many frames')
    parser.add_argument('--max-distance', type=float, default=25.0, help='metres of the farthest box')
    parser.add_argument('--min-score', type=float, default=0.0, help='least score of pseudo labels')
    parser.add_argument('--sample-rate', type=int, default=44100, help='hertz')
    parser.add_argument('--audio-layout', choices=('frame', 'drive'), default='frame')
    swapped = parser.add_mutually_exclusive_group()
    swapped.add_argument(
        '--exchange', action='store_true', help='write a rig whose rows are exchanged if channels are swapped'
    )
    swapped.add_argument('--no-swapped', action='store_true', help='do not look for swapped channels')
    parser.add_argument('--threads', type=int, help='of the processor')
    parser.add_argument('--force', action='store_true', help='overwrite what exists')
    args = parser.parse_args(argv)
    if args.out.suffix != '.json':
        parser.error(f'{args.out}: the rig is written as .json')
    args.report = args.out.with_name(f'{args.out.stem}_calibration.json')
    for path in (args.out, args.report):
        if path.exists() and not args.force:
            parser.error(f'{path} exists; --force overwrites it')
    if args.max_frames < 1:
        parser.error('--max-frames must be at least 1')
    return args


@one_line_errors()
def main(argv: Sequence[str] | None = None) -> None:
    """Calibrate, print and write."""
    args = parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    rig = Rig.from_file(args.rig or Path(args.data_root) / RIG_FILE)
    prior = ArrayPrior(args.position_std, args.gain_std, args.delay_std)
    places = PlacePrior(source_height=args.source_height)
    dataset = labeled_sound_dataset(
        args.ann_file,
        args.data_root,
        len(rig.microphone_positions),
        args.sample_rate,
        crop=rig.crop,
        audio_layout=args.audio_layout,
    )
    boxes = boxes_of_frames(dataset, args.min_score)
    chosen = usable_frames(rig, boxes, args.max_distance, args.max_frames)
    sounds = labeled_sounds(dataset, tqdm(chosen, unit='frame', desc='read'), args.min_score)
    frames = collect_frames(rig, sounds, places)
    found = calibrate(rig, frames, prior, places, look_for_swapped=not args.no_swapped)
    backend = AtomicLocalBackend()
    backend.put_text(json.dumps(found.report(), indent=1) + '\n', args.report)
    print(summary(found))
    if found.swapped and not args.exchange:
        raise SystemExit(
            f'calibrate_array: no rig was written ({args.report} was). Correct the order of the channels, or '
            'give --exchange for a rig with these rows exchanged'
        )
    backend.put_text(json.dumps(found.rig.to_dict(), indent=1) + '\n', args.out)
    print(f'{args.out}, {args.report}')


def summary(found) -> str:
    """What was found, in some lines."""
    lines = [
        f'{found.num_frames} frames of {found.num_drives} drives, azimuths with a standard deviation of '
        f'{found.azimuth_spread:.1f} degrees; {found.misfits:.0%} of the frames do not fit',
        f'not explained of what could be: {found.error_before:.1%} before (to 1600 Hz), '
        f'{found.error_after:.1%} after (to 6500 Hz)',
    ]
    lines += [f'channels {first} and {second} are swapped' for first, second in found.swapped]
    lines.append('microphone: x, y, z in m (standard deviations in mm), gain in dB, delay in microseconds')
    rig, number = found.rig, len(found.rig.microphone_positions)
    for k in range(number):
        place = ', '.join(f'{value:.4f}' for value in rig.microphone_positions[k])
        std = ', '.join(f'{value * 1e3:.1f}' for value in found.position_std[k])
        gain = 0.0 if rig.microphone_gains is None else rig.microphone_gains[k]
        delay = 0.0 if rig.microphone_delays is None else rig.microphone_delays[k] * 1e6
        lines.append(
            f'{k}: {place} ({std}), {gain:.2f} ({found.gain_std[k]:.2f}), {delay:.1f} '
            f'({found.delay_std[k] * 1e6:.1f})'
        )
    lines += [f'warning: {warning}' for warning in found.warnings]
    return '\n'.join(lines)


if __name__ == '__main__':
    main()
