"""What the demos' reports share: tables, loss curves, test clips, times."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import mmcv
import numpy as np
import torch
from mmengine.fileio import load
from report import (
    Boxes,
    Card,
    Cards,
    Chart,
    Column,
    Curves,
    Figure,
    Row,
    Section,
    Sound,
    Table,
    Text,
    read_scalars,
    write_report,
)

from mmav.datasets import MAVDDataset
from mmav.models.layers import AcousticImage, LogMelSpectrogram
from mmav.utils.precision import as_float
from mmav.visualization import draw_acoustic_image, draw_spectrogram_strip

COLUMNS = {
    'mavd/mAP_50': Column('mAP@0.5'),
    'mavd/mAP': Column('mAP@Avg'),
    'mavd/mAP_75': Column('mAP@0.75'),
    'mavd/CDx': Column('CDx', better='lower'),
    'mavd/CDy': Column('CDy', better='lower'),
    'mavd/miss_rate': Column('missed', better='lower'),
}
SCORE_THR = 0.3
COLUMN_NOTES = (
    'Percent, on drives that none of the detectors was trained on. mAP@0.5: average precision where a '
    'box counts as found if it overlaps the true one by half (IoU 0.5); mAP@Avg: mean over IoU 0.50 to 0.95; '
    'CDx, CDy: distance between the centers of found and true boxes in percent of width and height; '
    f'missed: true boxes without a partner scored {SCORE_THR} or more, which CDx and CDy leave out.\n\n'
    'The rows with letters hear and never see at test; all had equally many iterations.'
)
NUM_CLIPS = 12

# Of each detector, its key in results.json, what it is called, and a remark.
Names = Mapping[str, tuple[str, str]]


def cell(metrics: Mapping[str, float], key: str) -> float | None:
    """A metric, None where there is none."""
    value = metrics.get(key)
    return None if value is None or np.isnan(value) else value


def results_table(
    title: str,
    metrics: Mapping[str, Mapping[str, float]],
    names: Names,
    references: Sequence[str],
    notes: str,
    columns: Mapping[str, Column] = COLUMNS,
) -> Table:
    """All detectors of ``names``, one below the other; printed, too. ``references`` are never the best."""
    rows = [
        Row(name, [cell(metrics[key], column) for column in columns], note, key in references)
        for key, (name, note) in names.items()
    ]
    print(f'\n{title:<36}' + ''.join(f'{column.name:>10}' for column in columns.values()))
    for row in rows:
        cells = (column.to_text(value) for column, value in zip(columns.values(), row.values))
        print(f'{row.name:<36}' + ''.join(f'{text:>10}' for text in cells))
    return Table(title, list(columns.values()), rows, notes)


def conditions_table(metrics: Mapping[str, Mapping[str, float]], names: Names) -> Table:
    """The mAP@0.5 of each detector by condition: where images fail, and what sound does there."""
    first = metrics[next(iter(names))]
    conditions = [key.split('/')[1] for key in first if key.count('/') == 2 and key.endswith('/mAP_50')]
    rows = [
        Row(name, [cell(metrics[key], f'mavd/{condition}/mAP_50') for condition in conditions])
        for key, (name, _) in names.items()
    ]
    return Table('By condition', [Column(name) for name in conditions], rows, 'mAP@0.5, percent.')


def loss_curves(work_dir: Path, names: Names, losses: Sequence[str], notes: str) -> Curves:
    """Losses of each training, of those that it has."""
    charts = []
    for key, (name, _) in names.items():
        scalars = read_scalars(work_dir / key)
        charts.append(Chart(name, {loss: scalars[loss] for loss in losses if loss in scalars}))
    return Curves('Training', charts, notes)


def read_detections(path: Path, score_thr: float = SCORE_THR) -> dict[int, list[dict]]:
    """Detections of a COCO results file scored ``score_thr`` or more, by image; ``bbox``: x1, y1, x2, y2."""
    found: dict[int, list[dict]] = {}
    for detection in load(path):
        if detection['score'] >= score_thr:
            x, y, width, height = detection['bbox']
            found.setdefault(detection['image_id'], []).append(
                dict(detection, bbox=[x, y, x + width, y + height])
            )
    return found


def open_frames(data: str) -> MAVDDataset:
    """The test frames of a demo's data with sound and true boxes; images stay files."""
    return MAVDDataset(
        data_root=data,
        ann_file='annotations/test.json',
        modalities=('rgb',),
        test_mode=True,
        pipeline=[dict(type='LoadMultichannelAudio'), dict(type='LoadAnnotations', with_bbox=True)],
    )


