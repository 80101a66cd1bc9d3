"""The report of ``demo_avd.py``."""

from pathlib import Path

import cv2
import mmcv
import numpy as np
import torch
from mmengine.fileio import load

from mmav.datasets import MAVDDataset
from mmav.models.layers import LogMelSpectrogram
from mmav.visualization import draw_spectrogram_strip
from mmav.visualization.report import (
    Boxes,
    Card,
    Cards,
    Chart,
    Column,
    Curves,
    Picture,
    Row,
    Sound,
    Table,
    Text,
    read_scalars,
    stereo_from_array,
    write_report,
)

COLUMNS = {
    'mAP_50': Column('mAP@0.5'),
    'mAP': Column('mAP@Avg'),
    'mAP_75': Column('mAP@0.75'),
    'CDx': Column('CDx', better='lower'),
    'CDy': Column('CDy', better='lower'),
    'miss_rate': Column('missed', better='lower'),
}
ROWS = {
    'floor': ('Always the mean box', 'has not listened'),
    'few': ('(a) Sound, few labels', 'trained on the labelled frames alone'),
    'taught': ('(b) Sound, taught by pictures', 'the few labels and those of the RGB detector'),
    'avd': ('(c) Sound, taught by pictures, AVD', 'like (b), with an RGB stream while training'),
    'rgb': ('RGB detector', 'looks at the pictures: the teacher and the ceiling'),
}
REFERENCES = ('floor', 'rgb')
SCORE_THR = 0.3
NUM_CLIPS = 12


def _cell(metrics: dict, key: str) -> float | None:
    value = metrics.get(f'mavd/{key}')
    return None if value is None or np.isnan(value) else value


def results_table(outcome: dict) -> Table:
    """All detectors beside floor and ceiling."""
    rows = [
        Row(name, [_cell(outcome['metrics'][key], column) for column in COLUMNS], note, key in REFERENCES)
        for key, (name, note) in ROWS.items()
    ]
    notes = (
        'Percent, on drives that none of the detectors was trained on. mAP@0.5: average precision where a '
        'box counts as found if it overlaps the true one by half (IoU 0.5); mAP@Avg: mean over IoU 0.50 to '
        '0.95; '
        'CDx, CDy: distance between the centres of found and true boxes in percent of width and height; '
        f'missed: true boxes without a partner scored {SCORE_THR} or more, which CDx and CDy leave out.\n\n'
        'Rows (a) to (c) hear and never see at test; all three had equally many iterations.'
    )
    return Table('Results', list(COLUMNS.values()), rows, notes)


def conditions_table(outcome: dict) -> Table:
    """Where the pictures fail, and what sound does there."""
    names = [
        key.split('/')[1]
        for key in outcome['metrics']['rgb']
        if key.count('/') == 2 and key.endswith('/mAP_50')
    ]
    rows = [
        Row(ROWS[key][0], [_cell(outcome['metrics'][key], f'{name}/mAP_50') for name in names])
        for key in ('few', 'taught', 'avd', 'rgb')
    ]
    return Table('By condition', [Column(name) for name in names], rows, 'mAP@0.5, percent.')


def loss_curves(work_dir: Path) -> Curves:
    """Loss of each training."""
    charts = []
    for key in ('few', 'taught', 'avd', 'rgb'):
        scalars = read_scalars(work_dir / key)
        curves = {name: scalars[name] for name in ('loss_cls', 'loss_bbox') if name in scalars}
        charts.append(Chart(ROWS[key][0], curves))
    notes = 'Classification and box loss of the detector by sound (of the RGB detector in the last chart).'
    return Curves('Training', charts, notes)


def clips(work_dir: Path, outcome: dict) -> Cards:
    """A dozen test clips, evenly spread over the test drives."""
    data = outcome['data']
    dataset = MAVDDataset(
        data_root=data,
        ann_file='annotations/test.json',
        modalities=('rgb',),
        test_mode=True,
        pipeline=[dict(type='LoadMultichannelAudio'), dict(type='LoadAnnotations', with_bbox=True)],
    )
    found = {}
    for detection in load(work_dir / 'taught' / 'test.bbox.json'):
        if detection['score'] >= SCORE_THR:
            found.setdefault(detection['image_id'], []).append(detection)
    log_mel = LogMelSpectrogram(reference='clip')
    cards = []
    for index in np.unique(np.linspace(0, len(dataset) - 1, NUM_CLIPS).round().astype(int)):
        sample = dataset[int(index)]
        x1, y1, x2, y2 = dataset.crop
        image = mmcv.bgr2rgb(mmcv.imread(sample['img_path']))[y1:y2, x1:x2]
        detections = found.get(sample['img_id'], [])
        boxes = np.array([d['bbox'] for d in detections]).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        waveform = torch.from_numpy(np.asarray(sample['audio'])).float()[None] / 32768
        strip = draw_spectrogram_strip(log_mel(waveform)[0].numpy(), size=(1000, 428), columns=4)
        camera = Picture(
            image,
            'camera (shown to you, not to the detector)',
            [
                Boxes(sample['gt_bboxes'].tensor.numpy(), 'truth'),
                Boxes(boxes, 'found', [f'{d["score"]:.2f}' for d in detections]),
            ],
        )
        cards.append(
            Card(
                f'Drive {sample["drive"]}, {sample["condition"]}',
                [camera, Picture(cv2.cvtColor(strip, cv2.COLOR_BGR2RGB), 'the 8 microphones')],
                [Sound(stereo_from_array(np.asarray(sample['audio'])), 44100, 'left and right microphone')],
                {'true boxes': len(sample['gt_bboxes']), 'found': len(detections)},
            )
        )
    legend = {'truth': 'true', 'found': f'found by (b) from sound, score {SCORE_THR} or more'}
    return Cards('Test clips', cards, 'Every so many frames of the test set, none chosen by hand.', legend)


def write_demo_report(work_dir: Path, outcome: dict) -> None:
    """Write ``report.html`` and print the table.

    Args:
        work_dir: Folder of the demo.
        outcome: What ``run_demo`` returned.
    """
    few, labelled = outcome['few'], outcome['labelled']
    lead = (
        f'{few["frames"]} of {few["of_frames"]} simulated frames kept their labels. An RGB detector trained '
        'on these labelled the others, and a detector that hears 8 microphones and sees nothing was trained '
        f'on {labelled["frames"]} frames with {labelled["boxes"]} boxes.'
    )
    minutes = {name: seconds / 60 for name, seconds in outcome['seconds'].items()}
    # (c) runs beside (a) and (b)
    beside = min(minutes['train_avd'], minutes['train_few'] + minutes['train_taught'])
    total = sum(minutes.values()) - beside
    times = '\n'.join(f'- {name}: {value:.1f} minutes' for name, value in minutes.items())
    path = write_report(
        work_dir / 'report.html',
        'Pictures teach sound',
        [
            results_table(outcome),
            conditions_table(outcome),
            clips(work_dir, outcome),
            loss_curves(work_dir),
            Text('Time', f'{total:.1f} minutes in all, seed {outcome["seed"]}.\n\n{times}'),
        ],
        lead,
    )
    print('\n' + ' ' * 36 + ''.join(f'{column.name:>10}' for column in COLUMNS.values()))
    for key, (name, _) in ROWS.items():
        cells = (_cell(outcome['metrics'][key], column) for column in COLUMNS)
        print(f'{name:<36}' + ''.join(f'{"-" if c is None else f"{c:.1f}":>10}' for c in cells))
    print(f'\n{total:.1f} minutes. The report: {path}')
