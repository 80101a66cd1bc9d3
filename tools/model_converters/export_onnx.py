"""Write a trained model as an ONNX file that runs without PyTorch.

    python tools/model_converters/export_onnx.py config.py checkpoint.pth detector.onnx
    python tools/model_converters/export_onnx.py config.py checkpoint.pth detector.onnx \
        --int8 detector_int8.onnx --calibration data/mavd/audio
    python tools/model_converters/export_onnx.py configs/avvp/han_llp.py han.pth han.onnx

A detector goes from ``waveform`` (B, microphones, samples) of windows to ``bboxes`` (B, n, 4), in pixels of
the cropped camera image, ``scores`` and ``labels`` (B, n), front end and non-maximum suppression included;
scores are -1 where there are fewer boxes. ``mmav.apis.OnnxAudioDetector`` and ``tools/detect.py`` run it.
Other models (AVCLocalizer, DMIN, DCMR, HybridAttentionParser) take their input tensors and give their named
ones. The number of samples of a batch is free. The file is compared with the model on random inputs.
"""

import argparse
from pathlib import Path

import mmav

# isort: split
import numpy as np
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from mmav.apis import AudioDetInferencer, collect_clips
from mmav.apis.audio_clips import windows
from mmav.apis.command_line import build_inferencer
from mmav.apis.model_loading import load_model
from mmav.apis.onnx_audio_detector import OnnxAudioDetector
from mmav.apis.onnx_det_inferencer import exported_metadata
from mmav.export import (
    ExportableAudioDetector,
    ExportError,
    NamedTensors,
    example_inputs,
    input_shapes,
    largest_differences,
    onnx_bytes,
    write_onnx,
)
from mmav.export.audio_detector import OUTPUTS
from mmav.export.parity import BoxDifferences
from mmav.export.quantization import quantize
from mmav.models.localizers import AVCLocalizer
from mmav.models.segment_models.segment_model import SegmentModel
from mmav.utils.checkpoint import read_checkpoint
from mmav.utils.command_line import ToolParser, read_config
from mmav.utils.config_parts import class_of
from mmav.utils.errors import one_line_errors
from mmav.utils.fileio import AtomicLocalBackend
from mmav.utils.precision import as_float


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    parser.add_config()
    parser.add_output('output', folder=False, type=Path, help='.onnx file to write')
    parser.add_argument('--force', action='store_true', help='overwrite what exists')
    detector = parser.add_argument_group('detectors')
    detector.add_argument('--int16', action='store_true', help='the file takes int16, not floats in -1..1')
    detector.add_argument('--stripped', action='store_true', help='the checkpoint lacks the visual branch')
    detector.add_argument('--rig', help='rig.json to steer the acoustic images with')
    detector.add_argument(
        '--allow-other-rig', action='store_true', help='where it is not that of the training'
    )
    detector.add_argument('--int8', type=Path, metavar='FILE', help='write this file with 8-bit weights, too')
    detector.add_argument(
        '--calibration', nargs='+', metavar='RECORDING', help='recordings or folders that --int8 is fitted to'
    )
    detector.add_argument(
        '--calibration-windows', type=int, default=100, help='windows of them at most; default: 100'
    )
    others = parser.add_argument_group('other models')
    others.add_argument(
        '--shape',
        nargs='+',
        default=[],
        metavar='INPUT=SIZES',
        help="shapes of inputs without the batch, as visual=10,7,7,512; default: the papers'",
    )
    args = parser.parse_args()
    if (args.int8 is None) != (args.calibration is None):
        parser.error('--int8 and --calibration go together')
    for path in filter(None, (args.output, args.int8)):
        if path.suffix != '.onnx':
            parser.error(f'{path}: the name must end in .onnx')
        if path.exists() and not args.force:
            parser.error(f'{path} exists; --force overwrites it')
    args.device = 'cpu'
    return args


def is_detector(cfg: Config) -> bool:
    """Whether a config's model is none of segments or pairs."""
    return not issubclass(class_of(cfg.model, MODELS), (SegmentModel, AVCLocalizer))


def make_detector(inferencer: AudioDetInferencer) -> ExportableAudioDetector:
    """The exportable form of an inferencer's model; ExportError if its pipeline changes the sound."""
    shape = inferencer.num_channels, inferencer.window_length
    window = np.random.default_rng(0).integers(-9999, 9999, shape, np.int16)
    packed = inferencer.pack(window, 'window', 0.0)
    given = as_float(packed['inputs']['audio']).numpy()
    if given.shape != shape or np.abs(given - as_float(window)).max() > 1e-6:
        raise ExportError("the config's test pipeline changes the sound, which the file could not do")
    with torch.no_grad():
        data = inferencer.model.data_preprocessor(pseudo_collate([packed]), False)
    return ExportableAudioDetector(inferencer.model, data['data_samples'][0], *shape)


