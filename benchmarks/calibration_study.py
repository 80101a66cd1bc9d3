"""Measure how well arrays are calibrated: simulated drives with a known rig, told wrongly.

    python tools/dataset_converters/simulate_mavd.py data/study --preset demo --drives-per-split 60 1 1
    python benchmarks/calibration_study.py data/study --out work_dirs/calibration_study

Writes cases/<case>.json, study.md, and rigs/{rough,calibrated}_<n>cm.json for trainings. The same command
goes on where an interrupted one stopped.
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

import mmav  # noqa: F401  (registers everything)
from mmav.calibration import (
    ArrayPrior,
    CalibrationFrames,
    box_azimuths,
    calibrate,
    collect_frames,
    position_errors,
    usable_frames,
)
from mmav.calibration.objective import channel_values
from mmav.datasets.labeled_sound import (
    LabeledSound,
    boxes_of_frames,
    labeled_sound_dataset,
    labeled_sounds,
)
from mmav.simulation.drives.array_mismatch import mismatched_recording, perturb_rig
from mmav.structures import Rig
from mmav.structures.rig import RIG_FILE
from mmav.utils.command_line import ToolParser
from mmav.utils.fileio import AtomicLocalBackend

OFFSETS = (0.02, 0.05, 0.10)


@dataclass(frozen=True)
class Case:
    """What is wrong, and what calibration knows of it."""

    group: str
    position_std: float
    seed: int
    gain_std: float = 0.0  # of the recording
    delay_std: float = 0.0
    delay_prior: float = 0.0
    swapped: tuple[int, int] | None = None
    wrong_boxes: float = 0.0
    frames: int | None = None
    max_azimuth: float | None = None

    @property
    def name(self) -> str:
        """Of its file."""
        words = [self.group, f'{self.position_std * 100:g}cm', f'seed{self.seed}']
        return '_'.join(words).replace(' ', '_').replace('%', 'percent').replace(',', '')


def all_cases(seeds: int, pairs: int, number: int = 8) -> list[Case]:
    """The table's cases."""
    cases = [Case('offsets', std, seed) for std in OFFSETS for seed in range(seeds)]
    cases += [Case('20 % wrong boxes', std, seed, wrong_boxes=0.2) for std in OFFSETS for seed in range(2)]
    cases += [Case('gains of 1 dB', 0.02, seed, gain_std=1.0) for seed in range(2)]
    late = dict(delay_std=30e-6)
    cases += [Case('delays of 30 us, taken for 0', 0.02, seed, **late) for seed in range(2)]
    cases += [Case('delays of 30 us, fitted', 0.02, seed, delay_prior=30e-6, **late) for seed in range(2)]
    cases += [
        Case('delays of 30 us, fitted, exact positions', 0.0, s, delay_prior=30e-6, **late) for s in range(2)
    ]
    cases += [Case('20 frames', 0.05, seed, frames=20) for seed in range(2)]
    cases += [Case('azimuths within 4 degrees', 0.05, seed, max_azimuth=4.0) for seed in range(2)]
    order = np.random.default_rng(0).permutation(list(combinations(range(number), 2))).tolist()
    for index, pair in enumerate(order[: 3 * pairs]):
        cases.append(Case('one pair swapped', OFFSETS[index % 3], 100 + index, swapped=tuple(pair)))
    return cases


def case_frames(
    case: Case, rig: Rig, sounds: list[LabeledSound], kept: CalibrationFrames
) -> CalibrationFrames:
    """The frames as the case would have recorded and labeled them."""
    rng = np.random.default_rng(1000 + case.seed)
    if not (case.gain_std or case.delay_std or case.wrong_boxes or case.frames or case.max_azimuth):
        return kept
    if case.wrong_boxes:
        wrong = rng.random(len(sounds)) < case.wrong_boxes
        others = rng.integers(len(sounds), size=len(sounds))
        sounds = [
            replace(sound, bboxes=sounds[other].bboxes) if bad else sound
            for sound, bad, other in zip(sounds, wrong, others)
        ]
    if case.gain_std or case.delay_std:
        gains, delays = true_mismatch(case, len(rig.microphone_positions))
        sounds = [
            replace(sound, waveform=mismatched_recording(sound.waveform, sound.sample_rate, gains, delays))
            for sound in sounds
        ]
    if case.max_azimuth is not None:
        sounds = [s for s in sounds if np.abs(box_azimuths(rig, s.bboxes)).max() < case.max_azimuth]
    if case.frames is not None:
        chosen = np.linspace(0, len(sounds) - 1, case.frames).round().astype(int)
        sounds = [sounds[i] for i in chosen]
    return collect_frames(rig, sounds)


