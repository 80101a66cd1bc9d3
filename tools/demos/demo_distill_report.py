"""The report of ``demo_distill.py``."""

from collections import defaultdict
from pathlib import Path

import mmcv
import numpy as np
from common_report import (
    COLUMN_NOTES,
    array_sound,
    camera_image,
    clips,
    conditions_table,
    finish,
    loss_curves,
    open_frames,
    read_detections,
    results_table,
    spread,
)
from mmdet.registry import MODELS
from report import Boxes, Card, Cards, Chart, Column, Curves, Figure, Sound

NAMES = {
    'floor': ('Always the mean box', 'uses no input'),
    'few': ('(a) Sound, few labels', 'trained on the labeled frames alone'),
    'no_mta': ('(b) Sound, labels of teachers', 'the few labels and those of the three teachers'),
    'mta': ('(c) Sound, labels and MTA loss', "like (b), and its features are made like the teachers'"),
    'log_mel': (
        '(d) Sound, labels of teachers, spectrograms',
        "like (b), on spectrograms instead of acoustic images: the paper's input",
    ),
    'rgb': ('RGB teacher', 'looks at the camera images'),
    'thermal': ('Thermal teacher', 'looks at the thermal images'),
    'depth': ('Depth teacher', 'looks at the depth images'),
}
REFERENCES = ('floor', 'rgb', 'thermal', 'depth')
TRACKING = {
    'tracking/MOTA': Column('MOTA'),
    'tracking/IDF1': Column('IDF1'),
    'tracking/HOTA': Column('HOTA'),
    'tracking/IDs': Column('IDs', better='lower', digits=0),
    'tracking/Frag': Column('Frag', better='lower', digits=0),
    'tracking/FP': Column('FP', better='lower', digits=0),
    'tracking/FN': Column('FN', better='lower', digits=0),
}
TRACKING_NOTES = (
    'Percent and counts on longer drives of ten images a second. A track starts with a box scored above '
    '{init_score_thr}, goes on with the box that overlaps its last one most (IoU above {iou_thr}), and ends '
    'without one. MOTA: 1 - (FP + FN + IDs) / true boxes, negative where errors are more than boxes; IDF1: '
    'how long the right identity is kept; HOTA: detection and association over all overlaps; IDs: '
    'identities changed; Frag: tracks interrupted; FP, FN: boxes of tracks without a vehicle, and '
    'vehicles without one.'
)
NUM_DRIVES = 4
NUM_FIGURES = 3
MAX_TRACKS = 6


def track_drives(outcome: dict, detections: Path) -> tuple[object, dict[str, list[dict]]]:
    """Run the tracker over a detector's COCO results on the longer drives.

    Returns:
        The data set, and by drive its frames in order of time: ``index`` in the data set, ``seconds`` since
        the first, ``true`` boxes and ``found`` ones (x1, y1, x2, y2) by track.
    """
    dataset, boxes = open_frames(outcome['drives']), read_detections(detections, 0)
    drives = defaultdict(list)
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        drives[info['drive']].append((info['timestamp'], index, info))
    tracker = MODELS.build(dict(outcome['tracker']))
    tracked = {}
    for drive, frames in sorted(drives.items()):
        tracker.reset()
        frames.sort(key=lambda frame: frame[0])
        tracked[drive] = []
        for time, index, info in frames:
            found = boxes.get(info['img_id'], [])
            bboxes = np.array([box['bbox'] for box in found], dtype=np.float32).reshape(-1, 4)
            ids = tracker.step(bboxes, np.array([box['score'] for box in found]))
            tracked[drive].append(
                dict(
                    index=index,
                    seconds=time - frames[0][0],
                    true={int(item['track_id']): np.array(item['bbox']) for item in info['instances']},
                    found={int(i): box for i, box in zip(ids, bboxes) if i >= 0},
                )
            )
    return dataset, tracked


def path_chart(drive: str, frames: list[dict]) -> Chart:
    """How far to the right true and tracked boxes are, over time."""
    seconds = np.array([frame['seconds'] for frame in frames])
    curves = {}
    for kind, name in (('true', 'true {}'), ('found', 'track {}')):
        ids = sorted(
            {i for frame in frames for i in frame[kind]}, key=lambda i: -sum(i in f[kind] for f in frames)
        )
        for i in ids[:MAX_TRACKS] if kind == 'found' else ids:
            middles = [(f[kind][i][0] + f[kind][i][2]) / 2 if i in f[kind] else np.nan for f in frames]
            curves[name.format(i)] = (seconds, np.array(middles, dtype=float))
    return Chart(f'Drive {drive}', curves, 'seconds', 'middle of the box, pixels', smooth=False)


