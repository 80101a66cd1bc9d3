"""See where teachers and students look: activation maps over the camera image (MM-DistillNet, Figure 4).

    python tools/analysis/activation_map.py maps.png \
        --network RGB configs/mm_distillnet/efficientdet_d2_mavd_rgb.py rgb.pth \
        --network Thermal configs/mm_distillnet/efficientdet_d2_mavd_thermal.py thermal.pth \
        --network Student configs/mm_distillnet/distillnet_effdet_d2_mavd.py distillnet.pth \
        --data-root data/mavd --ann-file annotations/test.json --number 6

One row a frame, one column a network, with the boxes that it finds; at the right, where a network hears, its
spectrograms or its acoustic image. Networks are any one-stage or two-stage detectors of MMDetection, AVD's
detectors (their sound path), and MultiTeacherDistiller, of which the student is shown.
"""

import argparse
import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from mmdet.registry import MODELS, VISUALIZERS
from mmdet.structures import DetDataSample
from mmengine.config import Config, DictAction
from mmengine.dataset import pseudo_collate
from mmengine.model.utils import revert_sync_batchnorm
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from pytorch_grad_cam.utils.image import show_cam_on_image
from torch import nn
from torch.utils.data import Dataset
from torchvision.ops import clip_boxes_to_image
from tqdm import tqdm

import mmav  # noqa: F401  (registers everything)
from mmav.datasets.transforms.load_visual_modalities import read_image
from mmav.pseudo_labels.visual_teachers import build_frames, check_data_rig
from mmav.utils.checkpoint import load_strict, read_checkpoint, select_state_dict
from mmav.utils.command_line import ToolParser
from mmav.utils.config_text import read_config_file
from mmav.utils.errors import one_line_errors
from mmav.utils.fileio import AtomicLocalBackend
from mmav.utils.precision import as_float
from mmav.visualization import (
    crop_to_sample,
    draw_acoustic_image,
    draw_spectrogram_strip,
    draw_stored_acoustic_image,
)
from mmav.visualization.activation_map import (
    DEFAULT_LAYER,
    METHODS,
    ActivationMap,
    activation_map,
    to_camera_image,
)

STUDENT = 'student.'
_GAP, _LINE = 4, 22


@dataclass
class Network:
    """A detector, and the frames as its own test pipeline reads them."""

    name: str
    detector: nn.Module
    modality: str
    dataset: Dataset

    def read(self, index: int) -> tuple[torch.Tensor, DetDataSample, dict]:
        """Preprocessed input (1, C, H, W) of a frame, its data sample, and what the pipeline gave."""
        packed = self.dataset[index]
        preprocessor = self.detector.data_preprocessor
        batch = preprocessor(pseudo_collate([packed]), training=False)
        inputs = batch['inputs']
        if isinstance(inputs, dict):
            inputs = inputs[self.modality]
        return inputs, batch['data_samples'][0], packed['inputs']


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser(__doc__)
    parser.add_output('out', folder=False, type=Path, help='image to write, .png')
    parser.add_argument(
        '--network',
        nargs=3,
        action='append',
        required=True,
        metavar=('NAME', 'CONFIG', 'CHECKPOINT'),
        help='a column; once for each',
    )
    parser.add_argument('--data-root', required=True, help='root of the data set')
    listed = parser.add_mutually_exclusive_group(required=True)
    listed.add_argument('--ann-file', help='COCO json of the frames')
    listed.add_argument('--split-file', help='list of frames, lines <drive>/<id>')
    frames = parser.add_mutually_exclusive_group()
    frames.add_argument('--frames', nargs='+', help='frames to show, <drive>/<id>')
    frames.add_argument('--number', type=int, default=4, help='or how many, evenly spread over the data set')
    parser.add_argument('--method', choices=METHODS, default=METHODS[0])
    parser.add_argument(
        '--layer',
        default=DEFAULT_LAYER,
        help="module, with ':<number>' for one of several outputs, as neck:0; by default the backbone's last",
    )
    parser.add_argument('--score-thr', type=float, default=0.3, help='least score of a box')
    parser.add_argument('--batch-size', type=int, default=16, help='passes of Score-CAM at once')
    parser.add_argument('--width', type=int, default=480, help='of an image in the grid, pixels')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu')
    parser.add_argument('--force', action='store_true', help='overwrite what exists')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='changes to all configs')
    args = parser.parse_args(argv)
    if args.out.suffix != '.png':
        parser.error(f'{args.out}: the image is written as .png')
    if args.out.exists() and not args.force:
        parser.error(f'{args.out} exists; --force overwrites it')
    if args.number < 1 or args.batch_size < 1 or args.width < 64:
        parser.error('--number and --batch-size must be at least 1, --width at least 64')
    return args


