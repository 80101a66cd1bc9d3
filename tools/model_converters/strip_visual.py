"""Take what training alone needs out of the checkpoint of an AVD detector or of a distiller.

What is left of an ``AudioVisualFasterRCNN`` is the audio path, for mmdet's own ``FasterRCNN`` with
``AudioResNet`` as its backbone; what is left of a ``MultiTeacherDistiller`` is its student. Both go with
``AudioVisualDataPreprocessor(modality='audio')`` (a student that sees: with its modality)::

    python tools/model_converters/strip_visual.py work_dirs/avd/epoch_30.pth audio.pth \
        --config configs/avd/faster_rcnn_r50_fpn_mavd.py

writes ``audio.pth`` and, with ``--config``, ``audio.py``, the config that loads it.
"""

import io
from pathlib import Path

import torch
from mmdet.registry import MODELS
from mmengine.config import Config

import mmav
from mmav.engine import AtomicLocalBackend
from mmav.models.detectors import VISUAL_PREFIXES, AudioVisualFasterRCNN, MultiTeacherDistiller
from mmav.utils.checkpoint import read_checkpoint, select_state_dict
from mmav.utils.command_line import ToolParser
from mmav.utils.config_parts import builds
from mmav.utils.config_text import plain_config, read_config_file
from mmav.utils.errors import one_line_errors

STUDENT = 'student.'
TRAINING_KEYS = (
    'train_dataloader',
    'train_cfg',
    'train_pipeline',
    'optim_wrapper',
    'param_scheduler',
    'auto_scale_lr',
)


def strip_visual(checkpoint: dict, source: str = 'checkpoint') -> dict:
    """The audio path of an ``AudioVisualFasterRCNN``, or the student of a ``MultiTeacherDistiller``.

    Its ``state_dict``, and ``meta`` without the config, which describes the whole model. Optimizer and
    schedules are left out. ValueError if there is nothing to take out of it, or no audio path.
    """
    state_dict = select_state_dict(checkpoint, source=source)
    if any(name.startswith(STUDENT) for name in state_dict):
        kept = select_state_dict(checkpoint, STUDENT, source)
    else:
        kept = {name: value for name, value in state_dict.items() if not name.startswith(VISUAL_PREFIXES)}
        if len(kept) == len(state_dict):
            raise ValueError(
                f'{source} has no visual branch and no student: '
                f'nothing starts with {", ".join((*VISUAL_PREFIXES, STUDENT))}'
            )
        if not any(name.startswith('roi_head.bbox_head.') for name in kept):
            raise ValueError(f'{source} has no audio path: nothing starts with roi_head.bbox_head.')
    meta = {key: value for key, value in checkpoint.get('meta', {}).items() if key != 'cfg'}
    return dict(meta=meta, state_dict=kept)


def deployed_config(cfg: Config) -> Config:
    """Config of the deployed detector, for testing and inference: no training settings.

    mmdet's ``FasterRCNN`` on sound, or the student; ValueError if the config's model is another one.
    """
    deployed = plain_config(cfg).to_dict()
    for key in TRAINING_KEYS:
        deployed.pop(key, None)
    model = deployed['model']
    if builds(model, AudioVisualFasterRCNN, registry=MODELS):
        for key in ('visual_streams', 'test_modalities'):
            model.pop(key, None)
        model['type'] = 'FasterRCNN'
        model['roi_head'] = dict(
            type='StandardRoIHead',
            bbox_roi_extractor=model['roi_head']['bbox_roi_extractor'],
            bbox_head=model['roi_head']['bbox_head'],
        )
        modality = 'audio'
    elif builds(model, MultiTeacherDistiller, registry=MODELS):
        modality = model.get('student_modality', 'audio')
        model = dict(model['student'], data_preprocessor=model['data_preprocessor'])
    else:
        raise ValueError(
            f'the config has a {model["type"]}, no AudioVisualFasterRCNN or MultiTeacherDistiller'
        )
    model.pop('init_cfg', None)
    preprocessor = model['data_preprocessor']
    preprocessor['modality'] = modality
    images = preprocessor.pop('modalities', None) or {}
    if modality in images:
        preprocessor['modalities'] = {modality: images[modality]}
    deployed['model'] = model
    return Config(deployed)


def main() -> None:
    """Run the command."""
    parser = ToolParser(__doc__)
    parser.add_argument('src', help='checkpoint of an AVD detector or a distiller')
    parser.add_output('dst', folder=False, type=Path, help='checkpoint to write, .pth')
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
        deployed = deployed_config(read_config_file(args.config))
        stripped['meta']['cfg'] = deployed.pretty_text
        backend.put_text(deployed.pretty_text, config_path)
    content = io.BytesIO()
    torch.save(stripped, content)
    backend.put(content.getvalue(), args.dst)
    megabytes = args.dst.stat().st_size / 1e6
    print(f'{args.dst}: {len(stripped["state_dict"])} tensors, {megabytes:.1f} MB (mmav {mmav.__version__})')


if __name__ == '__main__':
    with one_line_errors():
        main()
