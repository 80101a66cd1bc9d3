"""Benchmarks of running detection: ONNX files against PyTorch, the real-time factor, and memory over an hour.

Shapes: M microphones, L samples.
"""

import contextlib
import io
import os
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.dataset import pseudo_collate

from mmav.apis import AudioDetInferencer, OnnxAudioDetector, StreamingAudioDetector
from mmav.apis.onnx_det_inferencer import exported_metadata
from mmav.export import ExportableAudioDetector, onnx_bytes
from mmav.export.audio_detector import OUTPUTS
from mmav.export.parity import BoxDifferences
from mmav.simulation import make_config
from mmav.simulation.drives.simulated_rig import make_rig
from mmav.utils.precision import as_float

from .pairs import Comparison, pinned_threads, time_pairs

CONFIGS = Path(__file__).parents[2] / 'configs'
CASES = {
    'small, log-mel': 'avd/faster_rcnn_r18_sim_audio.py',
    'small, acoustic image': 'avd/faster_rcnn_r18_sim_acoustic.py',
    'R-50, log-mel': 'avd/faster_rcnn_r50_fpn_mavd.py',
    'R-50, acoustic image': 'avd/faster_rcnn_r50_fpn_mavd_acoustic.py',
}
SMALL = tuple(case for case in CASES if case.startswith('small'))
HOP, RATE, MICROPHONES = 0.1, 44100, 8


def make_inferencer(case: str) -> AudioDetInferencer:
    """A detector of random weights by sound alone, and its recordings' rig."""
    cfg = Config.fromfile(CONFIGS / CASES[case])
    rig = make_rig(make_config('demo')).to_dict()
    if cfg.model.type != 'FasterRCNN':  # an AVD detector: of the same cost without its visual streams
        cfg.model.type = 'FasterRCNN'
        cfg.model.pop('visual_streams')
        roi_head = cfg.model.roi_head
        cfg.model.roi_head = dict(
            type='StandardRoIHead',
            bbox_roi_extractor=roi_head.bbox_roi_extractor,
            bbox_head=roi_head.bbox_head,
        )
        cfg.model.data_preprocessor.update(modality='audio', modalities=None)
    for part in (cfg.model, cfg.model.backbone):
        part.init_cfg = None
    if cfg.model.data_preprocessor.get('acoustic_image'):
        cfg.model.data_preprocessor.acoustic_image.rig = rig
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'checkpoint.pth')
        torch.save(dict(state_dict=MODELS.build(cfg.model.copy()).state_dict(), meta={}), path)
        inferencer = AudioDetInferencer(cfg, str(path), device='cpu', show_progress=False)
    spread_scores(inferencer)
    return inferencer


def spread_scores(inferencer: AudioDetInferencer) -> None:
    """Scale the weights of both classifiers: scores of random features shall differ, and not be 0 or 1."""
    model = inferencer.model
    for layer in (model.rpn_head.rpn_cls, model.roi_head.bbox_head.fc_cls):
        logits: list[torch.Tensor] = []
        hook = layer.register_forward_hook(lambda *args, logits=logits: logits.append(args[-1].flatten()))
        inferencer.forward(pseudo_collate([pack(inferencer, street(1.0))]))
        hook.remove()
        layer.weight.data.mul_(2 / torch.cat(logits).std())


def export(inferencer: AudioDetInferencer, path: Path) -> None:
    """Write an inferencer's detector as an ONNX file."""
    data = inferencer.model.data_preprocessor(pseudo_collate([pack(inferencer, street(1.0))]), False)
    shape = inferencer.num_channels, inferencer.window_length
    module = ExportableAudioDetector(inferencer.model, data['data_samples'][0], *shape)
    waveform = torch.from_numpy(as_float(street(1.0)))[None]
    path.write_bytes(onnx_bytes(module, dict(waveform=waveform), OUTPUTS, exported_metadata(inferencer)))


def street(seconds: float) -> np.ndarray:
    """Noise (M, L) of int16."""
    shape = MICROPHONES, round(seconds * RATE)
    return (np.random.default_rng(0).standard_normal(shape, np.float32) * 1500).astype(np.int16)


def pack(inferencer: AudioDetInferencer, window: np.ndarray) -> dict:
    """What the test pipeline makes of a window."""
    return inferencer.pack(window, 'street', 0.0)


def onnx(repeats: int = 9, threads: int = 1, cases: tuple[str, ...] = tuple(CASES)) -> list[Comparison]:
    """A window from waveform to boxes by onnxruntime and by PyTorch.

    Args:
        repeats: Pairs.
        threads: Of both.
        cases: Of :data:`CASES`.
    """
    return [_onnx_case(case, repeats, threads) for case in cases]