def build_detector(cfg: Config, checkpoint: str) -> tuple[nn.Module, str]:
    """Build the detector of a config, or the student of a distiller, with its weights, strictly.

    Of a distiller the checkpoint may also be its student's own one. With it comes the modality of its inputs.
    """
    state_dict = select_state_dict(read_checkpoint(checkpoint), source=checkpoint)
    settings, modality = copy.deepcopy(cfg.model), None
    if 'student' in settings:
        # The teachers are not built: they would want their own checkpoints.
        modality = settings.get('student_modality', 'audio')
        preprocessor = settings.data_preprocessor
        settings = settings.student
        settings.data_preprocessor = preprocessor
        if any(name.startswith(STUDENT) for name in state_dict):
            state_dict = select_state_dict(state_dict, STUDENT, checkpoint)
    detector = revert_sync_batchnorm(MODELS.build(settings))
    load_strict(detector, state_dict, source=checkpoint)
    return detector, modality or getattr(detector.data_preprocessor, 'modality', None) or 'audio'


def build_network(name: str, config: str, checkpoint: str, args: argparse.Namespace) -> Network:
    """Build a network with its data set."""
    cfg = read_config_file(config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'mmdet'))
    dataset = build_frames(cfg, args.data_root, args.ann_file, args.split_file)
    detector, modality = build_detector(cfg, checkpoint)
    check_data_rig(dataset, detector, config)
    return Network(name, detector.to(args.device).eval(), modality, dataset)


def name_frames(dataset: Dataset) -> dict[str, int]:
    """Positions of a data set's frames by <drive>/<id>, or by file where it has no drives."""
    infos = (dataset.get_data_info(i) for i in range(len(dataset)))
    return {
        f'{info["drive"]}/{info["frame_id"]}' if 'drive' in info else info['img_path']: i
        for i, info in enumerate(infos)
    }


def choose_frames(positions: dict[str, dict[str, int]], args: argparse.Namespace) -> list[str]:
    """Names of the frames to show, of :func:`name_frames` of each network; ValueError without such."""
    names = list(next(iter(positions.values())))
    if not args.frames:
        if not names:
            raise ValueError('the data set has no frames')
        wanted = np.linspace(0, len(names) - 1, min(args.number, len(names))).round().astype(int)
        args.frames = [names[i] for i in wanted]
    for network, known in positions.items():
        missing = [frame for frame in args.frames if frame not in known]
        if missing:
            raise ValueError(
                f'the data set of {network} ({len(known)} frames, such as {next(iter(known), None)}) has no '
                f'{", ".join(missing)}'
            )
    return args.frames


def draw_map(found: ActivationMap, sample: DetDataSample, visualizer, width: int) -> np.ndarray:
    """Heat map over the network's input and boxes over the camera image, (H, width, 3) uint8 RGB."""
    found = to_camera_image(found, sample)
    image = cv2.cvtColor(crop_to_sample(read_image(sample.img_path), sample), cv2.COLOR_BGR2RGB)
    heat = show_cam_on_image(image.astype(np.float32) / 255, found.values, use_rgb=True)
    # drawn at its final size, so that the scores can be read
    height = round(heat.shape[0] * width / heat.shape[1])
    scale = torch.tensor([width / heat.shape[1], height / heat.shape[0]]).repeat(2)
    boxes = clip_boxes_to_image(found.bboxes * scale, (height, width))
    heat = cv2.resize(heat, (width, height), interpolation=cv2.INTER_AREA)
    drawn = DetDataSample(pred_instances=InstanceData(bboxes=boxes, scores=found.scores, labels=found.labels))
    visualizer.add_datasample('map', heat, drawn, draw_gt=False, pred_score_thr=0)
    return visualizer.get_image()


