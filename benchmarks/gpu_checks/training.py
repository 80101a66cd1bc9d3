"""Iterations of the papers' configs on random data of the right shapes, with mmengine's own training step.

Shapes: B samples, H, W size of the network's input in pixels.
"""

import copy
import statistics
import time
from typing import Any

import torch
from mmdet.registry import MODELS, PARAM_SCHEDULERS
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from speed.detectors import make_sample
from speed.distillation import label_offline
from torch import nn

SAMPLE_RATE = 44100


def random_batch(model: nn.Module, size: tuple[int, int], batch: int, seed: int = 0) -> dict:
    """What a loader of MAVD collates, with the images that the model's data preprocessor knows.

    Args:
        model: A detector with ``AudioVisualDataPreprocessor``.
        size: (H, W), equal.
        batch: B.
        seed: Of everything.

    Returns:
        Waveforms of a second (8, 44100), images (1 or 3, H, W), samples with three boxes.
    """
    generator = torch.Generator().manual_seed(seed)
    preprocessor = model.data_preprocessor
    shapes = {name: (len(getattr(preprocessor, f'{name}_mean')), *size) for name in preprocessor.bgr_to_rgb}
    inputs = {
        name: [torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8) for _ in range(batch)]
        for name, shape in shapes.items()
    }
    inputs['audio'] = [
        torch.randint(-9000, 9000, (8, SAMPLE_RATE), generator=generator, dtype=torch.int16)
        for _ in range(batch)
    ]
    return dict(inputs=inputs, data_samples=[make_sample(size[0], generator) for _ in range(batch)])


def build(
    config: str, device: str, amp: str | None = None, options: dict | None = None
) -> tuple[Config, nn.Module, OptimWrapper]:
    """Build a model from scratch, in training mode, and its optimizer.

    Args:
        config: Path of a config of a detector or distiller.
        device: Where.
        amp: 'bfloat16' or 'float16': mmengine's ``AmpOptimWrapper``. None: the config's wrapper.
        options: Settings of the config to override, by dotted key.

    Returns:
        The config, the model, the wrapper of its optimizer.
    """
    torch.manual_seed(0)
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(options or {})
    cfg.model.init_cfg = None
    if cfg.model.type == 'MultiTeacherDistiller':
        cfg.model.allow_untrained_teachers = True
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.to(device).train()
    wrapper_cfg = copy.deepcopy(cfg.optim_wrapper)
    if amp is not None:
        wrapper_cfg.update(type='AmpOptimWrapper', dtype=amp)
    return cfg, model, build_optim_wrapper(model, wrapper_cfg)


def train(
    config: str,
    device: str,
    amp: str | None = None,
    iterations: int = 20,
    options: dict | None = None,
) -> dict[str, Any]:
    """Train some iterations with the config's batch size, optimizer and warm-up, from scratch.

    Args:
        config: See :func:`build`.
        device: See :func:`build`.
        amp: See :func:`build`.
        iterations: How many.
        options: See :func:`build`.

    Returns:
        Seconds an iteration (median without the first five), first and last loss, peak memory.

    Raises:
        FloatingPointError: If a loss is not finite.
    """
    cfg, model, wrapper = build(config, device, amp, options)
    schedulers = [
        PARAM_SCHEDULERS.build(dict(scheduler, optimizer=wrapper))
        for scheduler in cfg.param_scheduler
        if scheduler.get('by_epoch') is False
    ]
    batch_size = cfg.train_dataloader.batch_size
    batch = random_batch(model, tuple(cfg.model.data_preprocessor.audio_size), batch_size)
    if hasattr(model, 'teachers'):  # untrained ones find nothing above the config's threshold
        label_offline(model, copy.deepcopy(batch))
    if device == 'cuda':
        torch.cuda.reset_peak_memory_stats()
    losses, seconds = [], []
    for iteration in range(iterations):
        given = copy.deepcopy(batch)
        begin = time.perf_counter()
        logs = model.train_step(given, wrapper)
        losses.append(float(logs['loss'].detach()))  # waits for the device
        seconds.append(time.perf_counter() - begin)
        unfit = sorted(name for name, value in logs.items() if not torch.as_tensor(value).isfinite().all())
        if unfit:
            raise FloatingPointError(f'{", ".join(unfit)} not finite at iteration {iteration + 1}')
        for scheduler in schedulers:
            scheduler.step()
    figures = {
        'iterations': iterations,
        'batch': batch_size,
        'first loss': round(losses[0], 4),
        'last loss': round(losses[-1], 4),
        's an iteration': round(statistics.median(seconds[5:] or seconds), 4),
    }
    if device == 'cuda':
        figures['peak memory, GB'] = round(torch.cuda.max_memory_allocated() / 1e9, 2)
    return figures
