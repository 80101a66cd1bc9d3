"""Look at the samples of a config's data set: images with boxes beside the microphones' spectrograms.

    python tools/analysis/browse_dataset.py configs/avd/faster_rcnn_r50_fpn_mavd.py --output-dir
    work_dirs/browse

Each image shows what the model gets after every transform: the images of all modalities with their boxes
and, at the right, the spectrograms of all microphones. Where the pipeline loads no image, the camera image
is shown; acoustic images of a prepared store lie over it.
"""

import argparse
from pathlib import Path

import cv2
import matplotlib.pyplot as plt
import numpy as np
import torch
from mmdet.registry import DATASETS
from mmdet.utils import register_all_modules
from tqdm import tqdm

import mmav  # noqa: F401  (registers everything)
from mmav.datasets.transforms.load_visual_modalities import read_image
from mmav.models.layers.log_mel_spectrogram import LogMelSpectrogram
from mmav.utils.command_line import ToolParser, read_config
from mmav.utils.config_parts import dataset_of
from mmav.utils.errors import one_line_errors
from mmav.utils.precision import as_float
from mmav.visualization.acoustic_overlay import draw_stored_acoustic_image
from mmav.visualization.local_visualizer import crop_to_sample
from mmav.visualization.spectrogram_strip import draw_spectrogram_strip

_PANEL_HEIGHT = 480
_BOX_COLOR = (60, 20, 220)


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = ToolParser(__doc__)
    parser.add_config(checkpoint=False)
    parser.add_argument('--phase', choices=['train', 'val', 'test'], default='train', help='which dataloader')
    parser.add_output('--output-dir', help='folder for PNG files; without it windows are opened')
    parser.add_argument('--number', type=int, default=20, help='samples; 0: all')
    parser.add_argument('--start', type=int, default=0, help='first sample')
    return parser.parse_args()


def draw_boxes(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Copy of an image (H, W, 3) with boxes (N, 4), x1 y1 x2 y2 in pixels."""
    image = np.ascontiguousarray(image)
    for x1, y1, x2, y2 in np.asarray(boxes).round().astype(int).tolist():
        cv2.rectangle(image, (x1, y1), (x2, y2), _BOX_COLOR, max(1, image.shape[0] // 250))
    return image


def to_image(values: torch.Tensor) -> np.ndarray:
    """(C, H, W) uint8 input of 1 or 3 channels to (H, W, 3)."""
    array = values.permute(1, 2, 0).numpy()
    return np.repeat(array, 3, axis=2) if array.shape[2] == 1 else array


def draw_sample(sample: dict, log_mel: LogMelSpectrogram, value_range: tuple[float, float]) -> np.ndarray:
    """Image (H, W, 3) uint8 BGR of a sample of PackAudioVisualInputs; ``value_range`` in decibels."""
    inputs, meta = sample['inputs'], sample['data_samples']
    boxes = meta.gt_instances.get('bboxes', torch.zeros(0, 4))
    boxes = getattr(boxes, 'tensor', boxes).numpy()
    names = [name for name in inputs if name not in ('audio', 'spectrogram', 'acoustic_image')]
    panels = []
    for name in names:
        panels.append((name, draw_boxes(to_image(inputs[name]), boxes)))
    if not panels or 'acoustic_image' in inputs:
        image = crop_to_sample(read_image(meta.img_path), meta)
        scale = np.tile(meta.get('scale_factor', (1.0, 1.0)), 2)
        image = np.ascontiguousarray(image[:, ::-1]) if meta.get('flip') else image
        if not panels:
            panels.append(('camera', draw_boxes(image, boxes / scale)))
        if 'acoustic_image' in inputs:
            values = inputs['acoustic_image'].numpy()
            image = draw_stored_acoustic_image(image[..., ::-1], values, meta.acoustic_settings)
            panels.append(('acoustic image', draw_boxes(image[..., ::-1], boxes / scale)))

    # The camera images share the width of the first, one below the other.
    width = round(panels[0][1].shape[1] * _PANEL_HEIGHT / panels[0][1].shape[0])
    drawn = []
    for name, image in panels:
        height = round(image.shape[0] * width / image.shape[1])
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)
        cv2.putText(image, name, (6, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (255, 255, 255), 2)
        drawn.append(image)
    left = np.concatenate(drawn)
    if 'audio' in inputs:
        audio = as_float(inputs['audio'])
        spectrogram = log_mel(audio[None])[0, : len(audio)].numpy()
    elif 'spectrogram' in inputs:
        spectrogram = inputs['spectrogram'].numpy()
    else:
        return left
    strip = draw_spectrogram_strip(spectrogram, (2 * _PANEL_HEIGHT, left.shape[0]), value_range, columns=2)
    return np.concatenate([left, np.full((left.shape[0], 6, 3), 255, np.uint8), strip], axis=1)


def main() -> None:
    """Draw the samples."""
    args = parse_args()
    register_all_modules()
    cfg = read_config(args)
    dataset = DATASETS.build(dataset_of(cfg, args.phase))
    preprocessor = cfg.model.get('data_preprocessor', {})
    log_mel = LogMelSpectrogram(
        **{k: v for k, v in (preprocessor.get('log_mel') or {}).items() if k != 'type'}
    )
    value_range = tuple(preprocessor.get('db_range', (-80.0, 0.0)))
    stop = len(dataset) if args.number == 0 else min(args.start + args.number, len(dataset))
    for index in tqdm(range(args.start, stop), disable=args.output_dir is None):
        sample = dataset[index]
        image = draw_sample(sample, log_mel, value_range)
        meta = sample['data_samples']
        if args.output_dir:
            folder = Path(args.output_dir)
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f'{index:06d}_{Path(meta.drive).name}_{meta.frame_id}.png'
            if not cv2.imwrite(str(path), image):
                raise OSError(f'{path} cannot be written')
            continue
        plt.figure(f'{index}: {meta.drive}/{meta.frame_id}', figsize=(14, 6))
        plt.imshow(image[..., ::-1])
        plt.axis('off')
        plt.show()


if __name__ == '__main__':
    with one_line_errors():
        main()