def _onnx_case(case: str, repeats: int, threads: int) -> Comparison:
    inferencer, window = make_inferencer(case), street(1.0)
    with tempfile.TemporaryDirectory() as folder, pinned_threads(threads):
        export(inferencer, Path(folder, 'detector.onnx'))
        detector = OnnxAudioDetector(Path(folder, 'detector.onnx'), threads)

        def by_pytorch() -> DetDataSample:
            return inferencer.forward(pseudo_collate([pack(inferencer, window)]))[0]

        expected, differences = by_pytorch().pred_instances, BoxDifferences()
        differences.add(
            {key: expected[key].numpy() for key in ('bboxes', 'scores', 'labels')}, *detector(window[None])
        )
        # R-50 of random weights has nearly the same scores everywhere: which boxes are kept is chance
        apart = (
            differences.pixels > 0.1 or differences.score > 1e-3
            if case in SMALL
            else differences.score > 0.01
        )
        if differences.unpaired or apart:
            raise AssertionError(f'{case}: {differences}')
        ours, reference = time_pairs(lambda: detector(window[None]), by_pytorch, repeats)
    found = f'{differences.pixels:.2g} pixels and ' if case in SMALL else ''
    return Comparison(
        'onnx',
        case,
        'OnnxAudioDetector, 1 s of 8 microphones',
        'AudioDetInferencer, PyTorch eager',
        'gain',
        target=1.5,
        ours_values=ours,
        reference_values=reference,
        settings=dict(threads=threads),
        checked=f'{differences.boxes} boxes to {found}{differences.score:.2g} of score',
    )


@contextlib.contextmanager
def counted_threads() -> Iterator[list[int]]:
    """The largest number of threads of this process, sampled 20 times a second."""
    most, ended = [threading.active_count()], threading.Event()

    def count() -> None:
        while not ended.wait(0.05):
            with contextlib.suppress(OSError):
                most[0] = max(most[0], len(os.listdir('/proc/self/task')))

    thread = threading.Thread(target=count)
    thread.start()
    try:
        yield most
    finally:
        ended.set()
        thread.join()


def live(seconds: float = 20.0, threads: int = 2, cases: tuple[str, ...] = tuple(CASES)) -> list[Comparison]:
    """The time that running detection with a tracker takes of each hop of 0.1 s: the real-time factor.

    Sound comes in chunks of a hop. A window whose computing is longer than a hop is measured all the same.

    Args:
        seconds: Of sound; a twentieth of it for R-50.
        threads: Of PyTorch and of onnxruntime.
        cases: Of :data:`CASES`.
    """
    results = []
    for case in cases:
        inferencer = make_inferencer(case)
        length = seconds if case in SMALL else seconds / 20
        with tempfile.TemporaryDirectory() as folder, pinned_threads(threads):
            export(inferencer, Path(folder, 'detector.onnx'))
            for name, model, options in (
                ('PyTorch', inferencer, {}),
                ('PyTorch, aligned hop', inferencer, dict(align_hop=True)),
                ('onnxruntime', OnnxAudioDetector(Path(folder, 'detector.onnx'), threads), {}),
            ):
                detector = StreamingAudioDetector(model, hop=HOP, tracker=dict(type='IoUTracker'), **options)
                with counted_threads() as most:
                    latencies = feed(detector, length)
                results.append(
                    Comparison(
                        'live',
                        f'{case}, {name}',
                        'computing for a hop',
                        'the hop',
                        'cost',
                        target=0.3 if case in SMALL else None,
                        ours_values=latencies,
                        reference_values=[detector.hop] * len(latencies),
                        settings=dict(threads=threads, hop=f'{detector.hop:.4f} s'),
                        notes=[
                            f'latency: median {statistics.median(latencies) * 1e3:.1f} ms, 99 % '
                            f'{np.quantile(latencies, 0.99) * 1e3:.1f} ms; '
                            f'{most[0]} threads of the process at most; {peak_memory():.0f} MB at most'
                        ],
                    )
                )
    return results


def feed(detector: StreamingAudioDetector, seconds: float) -> list[float]:
    """Seconds that each push of a hop takes, after a warm-up of two results."""
    step = round(detector.hop * RATE)
    sound, latencies = street(seconds + 1.3), []
    for start in range(0, sound.shape[1] - step, step):
        begin = time.perf_counter()
        found = detector.push(sound[:, start : start + step])
        if found and start > 1.2 * RATE:
            latencies.append(time.perf_counter() - begin)
    return latencies


def peak_memory() -> float:
    """Megabytes that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == 'darwin' else 1e3)


def held_memory() -> float:
    """Megabytes that this process holds."""
    pages = int(Path('/proc/self/statm').read_text().split()[1])
    return pages * os.sysconf('SC_PAGE_SIZE') / 1e6


def soak(hours: float = 1.0, case: str = 'small, log-mel', hop: float = 1.0) -> list[Comparison]:
    """Memory after an hour of sound, fed as fast as it goes, beside that after its first minute.

    Args:
        hours: Of sound.
        case: Of :data:`CASES`.
        hop: Seconds; a result each.
    """
    detector = StreamingAudioDetector(make_inferencer(case), hop=hop, tracker=dict(type='IoUTracker'))
    minute, held, results = street(60.0), [], 0
    with contextlib.redirect_stdout(io.StringIO()):
        for _ in range(max(2, round(hours * 60))):
            for chunk in np.array_split(minute, 600, axis=1):
                results += len(detector.push(chunk))
            held.append(held_memory())
    return [
        Comparison(
            'soak',
            f'{case}, {len(held)} minutes of sound',
            'memory at the end',
            'memory after the first minute',
            'cost',
            unit='MB',
            target=1.05,
            ours_values=held[-1:],
            reference_values=held[:1],
            settings=dict(hop=f'{hop} s'),
            notes=[f'{results} results; at most {max(held):.0f} MB after any minute'],
        )
    ]