@torch.no_grad()
def draw_sound(
    network: Network, inputs: dict, sample: DetDataSample, size: tuple[int, int]
) -> tuple[np.ndarray, str] | None:
    """What a network hears, (height, width, 3) uint8 RGB, and its caption; None if it hears nothing.

    Spectrograms, or the acoustic image over the camera image.
    """
    preprocessor = network.detector.data_preprocessor
    if not isinstance(inputs, dict) or network.modality != 'audio':
        return None
    wave = None
    if 'audio' in inputs:
        wave = as_float(preprocessor.cast_data(inputs['audio']))
    layer = getattr(preprocessor, 'acoustic_image', None)
    if layer is not None:
        image = cv2.cvtColor(crop_to_sample(read_image(sample.img_path), sample), cv2.COLOR_BGR2RGB)
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        if wave is not None:
            return draw_acoustic_image(image, wave, layer), 'Acoustic image'
        values = inputs['acoustic_image'].numpy()
        return draw_stored_acoustic_image(image, values, layer.settings()), 'Acoustic image'
    if wave is None:
        decibel = inputs['spectrogram'].numpy()
    else:
        decibel = preprocessor.log_mel(wave[None])[0, : len(wave)].cpu().numpy()
    strip = draw_spectrogram_strip(decibel, size, preprocessor.db_range, columns=4)
    return cv2.cvtColor(strip, cv2.COLOR_BGR2RGB), 'Spectrograms of the microphones'


def caption(text: str, width: int) -> np.ndarray:
    """A line of text, (22, ``width``, 3) uint8, cut where it is too long."""
    line = np.full((_LINE, width, 3), 255, np.uint8)
    while text and cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.45, 1)[0][0] > width - 8:
        text = text[:-1]
    return cv2.putText(line, text, (4, _LINE - 7), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (0, 0, 0), 1, cv2.LINE_AA)


def draw_row(networks: Sequence[Network], positions: dict, frame: str, visualizer, args) -> np.ndarray:
    """One frame, (H, W, 3) uint8 RGB: an image of each network, then the spectrograms."""
    cells, sound, sample = [], None, None
    for network in networks:
        inputs, sample, raw = network.read(positions[network.name][frame])
        found = activation_map(
            network.detector,
            inputs,
            sample,
            args.method,
            args.layer,
            score_thr=args.score_thr,
            batch_size=args.batch_size,
        )
        visualizer.dataset_meta = network.dataset.metainfo
        image = draw_map(found, sample, visualizer, args.width)
        number = len(found.scores)
        text = f'{network.name}: {number} box{"" if number == 1 else "es"}'
        cells.append((image, text if number else f'{network.name}: no box, so no map'))
        if sound is None:
            sound = draw_sound(network, raw, sample, (args.width, image.shape[0]))
    if sound is not None:
        cells.append(sound)
    facts = (sample.get(key) for key in ('condition', 'motion'))
    title = ', '.join([frame, *(fact for fact in facts if fact)])
    height = max(len(image) for image, _ in cells)
    columns = []
    for image, text in cells:
        space = np.full((height - len(image), image.shape[1], 3), 255, np.uint8)
        gap = np.full((height + _LINE, _GAP, 3), 255, np.uint8)
        columns += [np.concatenate([caption(text, image.shape[1]), image, space]), gap]
    row = np.concatenate(columns[:-1], axis=1)
    return np.concatenate([caption(title, row.shape[1]), row])


def main(argv: Sequence[str] | None = None) -> None:
    """Draw the frames and write the image."""
    args = parse_args(argv)
    networks = [build_network(*network, args) for network in args.network]
    if len({network.name for network in networks}) < len(networks):
        raise SystemExit('--network: two networks have the same name')
    positions = {network.name: name_frames(network.dataset) for network in networks}
    frames = choose_frames(positions, args)
    visualizer = VISUALIZERS.build(dict(type='MAVDLocalVisualizer', name='activation_map', line_width=2))
    rows = []
    for frame in tqdm(frames, unit='frame'):
        rows.append(draw_row(networks, positions, frame, visualizer, args))
    width = max(row.shape[1] for row in rows)
    rows = [cv2.copyMakeBorder(row, 0, _GAP, 0, width - row.shape[1], 0, value=(255,) * 3) for row in rows]
    _, encoded = cv2.imencode('.png', cv2.cvtColor(np.concatenate(rows), cv2.COLOR_RGB2BGR))
    AtomicLocalBackend().put(encoded.tobytes(), args.out)
    print(f'{args.out}: {len(frames)} frames, {len(networks)} networks, {args.method}')


if __name__ == '__main__':
    with one_line_errors():
        main()