def export_detector(args: argparse.Namespace) -> dict[str, float]:
    """Write a detector; its differences from the model."""
    inferencer = build_inferencer(AudioDetInferencer, args, show_progress=False)
    module = make_detector(inferencer)
    samples = torch.empty(2, inferencer.num_channels, inferencer.window_length)
    samples = samples.uniform_(-0.3, 0.3, generator=torch.Generator().manual_seed(0))
    if args.int16:
        samples = (samples * 32768).short()
    inputs = dict(waveform=samples)
    content = onnx_bytes(module, inputs, OUTPUTS, exported_metadata(inferencer))
    AtomicLocalBackend().put(content, args.output)
    if args.int8 is not None:
        taken = calibration_windows(inferencer, args)
        if not args.int16:
            taken = as_float(taken)
        AtomicLocalBackend().put(quantize(content, taken), args.int8)
        print(f'{args.int8}: {args.int8.stat().st_size / 1e6:.1f} MB, fitted to {len(taken)} windows')
    return compare_detector(module, str(args.output), samples)


def compare_detector(module: ExportableAudioDetector, path: str, waveform: torch.Tensor) -> dict[str, float]:
    """Largest differences of paired boxes, in pixels, and scores, and the number of boxes without a pair."""
    with torch.no_grad():
        boxes, scores, labels = (values.numpy() for values in module(waveform))
    differences = BoxDifferences()
    for box, score, label, found in zip(boxes, scores, labels, OnnxAudioDetector(path)(waveform.numpy())):
        there = score >= 0
        differences.add(dict(bboxes=box[there], scores=score[there], labels=label[there]), found)
    return {name: getattr(differences, name) for name in ('pixels', 'score', 'unpaired')}


def calibration_windows(inferencer: AudioDetInferencer, args: argparse.Namespace) -> np.ndarray:
    """Windows (n, M, L) of int16, evenly spread over the recordings."""
    clips = collect_clips(args.calibration, inferencer.num_channels)
    step = max(1, len(clips) // args.calibration_windows)
    found: list[np.ndarray] = []
    for clip in clips[::step]:
        wave = clip.read(inferencer.sample_rate, inferencer.num_channels, None)
        stride = inferencer.window_length
        found += [window for _, window in windows(wave, clip.name, stride, stride, inferencer.sample_rate)]
        if len(found) >= args.calibration_windows:
            break
    taken = np.stack(found[: args.calibration_windows])
    return (
        taken if taken.dtype == np.int16 else np.clip(np.rint(taken * 32768), -32768, 32767).astype(np.int16)
    )


def export_tensors(args: argparse.Namespace) -> dict[str, float]:
    """Write a model of segments or pairs; its differences from the model."""
    init_default_scope('mmdet')
    cfg = read_config(args)
    model, _ = load_model(cfg._cfg_dict, args.checkpoint, 'cpu', left_out=('model.teachers',))
    model.float()
    shapes = input_shapes(model)
    for text in args.shape:
        name, _, sizes = text.partition('=')
        if name not in shapes or not all(size.isdigit() and int(size) for size in sizes.split(',')):
            raise ValueError(f'--shape {text}: give one of {", ".join(shapes)}, "=" and sizes above 0')
        shapes[name] = tuple(map(int, sizes.split(',')))
    module, inputs = NamedTensors(model, shapes), example_inputs(shapes)
    with torch.no_grad():
        module(*inputs.values())
    metadata = dict(kind='tensors', model=type(model).__name__, inputs=shapes, outputs=module.outputs)
    write_onnx(module, inputs, module.outputs, args.output, metadata)
    return largest_differences(module, str(args.output), inputs, module.outputs)


@one_line_errors()
def main() -> None:
    """Export and compare."""
    args = parse_args()
    read_checkpoint(args.checkpoint)  # before the model is built
    export = export_detector if is_detector(read_config(args)) else export_tensors
    differences = export(args)
    print(f'{args.output}: {args.output.stat().st_size / 1e6:.1f} MB (mmav {mmav.__version__})')
    print('largest differences from PyTorch on random inputs:')
    print('\n'.join(f'  {name} {value:.2g}' for name, value in differences.items()))


if __name__ == '__main__':
    main()
