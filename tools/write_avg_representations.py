"""Write what an audio-visual grounding model makes of clips' features, as the parser's inputs.

    python tools/write_avg_representations.py configs/avvp/avg_multi_audioset.py epoch_20.pth \
        data/llp/feats data/llp/feats_avg_multi

reads ``<features>/vggish/<clip>.npy`` and ``<features>/res152/<clip>.npy`` of every clip there and writes
``<out>/audio/<clip>.npy`` and ``<out>/visual/<clip>.npy``, (segments, channels) float32: the layout of LLP's
features, so that ``data_prefix=dict(audio='feats_avg_multi/audio', visual='feats_avg_multi/visual', ...)``
reads them (configs/avvp/pretrain_multi_llp.py).

Files are written whole or not at all. A stopped run carries on when it is started again; a folder that
another model has written to is refused.
"""

import argparse
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path

import mmav  # noqa: F401  (first: it checks the versions of what follows)

# isort: split
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope
from tqdm import tqdm

from mmav.features.feature_files import ArrayFolder
from mmav.media.array_files import read_npy
from mmav.media.suffixes import files_with
from mmav.models.parsers import AVGPretrainer
from mmav.structures import SegmentDataSample
from mmav.utils.checkpoint import load_strict, read_checkpoint, select_state_dict
from mmav.utils.command_line import ToolParser, read_config
from mmav.utils.errors import one_line_errors
from mmav.utils.locks import folder_lock

STREAMS = ('audio', 'visual')


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser(__doc__)
    parser.add_config()
    parser.add_argument('features', type=Path, help="folder of the features' folders")
    parser.add_output('out', type=Path, help='folder to write')
    parser.add_argument('--audio-dir', default='vggish', help='folder of the sound in FEATURES: vggish')
    parser.add_argument('--visual-dir', default='res152', help='folder of the image in FEATURES: res152')
    parser.add_argument(
        '--skip-missing', action='store_true', help='leave out clips that only one of the folders has'
    )
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu, cuda:0, ...'
    )
    args = parser.parse_args(argv)
    if args.batch_size < 1:
        parser.error('--batch-size must be at least 1')
    return args


def build_model(args: argparse.Namespace) -> tuple[AVGPretrainer, dict]:
    """Build the model and load its checkpoint strictly; also gives what the results depend on."""
    cfg = read_config(args)
    init_default_scope('mmdet')
    model = MODELS.build(cfg.model)
    if not isinstance(model, AVGPretrainer):
        raise SystemExit(f'{args.config}: the model is a {type(model).__name__}, not an AVGPretrainer')
    state_dict = select_state_dict(read_checkpoint(args.checkpoint), source=args.checkpoint)
    load_strict(model, state_dict, source=args.checkpoint)
    digest = hashlib.sha256()
    for name, value in sorted(state_dict.items()):
        digest.update(name.encode())
        digest.update(value.contiguous().numpy().tobytes())
    identity = dict(weights=digest.hexdigest(), sources=[args.audio_dir, args.visual_dir])
    return model.to(args.device).eval(), identity


def list_clips(folders: Sequence[Path], skip_missing: bool) -> list[str]:
    """Names of the clips that all folders have; SystemExit without any, or if some are not in all folders."""
    for folder in folders:
        if not folder.is_dir():
            raise SystemExit(f'{folder} is no folder')
    found = [{file.stem for file in files_with(folder, ['.npy'])} for folder in folders]
    clips, missing = set.intersection(*found), []
    for folder, names in zip(folders, found):
        missing += [str(folder / f'{name}.npy') for name in sorted(set.union(*found) - names)]
    if missing and not skip_missing:
        listed = '\n  '.join(missing)
        raise SystemExit(f'{len(missing)} files are missing (--skip-missing passes over):\n  {listed}')
    if missing:
        print(f'{len(missing)} clips are left out: one of their files is missing')
    if not clips:
        raise SystemExit(f'no clip has a file in each of {", ".join(map(str, folders))}')
    return sorted(clips)


def read_features(path: Path) -> torch.Tensor:
    """Read a clip's features; SystemExit if the file is no array of floats of two dimensions."""
    array = read_npy(str(path))
    if array.dtype.kind != 'f' or array.ndim != 2:
        raise SystemExit(f'{path} holds {array.dtype} {array.shape}, not floats (segments, channels)')
    return torch.from_numpy(array)


def read_batches(folders: Sequence[Path], clips: Sequence[str], size: int) -> Iterator[tuple[list, dict]]:
    """Yield names and inputs of clips of equal shapes, at most ``size`` at a time."""
    for start in range(0, len(clips), size):
        loaded = [
            (name, [read_features(folder / f'{name}.npy') for folder in folders])
            for name in clips[start : start + size]
        ]
        for _, group in itertools.groupby(loaded, key=lambda item: [value.shape for value in item[1]]):
            names, features = zip(*group)
            yield list(names), dict(zip(STREAMS, map(list, zip(*features))))


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command."""
    args = parse_args(argv)
    folders = [args.features / args.audio_dir, args.features / args.visual_dir]
    clips = list_clips(folders, args.skip_missing)
    model, identity = build_model(args)
    with folder_lock(args.out, 'representations'):
        write_missing(args, folders, clips, model, identity)


def write_missing(
    args: argparse.Namespace, folders: Sequence[Path], clips: list[str], model: AVGPretrainer, identity: dict
) -> None:
    """Write the representations of clips that have none yet."""
    targets = {stream: ArrayFolder(args.out / stream, dict(identity, stream=stream)) for stream in STREAMS}
    for target in targets.values():
        target.record_parameters()
    todo = [name for name in clips if any(name not in target for target in targets.values())]
    progress = tqdm(total=len(clips), initial=len(clips) - len(todo), desc='representations', unit='clip')
    with torch.no_grad(), progress:
        for names, inputs in read_batches(folders, todo, args.batch_size):
            samples = [SegmentDataSample(metainfo=dict(video_id=name)) for name in names]
            data = model.data_preprocessor(dict(inputs=inputs, data_samples=samples))
            embeds = model(data['inputs'], mode='tensor')
            for index, name in enumerate(names):
                for stream, target in targets.items():
                    target.write(name, embeds[f'{stream}_embeds'][index].float().cpu().numpy())
            progress.update(len(names))
    print(f'{args.out}: {len(clips)} clips, {len(todo)} of them now')


if __name__ == '__main__':
    with one_line_errors():
        main()
