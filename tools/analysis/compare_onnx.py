"""Compare a detector of export_onnx.py with its checkpoint on the config's test set.

    python tools/analysis/compare_onnx.py config.py checkpoint.pth detector.onnx
    python tools/analysis/compare_onnx.py config.py checkpoint.pth detector.onnx detector_int8.onnx

prints how far boxes and scores are apart, the metrics of all, and seconds a frame at batch size 1 in one
thread; ``--out FILE.json`` keeps it. The data set must give waveforms: with a prepared store, take it out by
``--cfg-options test_dataloader.dataset.prepared=None``.
"""

import argparse
import copy
import dataclasses
import time
from pathlib import Path

import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split
import numpy as np
import torch
from mmdet.registry import DATASETS
from mmdet.structures import DetDataSample
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from torch.utils.data import Dataset
from tqdm import tqdm

from mmav.apis import AudioDetInferencer, OnnxDetInferencer
from mmav.apis.command_line import add_model_arguments, build_inferencer
from mmav.export.parity import BoxDifferences
from mmav.utils.command_line import ToolParser
from mmav.utils.errors import SampleError, one_line_errors
from mmav.utils.fileio import write_json


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = ToolParser(__doc__)
    add_model_arguments(parser, detector=True, batches=False, onnx=False)
    parser.add_argument('detectors', nargs='+', metavar='DETECTOR', help='.onnx file of the checkpoint')
    parser.add_argument('--frames', type=int, help='the first frames alone')
    parser.add_output('--out', folder=False, type=Path, help='.json file to write')
    return parser.parse_args()


def evaluate(
    inferencer: AudioDetInferencer, dataset: Dataset, metrics: list, frames: int
) -> tuple[list[DetDataSample], dict[str, float], float]:
    """Predictions of the first frames, metrics, and seconds a frame (median)."""
    evaluator = Evaluator(copy.deepcopy(metrics))
    evaluator.dataset_meta = dataset.metainfo
    samples, seconds = [], []
    for index in tqdm(range(frames), unit=' frames'):
        data = pseudo_collate([dataset[index]])
        if 'audio' not in data['inputs']:
            raise SampleError('the test set', 'gives no waveforms: see the help on prepared stores')
        start = time.perf_counter()
        (sample,) = inferencer.forward(data)
        seconds.append(time.perf_counter() - start)
        evaluator.process([sample])
        samples.append(sample)
    return samples, evaluator.evaluate(frames), float(np.median(seconds))


def plain(sample: DetDataSample) -> dict[str, np.ndarray]:
    """Boxes of a prediction as arrays."""
    return {key: sample.pred_instances[key].numpy(force=True) for key in ('bboxes', 'scores', 'labels')}


@one_line_errors()
def main() -> None:
    """Run all and compare."""
    args = parse_args()
    torch.set_num_threads(1)
    inferencer = build_inferencer(AudioDetInferencer, args, show_progress=False)
    cfg = inferencer.cfg
    metrics = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    frames = min(args.frames or len(dataset), len(dataset))
    expected, figures, seconds = evaluate(inferencer, dataset, metrics, frames)
    report = {args.checkpoint: dict(metrics=figures, seconds=seconds)}
    for path in args.detectors:
        found, figures, seconds = evaluate(
            OnnxDetInferencer(path, threads=1, show_progress=False), dataset, metrics, frames
        )
        differences = BoxDifferences()
        for pair in zip(expected, found, strict=True):
            differences.add(*map(plain, pair))
        report[path] = dict(metrics=figures, seconds=seconds, differences=dataclasses.asdict(differences))
    for name, row in report.items():
        print(f'{name}: {row["seconds"] * 1e3:.1f} ms a frame')
        for key in ('metrics', 'differences'):
            print(''.join(f'  {label} {value:.4g}\n' for label, value in row.get(key, {}).items()), end='')
    if args.out is not None:
        write_json(args.out, report, indent=1)


if __name__ == '__main__':
    main()