def drive_sound(dataset, frames: list[dict]) -> Sound:
    """Sound of a drive, put together of the middles of its images' seconds."""
    step = round((frames[1]['seconds'] - frames[0]['seconds']) * 44100) if len(frames) > 1 else 44100
    parts = []
    for frame in frames:
        audio = np.asarray(dataset[frame['index']]['audio'])
        start = (audio.shape[1] - step) // 2
        parts.append(audio[:, start : start + step])
    return array_sound(np.concatenate(parts, axis=1))


def tracks(outcome: dict, detections: Path) -> tuple[Cards, Curves]:
    """Some of the longer drives, with their tracks as images and as paths."""
    dataset, tracked = track_drives(outcome, detections)
    cards, charts = [], []
    names = list(tracked)
    for place in spread(len(names), NUM_DRIVES):
        drive = names[place]
        frames = tracked[drive]
        figures = []
        for number in spread(len(frames), NUM_FIGURES):
            frame = frames[number]
            boxes = [
                Boxes(list(frame[kind].values()), drawn, [str(i) for i in frame[kind]])
                for kind, drawn in (('true', 'truth'), ('found', 'found'))
            ]
            image = camera_image(dataset.get_data_info(frame['index']), dataset.crop)
            figures.append(Figure(image, f'after {frame["seconds"]:.1f} s', boxes, max_width=640))
        facts = {
            'true tracks': len({i for frame in frames for i in frame['true']}),
            'found tracks': len({i for frame in frames for i in frame['found']}),
        }
        cards.append(Card(f'Drive {drive}', figures, [drive_sound(dataset, frames)], facts))
        charts.append(path_chart(drive, frames))
    legend = {
        'truth': 'true, with its number',
        'found': 'tracked by (c) from sound, with the number of the track',
    }
    intro = 'Evenly spread over the longer drives, none chosen by hand.'
    notes = f'Gaps: no box. Of the found tracks the {MAX_TRACKS} longest are drawn.'
    return Cards('Tracks', cards, intro, legend), Curves('Paths', charts, notes)


def write_distill_report(work_dir: Path, outcome: dict) -> None:
    """Write ``report.html`` of what ``run_demo`` returned, and print the tables."""
    few, labeled, metrics = outcome['few'], outcome['labeled'], outcome['metrics']
    lead = (
        f'{few["frames"]} of {few["of_frames"]} simulated frames kept their labels. Three teachers, that see '
        'camera, thermal and depth images, were trained on these and labeled the others together; '
        'students that hear 8 microphones and see nothing were trained on '
        f'{labeled["frames"]} frames with {labeled["boxes"]} boxes.'
    )
    curve_notes = (
        'Classification and box loss, and for (c) the MTA loss times its weight; (a) to (d) by sound, '
        'the last three by images.'
    )
    maps = Card(
        'Score-CAM of four test frames',
        [Figure(mmcv.imread(outcome['maps'], channel_order='rgb'), image_format='png', max_width=2600)],
        note='Red: places that speak for the boxes.',
    )
    trained = {key: name for key, name in NAMES.items() if key != 'floor'}
    tracking_notes = TRACKING_NOTES.format(**outcome['tracker'])
    cards, paths = tracks(outcome, work_dir / 'mta' / 'drives.bbox.json')
    sections = [
        results_table('Results', metrics, NAMES, REFERENCES, COLUMN_NOTES),
        conditions_table(metrics, trained),
        results_table('Tracking', metrics, trained, REFERENCES, tracking_notes, TRACKING),
        clips(outcome['data'], work_dir / 'mta' / 'test.bbox.json', '(c)'),
        cards,
        paths,
        Cards('Where they look', [maps]),
        loss_curves(work_dir, trained, ('loss_cls', 'loss_bbox', 'loss_mta'), curve_notes),
    ]
    finish(work_dir, outcome, 'Three visual teachers, an audio student', sections, lead)
