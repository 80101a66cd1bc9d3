"""Look at a rig and at what its array hears, before anything is trained with it.

    python tools/analysis/check_rig.py data/street/rig.json --output-dir work_dirs/check_rig
    python tools/analysis/check_rig.py data/street/rig.json --output-dir work_dirs/check_rig \
        --data-root data/street --ann-file annotations/train.json

Draws rig.png (microphones, camera, field of view, grid) and, with a data set, heard_<n>.png: the acoustic
image over the camera image, bright where the sound comes from. Prints what looks like a mistake: units, axes,
dead and duplicate channels; by the boxes also swapped channels and mirrored sides. findings.json holds it.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch

import mmav  # noqa: F401  (registers everything)
from mmav.calibration import collect_frames, usable_frames
from mmav.calibration.array_checks import channel_findings, geometry_findings, label_findings
from mmav.datasets.labeled_sound import boxes_of_frames, labeled_sound_dataset, labeled_sounds
from mmav.datasets.transforms.load_visual_modalities import read_image
from mmav.structures import Rig
from mmav.utils.command_line import ToolParser
from mmav.utils.errors import one_line_errors
from mmav.utils.fileio import AtomicLocalBackend
from mmav.visualization.rig_drawing import draw_heard, draw_rig


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser(__doc__)
    parser.add_argument('rig', help='rig.json')
    parser.add_output('--output-dir', type=Path, required=True, help='folder for PNG files and findings')
    parser.add_argument('--data-root', help='root of a data set that was recorded with it')
    parser.add_argument('--ann-file', default='annotations/train.json', help='COCO json of its frames')
    parser.add_argument('--sample-rate', type=int, default=44100, help='hertz')
    parser.add_argument('--audio-layout', choices=('frame', 'drive'), default='frame')
    parser.add_argument('--number', type=int, default=4, help='frames to draw')
    parser.add_argument('--max-frames', type=int, default=80, help='frames to look for mistakes in')
    parser.add_argument('--position-std', type=float, default=0.02, help='metres by which positions are off')
    parser.add_argument('--min-score', type=float, default=0.0, help='least score of pseudo labels')
    parser.add_argument('--threads', type=int, help='of the processor')
    parser.add_argument('--force', action='store_true', help='overwrite what exists')
    args = parser.parse_args(argv)
    if args.number < 0 or args.max_frames < 1:
        parser.error('--number must be at least 0, --max-frames at least 1')
    names = ['rig.png', 'findings.json', *(f'heard_{n}.png' for n in range(args.number))]
    present = [str(args.output_dir / name) for name in names if (args.output_dir / name).exists()]
    if present and not args.force:
        parser.error(f'{present[0]} exists; --force overwrites it')
    return args


def write_image(path: Path, image: np.ndarray) -> None:
    """Write (H, W, 3) uint8 BGR as .png, whole or not at all."""
    AtomicLocalBackend().put(cv2.imencode('.png', image)[1].tobytes(), path)


def check_data(rig: Rig, args: argparse.Namespace) -> list[str]:
    """Draw frames, and say what the recordings and labels find."""
    dataset = labeled_sound_dataset(
        args.ann_file,
        args.data_root,
        len(rig.microphone_positions),
        args.sample_rate,
        crop=rig.crop,
        audio_layout=args.audio_layout,
    )
    spread = np.linspace(0, len(dataset) - 1, min(args.max_frames, len(dataset))).round().astype(int)
    lines = channel_findings([sound.waveform for sound in labeled_sounds(dataset, spread)])
    usable = usable_frames(rig, boxes_of_frames(dataset, args.min_score), max_frames=args.max_frames)
    shown = [usable[i] for i in np.linspace(0, len(usable) - 1, args.number).astype(int)] if usable else []
    for number, sound in enumerate(labeled_sounds(dataset, shown, args.min_score)):
        image = read_image(sound.img_path)
        if rig.crop is not None and image.shape[1::-1] == rig.image_size:
            x1, y1, x2, y2 = rig.crop
            image = image[y1:y2, x1:x2]
        drawn = draw_heard(rig, sound.waveform, sound.sample_rate, image, sound.bboxes)
        write_image(args.output_dir / f'heard_{number}.png', drawn)
    try:
        frames = collect_frames(rig, labeled_sounds(dataset, usable, args.min_score))
    except ValueError as error:
        return [*lines, f'swapped channels and mirrored sides were not looked for: {error}']
    return lines + label_findings(rig, frames, args.position_std)


@one_line_errors()
def main(argv: Sequence[str] | None = None) -> None:
    """Draw and print."""
    args = parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    rig = Rig.from_file(args.rig)
    write_image(args.output_dir / 'rig.png', draw_rig(rig))
    findings = dict(geometry=geometry_findings(rig))
    if args.data_root:
        findings['recordings'] = check_data(rig, args)
    AtomicLocalBackend().put_text(json.dumps(findings, indent=1) + '\n', args.output_dir / 'findings.json')
    for kind, lines in findings.items():
        print(f'{kind}: {"nothing found" if not lines else ""}')
        for line in lines:
            print(f'- {line}')
    print(args.output_dir)


if __name__ == '__main__':
    main()
