"""Take the visual branch out of an AVD checkpoint.

What is left is the audio path alone, for mmdet's own ``FasterRCNN`` with ``AudioResNet`` as its backbone and
``AudioVisualDataPreprocessor(modality='audio')``::

    python tools/model_converters/strip_visual.py work_dirs/avd/epoch_30.pth audio.pth \
        --config configs/avd/faster_rcnn_r50_fpn_mavd.py

writes ``audio.pth`` and, with ``--config``, ``audio.py``, the config that loads it.
"""

import argparse
import io
from pathlib import Path

import torch
from mmengine.config import Config

import mmav
from mmav.engine import AtomicLocalBackend
from mmav.models.detectors import VISUAL_PREFIXES
from mmav.utils.checkpoint import read_checkpoint, select_state_dict

TRAINING_KEYS = (
    'train_dataloader',
    'train_cfg',
    'train_pipeline',
    'optim_wrapper',
    'param_scheduler',
    'auto_scale_lr',
)


def strip_visual(checkpoint: dict, source: str = 'checkpoint') -> dict:
    """Keep the audio path of a checkpoint.

    Args:
        checkpoint: Checkpoint of an ``AudioVisualFasterRCNN``; not changed.
        source: What error messages call it.

    Returns:
        dict: ``state_dict`` without the visual parameters, and ``meta`` without the config, which describes
        the detector with its visual branch. Optimiser and schedules are left out.

    Raises:
        ValueError: If there is nothing visual in it, or no audio path.
    """
    state_dict = select_state_dict(checkpoint, source=source)
    kept = {name: value for name, value in state_dict.items() if not name.startswith(VISUAL_PREFIXES)}
    if len(kept) == len(state_dict):
        raise ValueError(f'{source} has no visual branch: nothing starts with {", ".join(VISUAL_PREFIXES)}')
    if not any(name.startswith('roi_head.bbox_head.') for name in kept):
        raise ValueError(f'{source} has no audio path: nothing starts with roi_head.bbox_head.')
    meta = {key: value for key, value in checkpoint.get('meta', {}).items() if key != 'cfg'}
    return dict(meta=meta, state_dict=kept)


def audio_only_config(cfg: Config) -> Config:
    """Config of the deployed detector: mmdet's ``FasterRCNN`` on sound, for testing and inference.

    Args:
        cfg: Config of an ``AudioVisualFasterRCNN``; not changed.

    Returns:
        Config: The same without visual branch and training settings.

    Raises:
        ValueError: If the config's model is another one.
    """
    if cfg.model.type != 'AudioVisualFasterRCNN':
        raise ValueError(f'the config has a {cfg.model.type}, not an AudioVisualFasterRCNN')
    deployed = cfg.to_dict()
    for key in TRAINING_KEYS:
        deployed.pop(key, None)
    model = deployed['model']
    for key in ('visual_streams', 'test_modalities', 'init_cfg'):
        model.pop(key, None)
    model['type'] = 'FasterRCNN'
    model['roi_head'] = dict(
        type='StandardRoIHead',
        bbox_roi_extractor=model['roi_head']['bbox_roi_extractor'],
        bbox_head=model['roi_head']['bbox_head'],
    )
    model['data_preprocessor'].pop('modalities', None)
    model['data_preprocessor']['modality'] = 'audio'
    return Config(deployed)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('src', help='checkpoint of an AudioVisualFasterRCNN')
    parser.add_argument('dst', type=Path, help='checkpoint to write, .pth')
    parser.add_argument('--config', help='config that SRC was trained with; that of DST is written beside it')
    parser.add_argument('--force', action='store_true', help='overwrite what exists')
    args = parser.parse_args()
    config_path = args.dst.with_suffix('.py')
    for path in (args.dst, config_path) if args.config else (args.dst,):
        if path.exists() and not args.force:
            parser.error(f'{path} exists; --force overwrites it')

    stripped = strip_visual(read_checkpoint(args.src), args.src)
    backend = AtomicLocalBackend()
    if args.config:
        deployed = audio_only_config(Config.fromfile(args.config))
        stripped['meta']['cfg'] = deployed.pretty_text
        backend.put_text(deployed.pretty_text, config_path)
    content = io.BytesIO()
    torch.save(stripped, content)
    backend.put(content.getvalue(), args.dst)
    megabytes = args.dst.stat().st_size / 1e6
    print(f'{args.dst}: {len(stripped["state_dict"])} tensors, {megabytes:.1f} MB (mmav {mmav.__version__})')


if __name__ == '__main__':
    main()