def true_mismatch(case: Case, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Gains in decibel and delays in seconds of the recording, mean 0."""
    draws = np.random.default_rng(2000 + case.seed).standard_normal((2, number))
    draws -= draws.mean(1, keepdims=True)
    return case.gain_std * draws[0], case.delay_std * draws[1]


def run_case(case: Case, rig: Rig, frames: CalibrationFrames) -> tuple[dict, Rig, Rig]:
    """Calibrate and compare with the truth; also the rough and the calibrated rig."""
    rough = perturb_rig(rig, case.position_std, swapped=case.swapped, seed=case.seed)
    began = time.perf_counter()
    prior = ArrayPrior(case.position_std, 1.0, case.delay_prior)
    found = calibrate(rough, frames, prior)
    seconds = time.perf_counter() - began
    error = position_errors(found.rig, rig)
    gains, delays = true_mismatch(case, len(rig.microphone_positions))
    _, found_gains, found_delays = channel_values(found.rig)
    wrong = perturb_rig(rig, case.position_std, seed=case.seed)
    result = dict(
        case=asdict(case),
        rough_cm=_rms(position_errors(wrong, rig)) * 100,
        error_cm=_rms(error) * 100,
        error_axes_cm=[_rms(error[:, axis]) * 100 for axis in range(3)],
        predicted_cm=_rms(found.position_std) * 100,
        gain_error_db=_rms(found_gains - found_gains.mean() - gains),
        delay_error_us=_rms(found_delays - found_delays.mean() - delays) * 1e6,
        delay_predicted_us=_rms(found.delay_std) * 1e6,
        swapped=[list(pair) for pair in found.swapped],
        misfits=found.misfits,
        num_frames=found.num_frames,
        warnings=found.warnings,
        seconds=seconds,
    )
    return result, rough, found.rig


def _rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean()))


def table(results: list[dict]) -> str:
    """A markdown table, a row a group and offset."""
    groups: dict[tuple, list[dict]] = {}
    for result in results:
        groups.setdefault((result['case']['group'], result['case']['position_std']), []).append(result)
    lines = [
        '| case | offsets (rms an axis) | runs | error in cm: x, y, z | of all axes (worst run) | '
        'predicted | gains, dB | swapped pairs found | warned |',
        '|---|---|---|---|---|---|---|---|---|',
    ]
    for (group, std), rows in groups.items():
        axes = np.sqrt(np.square([row['error_axes_cm'] for row in rows]).mean(0))
        errors = np.array([row['error_cm'] for row in rows])
        right = sum(
            row['swapped'] == ([] if row['case']['swapped'] is None else [list(row['case']['swapped'])])
            for row in rows
        )
        swapped = (
            f'{right} of {len(rows)}' if rows[0]['case']['swapped'] else f'none in {right} of {len(rows)}'
        )
        if rows[0]['case']['delay_prior']:
            late = _rms(np.array([row['delay_error_us'] for row in rows]))
            group += f' (delays to {late:.1f} us)'
        lines.append(
            f'| {group} | {std * 100:g} cm | {len(rows)} | {", ".join(f"{value:.2f}" for value in axes)} | '
            f'{_rms(errors):.2f} ({errors.max():.2f}) | '
            f'{_rms(np.array([row["predicted_cm"] for row in rows])):.2f} | '
            f'{_rms(np.array([row["gain_error_db"] for row in rows])):.2f} | {swapped} | '
            f'{sum(bool(row["warnings"]) for row in rows)} of {len(rows)} |'
        )
    times = np.median([row['seconds'] for row in results])
    lines.append(f'\nMedian {times:.0f} s a calibration, {results[0]["num_frames"]} frames.')
    return '\n'.join(lines) + '\n'


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser(__doc__)
    parser.add_argument('data_root', help='simulated data set, whose rig.json is the truth')
    parser.add_argument('--ann-file', default='annotations/train.json', help='COCO json of the frames')
    parser.add_output('--out', type=Path, required=True, help='folder; an interrupted run is continued')
    parser.add_argument('--frames', type=int, default=100, help='at most so many frames a calibration')
    parser.add_argument('--seeds', type=int, default=3, help='runs of each offset')
    parser.add_argument('--pairs', type=int, default=4, help='swapped pairs of each offset')
    parser.add_argument('--groups', nargs='+', help='only these groups of cases')
    parser.add_argument('--threads', type=int, default=1, help='of the processor')
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    """Run what is not yet there, then write the table."""
    args = parse_args(argv)
    torch.set_num_threads(args.threads)
    backend = AtomicLocalBackend()
    try:
        rig = Rig.from_file(Path(args.data_root) / RIG_FILE)
    except (OSError, ValueError) as error:
        raise SystemExit(f'calibration_study: {error}') from error
    number = len(rig.microphone_positions)
    dataset = labeled_sound_dataset(args.ann_file, args.data_root, number, crop=rig.crop)
    settings = dict(rig=rig.to_dict(), ann_file=args.ann_file, frames=args.frames, number=len(dataset))
    settings_file = args.out / 'settings.json'
    if settings_file.exists() and json.loads(settings_file.read_text()) != settings:
        raise SystemExit(f'calibration_study: {args.out} holds a study of other data: give another folder')
    backend.put_text(json.dumps(settings) + '\n', settings_file)
    cases = [
        c for c in all_cases(args.seeds, args.pairs, number) if not args.groups or c.group in args.groups
    ]
    if not cases:
        raise SystemExit(f'calibration_study: --groups: there are no cases of {args.groups}')
    todo = [case for case in cases if not (args.out / 'cases' / f'{case.name}.json').exists()]
    if todo:
        chosen = usable_frames(rig, boxes_of_frames(dataset), max_frames=args.frames)
        sounds = list(labeled_sounds(dataset, tqdm(chosen, desc='read', unit='frame')))
        kept = collect_frames(rig, sounds)
    for case in tqdm(todo, desc='calibrate', unit='case'):
        result, rough, calibrated = run_case(case, rig, case_frames(case, rig, sounds, kept))
        if case.group == 'offsets' and case.seed == 0:
            for name, made in (('rough', rough), ('calibrated', calibrated)):
                path = args.out / 'rigs' / f'{name}_{case.position_std * 100:g}cm.json'
                backend.put_text(json.dumps(made.to_dict(), indent=1) + '\n', path)
        backend.put_text(json.dumps(result, indent=1) + '\n', args.out / 'cases' / f'{case.name}.json')
    results = [json.loads((args.out / 'cases' / f'{case.name}.json').read_text()) for case in cases]
    text = table(results)
    backend.put_text(text, args.out / 'study.md')
    print(text)


if __name__ == '__main__':
    main()