def camera_image(sample: dict, crop: Sequence[int]) -> np.ndarray:
    """The cropped camera image of a sample, RGB."""
    x1, y1, x2, y2 = crop
    return mmcv.bgr2rgb(mmcv.imread(sample['img_path']))[y1:y2, x1:x2]


def spread(length: int, count: int) -> np.ndarray:
    """``count`` places evenly spread over ``length``, or fewer."""
    return np.unique(np.linspace(0, length - 1, count).round().astype(int))


def array_sound(waveform: np.ndarray) -> Sound:
    """Sound of an (8, L) array to listen to: channels 6 and 1 of the octagon point to the left and right.

    One microphone a side: the sum of several at different places would comb the sound.
    """
    return Sound(waveform[[6, 1]], 44100, 'left and right microphone')


def clips(data: str, detections: Path, finder: str) -> Cards:
    """A dozen test clips, evenly spread over the test drives in the order of their conditions.

    Camera image, acoustic image, spectrograms, sound; with the boxes of a detector's COCO results, which the
    legend calls ``finder``.
    """
    dataset, found = open_frames(data), read_detections(detections)
    log_mel = LogMelSpectrogram(reference='clip')
    layer = AcousticImage(dataset.metainfo['rig'], beamformer='mvdr')
    cards = []
    # so that rare conditions such as fog are shown as often as they occur
    order = sorted(range(len(dataset)), key=lambda index: dataset.get_data_info(index)['condition'])
    for index in spread(len(order), NUM_CLIPS):
        sample = dataset[order[index]]
        boxes = found.get(sample['img_id'], [])
        waveform = torch.from_numpy(as_float(np.asarray(sample['audio'])))[None]
        strip = draw_spectrogram_strip(log_mel(waveform)[0].numpy(), size=(1000, 428), columns=4)
        image = camera_image(sample, dataset.crop)
        camera = Figure(
            image,
            'camera (shown to you, not to the detector)',
            [
                Boxes(sample['gt_bboxes'].tensor.numpy(), 'truth'),
                Boxes([box['bbox'] for box in boxes], 'found', [f'{box["score"]:.2f}' for box in boxes]),
            ],
        )
        overlay = draw_acoustic_image(image, waveform[0], layer, layer.windows[0])
        figures = [
            camera,
            Figure(overlay, 'acoustic image: where the sound comes from'),
            Figure(cv2.cvtColor(strip, cv2.COLOR_BGR2RGB), 'the 8 microphones'),
        ]
        facts = {'true boxes': len(sample['gt_bboxes']), 'found': len(boxes)}
        title = f'Drive {sample["drive"]}, {sample["condition"]}'
        cards.append(Card(title, figures, [array_sound(np.asarray(sample['audio']))], facts))
    legend = {'truth': 'true', 'found': f'found by {finder} from sound, score {SCORE_THR} or more'}
    return Cards(
        'Test clips',
        cards,
        'Every so many frames of the test set in the order of their conditions, none chosen by hand.',
        legend,
    )


def finish(work_dir: Path, outcome: Mapping, title: str, sections: Sequence[Section], lead: str) -> None:
    """Write ``report.html`` with the sections and what each step took."""
    steps = '\n'.join(f'- {name}: {value / 60:.1f} minutes' for name, value in outcome['seconds'].items())
    total = f'{outcome["total_seconds"] / 60:.1f} minutes'
    times = Text('Time', f'{total} in all, seed {outcome["seed"]}; two at a time train.\n\n{steps}')
    path = write_report(work_dir / 'report.html', title, [*sections, times], lead)
    print(f'\n{total}. The report: {path}')
