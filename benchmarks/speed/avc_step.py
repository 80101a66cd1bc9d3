"""Benchmark of the sound localizer's training step: embeddings from a store against teachers on line.

Shapes: B samples, S side of the images in pixels.
"""

from collections.abc import Callable

import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch import nn

from .pairs import Comparison, pinned_threads, time_pairs

HINTS = dict(
    audio_hint=dict(type='FeatureHintLoss', loss_weight=1e3),
    visual_hint=dict(type='FeatureHintLoss', loss_weight=1e5),
)
RATES = dict(audio=22050, teacher_waveform=32000)


def build_localizers(
    teachers: dict, localizer: dict | None = None, device: str = 'cpu'
) -> dict[str, nn.Module]:
    """The same student three times: with teachers on line, with their embeddings given, and without hints.

    Args:
        teachers: Config of ``AVCTeachers``. They stay untrained: what they say does not change the time.
        localizer: Settings of ``AVCLocalizer`` that are not the paper's.
        device: Where they live.

    Returns:
        dict: 'online', 'offline' and 'alone', in training mode.
    """
    torch.manual_seed(0)
    cfg = dict(
        type='AVCLocalizer',
        data_preprocessor=dict(type='SoundLocalizationDataPreprocessor'),
        **(localizer or {}),
    )
    built = dict(
        online=MODELS.build(dict(cfg, **HINTS, teachers=dict(teachers, allow_untrained=True))),
        offline=MODELS.build(dict(cfg, **HINTS)),
        alone=MODELS.build(cfg),
    )
    built['online'].teachers.ready = True  # their ImageNet weights are not needed
    for model in built.values():
        model.load_state_dict(built['online'].state_dict(), strict=False)
        model.to(device).train()
    return built


def make_batches(online: nn.Module, batch: int, size: int, seconds: float) -> dict[str, dict]:
    """A batch as a loader gives it, for each of the localizers.

    Args:
        online: The localizer with teachers; embeds the batch for the others.
        batch: B.
        size: S.
        seconds: Length of the sounds.

    Returns:
        As :func:`build_localizers`.
    """
    generator = torch.Generator().manual_seed(0)
    inputs = dict(
        image=list(torch.randint(0, 256, (batch, 3, size, size), generator=generator, dtype=torch.uint8))
    )
    for name, rate in RATES.items():
        inputs[name] = list(0.1 * torch.randn(batch, round(rate * seconds), generator=generator))
    ready = online.data_preprocessor(dict(inputs=inputs), True)['inputs']
    with torch.no_grad():
        embeds = {name: list(values.cpu()) for name, values in online.teachers(ready).items()}
    pairs = {name: inputs[name] for name in ('image', 'audio')}
    return dict(
        online=dict(inputs=inputs), offline=dict(inputs={**pairs, **embeds}), alone=dict(inputs=pairs)
    )


def training_step(model: nn.Module, batch: dict) -> Callable[[], dict]:
    """Data preprocessor, forward, losses and backward, as a function that returns the losses."""

    def step() -> dict:
        model.zero_grad(set_to_none=True)
        losses = model(**model.data_preprocessor(batch, True), mode='loss')
        total = model.parse_losses(losses)[0]
        total.backward()
        if total.is_cuda:
            torch.cuda.synchronize(total.device)
        return losses

    return step


def avc_step(
    config: str,
    size: int = 224,
    batch: int = 4,
    repeats: int = 5,
    threads: int = 1,
    device: str = 'cpu',
    options: dict | None = None,
    seconds: float = 3.0,
    localizer: dict | None = None,
) -> list[Comparison]:
    """The training step with stored embeddings against teachers on line, and against no teachers at all.

    Args:
        config: Path of a config with ``teachers``.
        size: S.
        batch: B.
        repeats: Pairs.
        threads: Threads.
        device: Where it runs.
        options: Settings of the config to override, by dotted key.
        seconds: Length of the sounds.
        localizer: Settings of ``AVCLocalizer`` that are not the paper's.

    Returns:
        Both, with the batch at hand.
    """
    cfg = Config.fromfile(config)
    cfg.merge_from_dict(options or {})
    results = []
    with pinned_threads(threads):
        models = build_localizers(cfg.teachers, localizer, device)
        batches = make_batches(models['online'], batch, size, seconds)
        steps = {name: training_step(models[name], batches[name]) for name in models}
        losses = {name: step() for name, step in steps.items()}  # warms up, too
        for name in ('offline', 'alone'):
            for key, value in losses[name].items():
                torch.testing.assert_close(losses['online'][key], value, rtol=1e-4, atol=1e-5)
        for reference, label, kind in (
            ('online', 'teachers on line', 'gain'),
            ('alone', 'no teachers', 'cost'),
        ):
            mine, theirs = time_pairs(steps['offline'], steps[reference], repeats, warm_up=0)
            results.append(
                Comparison(
                    'avc-step',
                    'training step, tensors at hand',
                    "teachers' embeddings from a store",
                    label,
                    kind,
                    ours_values=mine,
                    reference_values=theirs,
                    settings=dict(
                        size=size,
                        batch=batch,
                        seconds=seconds,
                        threads=threads,
                        device=device,
                        **(options or {}),
                    ),
                    checked=', '.join(sorted(losses['offline' if reference == 'online' else 'alone'])),
                )
            )
    return results
