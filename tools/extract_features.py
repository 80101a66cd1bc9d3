"""Features of videos in the published layout of AVE or LLP.

AVE: rows in the order of the list, which must be the one that the labels follow:
    python tools/extract_features.py data/ave --layout ave --videos AVE --list data/ave/Annotations.txt

LLP: a file a clip, in vggish/, res152/ and r2plus1d_18/:
    python tools/extract_features.py data/llp/feats --layout llp --videos LLP --list data/llp/AVVP_train.csv

Four processes share the clips: ``torchrun --nproc_per_node 4 tools/... --launcher pytorch``. A stopped run
carries on when it is started again, by any number of processes. See docs/features.md.
"""

import argparse
import glob
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import torch
from mmengine.dist import all_gather_object, barrier, broadcast_object_list, get_dist_info
from tqdm import tqdm

import mmav  # noqa: F401  (registers everything)
from mmav.datasets.clip_names import read_clip_names
from mmav.engine import close_launcher, join_launcher
from mmav.features.feature_files import ArrayFolder, is_written, write_h5
from mmav.features.segment_feature_extractor import AVE_FEATURES, LLP_FEATURES, SegmentFeatureExtractor
from mmav.media.suffixes import AUDIO_SUFFIXES, VIDEO_SUFFIXES, files_with, has_suffix
from mmav.utils.checks import check_distinct
from mmav.utils.command_line import ToolParser
from mmav.utils.errors import SampleError, StorageError, one_line_errors
from mmav.utils.fileio import AtomicLocalBackend, remove_folder, write_json
from mmav.utils.locks import folder_lock
from mmav.utils.run_parameters import hash_json

FEATURES = dict(ave=AVE_FEATURES, llp=LLP_FEATURES)
# feature -> file (AVE) or folder (LLP), as published
PLACES = dict(
    ave=dict(visual='visual_feature', audio='audio_feature'),
    llp=dict(audio='vggish', visual='res152', visual_st='r2plus1d_18'),
)
SOUND_SUFFIXES = (*AUDIO_SUFFIXES, '.m4a')  # FFmpeg reads more than soundfile
# The first to finish waits for the last one, however slow its machine.
PATIENCE = timedelta(days=7)


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = ToolParser(__doc__)
    parser.add_output('out', type=Path, help='folder of the features')
    parser.add_argument('--layout', choices=list(FEATURES), required=True)
    parser.add_argument('--videos', type=Path, help=f'folder of <clip>{{{",".join(VIDEO_SUFFIXES)}}}')
    parser.add_argument(
        '--frames', type=Path, help="instead of the videos' images: folders <clip>/ of images"
    )
    parser.add_argument('--frames-fps', type=float, help='images a second in those folders')
    parser.add_argument(
        '--audio',
        type=Path,
        help=f"instead of the videos' sound: folder of <clip>{{{','.join(SOUND_SUFFIXES)}}}",
    )
    parser.add_argument(
        '--list',
        type=Path,
        help='Annotations.txt of AVE, a csv of LLP, or names, one a line; default: all files',
    )
    parser.add_argument('--num-segments', type=int, default=10, help='seconds of a clip; default: 10')
    parser.add_argument(
        '--other-length',
        choices=['error', 'fit'],
        default='error',
        help="clips a second or more too long or short: list them as failed (default), or 'fit' them",
    )
    parser.add_argument('--only', nargs='+', help='of the features of the layout: visual, audio, visual_st')
    parser.add_argument(
        '--weights',
        nargs='+',
        default=[],
        metavar='NETWORK=FILE',
        help='vggish, vgg19, resnet152, r2plus1d_18; default: the public ones are downloaded; none: random',
    )
    parser.add_argument('--allow-untrained', action='store_true', help='admit random weights, for a trial')
    parser.add_argument('--postprocess', choices=['pca', 'quantize'], help='of VGGish; default: none')
    parser.add_argument('--pca-params', help='public parameter file of VGGish, for --postprocess')
    parser.add_argument('--suffix', default='', help="of AVE's file names: _noisy for the background videos")
    parser.add_argument(
        '--zero-failed', action='store_true', help='AVE: rows of zeros for clips that cannot be read'
    )
    parser.add_argument(
        '--device',
        default='cuda' if torch.cuda.is_available() else 'cpu',
        help="'cuda' with a launcher: each process takes its own GPU",
    )
    parser.add_argument('--batch-size', type=int, default=32, help='images that a network takes at a time')
    parser.add_launcher()
    args = parser.parse_args(argv)
    if args.frames and not args.frames_fps:
        parser.error('--frames needs --frames-fps')
    if any('=' not in pair for pair in args.weights):
        parser.error('--weights takes pairs like vgg19=FILE')
    args.only = args.only or list(FEATURES[args.layout])
    unknown = set(args.only) - set(FEATURES[args.layout])
    if unknown:
        parser.error(f'--only: {args.layout} has {list(FEATURES[args.layout])}, not {sorted(unknown)}')
    args.needs_images, args.needs_audio = set(args.only) != {'audio'}, 'audio' in args.only
    lacks_images = args.needs_images and not (args.videos or args.frames)
    if lacks_images or (args.needs_audio and not (args.videos or args.audio)):
        parser.error('give --videos, or --frames and --audio')
    for folder in (args.videos, args.frames, args.audio):
        if folder and not folder.is_dir():
            parser.error(f'there is no folder {folder}')
    if args.list and not args.list.is_file():
        parser.error(f'there is no list {args.list}')
    return args


def list_clips(args: argparse.Namespace) -> list[str]:
    """Names of the clips, from the list or from what is in the folder.

    ValueError if there are none, or a clip has two files.
    """
    if args.list:
        names = read_clip_names(args.list)
        for folder, suffixes in ((args.videos, VIDEO_SUFFIXES), (args.audio, SOUND_SUFFIXES)):
            if folder:
                files = [(folder / f'{name}{end}', name) for name in dict.fromkeys(names) for end in suffixes]
                check_distinct((file, name) for file, name in files if file.is_file())
        return names
    folder = args.videos or args.frames or args.audio
    suffixes = VIDEO_SUFFIXES if args.videos else SOUND_SUFFIXES
    if folder == args.frames:
        names = sorted(entry.name for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != '.')
    else:
        files = files_with(folder, suffixes)
        check_distinct((file, file.stem) for file in files)
        names = [file.stem for file in files]
    if not names:
        raise ValueError(f'nothing to extract in {folder}')
    return names


def find_source(args: argparse.Namespace, name: str) -> dict:
    """Where images and sound of a clip are, as the extractor takes it; SampleError if a file is missing."""

    def find(folder: Path, suffixes: Sequence[str]) -> Path:
        found = folder.glob(f'{glob.escape(name)}.*')
        files = [file for file in found if file.stem == name and has_suffix(file, suffixes)]
        if files:
            return min(files, key=lambda file: suffixes.index(file.suffix.lower()))
        raise SampleError(str(folder / name), f'there is no such file ({", ".join(suffixes)})')

    source: dict = {}
    if (args.needs_images and not args.frames) or (args.needs_audio and not args.audio):
        source['video'] = find(args.videos, VIDEO_SUFFIXES)
    if args.needs_images and args.frames:
        source.update(frames=args.frames / name, frames_fps=args.frames_fps)
    if args.needs_audio and args.audio:
        source['audio'] = find(args.audio, SOUND_SUFFIXES)
    return source


def build_extractor(args: argparse.Namespace) -> SegmentFeatureExtractor:
    """The networks that the command line asks for."""
    features = FEATURES[args.layout]
    weights = dict(pair.split('=', 1) for pair in args.weights)
    return SegmentFeatureExtractor(
        {key: features[key] for key in features if key in args.only},
        {name: None if file == 'none' else file for name, file in weights.items()},
        num_segments=args.num_segments,
        device=args.device,
        batch_size=args.batch_size,
        allow_untrained=args.allow_untrained,
        other_length=args.other_length,
        vggish=dict(postprocess=args.postprocess, pca_params=args.pca_params),
    )


def extract_share(
    extractor: SegmentFeatureExtractor,
    args: argparse.Namespace,
    names: Sequence[str],
    folders: Mapping[str, ArrayFolder],
) -> dict[str, str]:
    """Extract and keep what is missing of this process's clips; return why some could not be used."""
    rank, world_size = get_dist_info()
    todo = [[name for name in dict.fromkeys(names) if any(name not in folder for folder in folders.values())]]
    broadcast_object_list(todo)  # the first process's view counts: folders on a network lag
    share = todo[0][rank::world_size]
    title = 'features' if world_size == 1 else f'features, process 1 of {world_size}'
    failures = {}
    for name in tqdm(share, desc=title, unit='clip', disable=rank > 0):
        missing = [key for key, folder in folders.items() if name not in folder]
        try:
            features = extractor(**find_source(args, name), only=missing)
        except StorageError:
            raise
        except SampleError as error:
            failures[name] = str(error)
            continue
        for key, array in features.items():
            folders[key].write(name, array)
    return failures


def main(argv: Sequence[str] | None = None) -> int:
    """Extract; exit status 1 if clips could not be used."""
    args = parse_args(argv)
    join_launcher(args.launcher, args.device, PATIENCE)
    names = list_clips(args)
    extractor = build_extractor(args)
    with folder_lock(args.out, 'feature extraction', joint=True):
        failures = extract_all(args, names, extractor)
    return 1 if failures else 0


def extract_all(
    args: argparse.Namespace, names: Sequence[str], extractor: SegmentFeatureExtractor
) -> dict[str, str]:
    """Extract what is missing and write the files; return why some clips could not be used."""
    rank, _ = get_dist_info()
    described = extractor.describe()
    places = {key: f'{PLACES[args.layout][key]}{args.suffix}' for key in described}
    is_ave = args.layout == 'ave'
    if is_ave:
        final = {
            key: dict(value, clips=hash_json(names), zero_failed=args.zero_failed)
            for key, value in described.items()
        }
        written = [key for key in described if is_written(args.out / f'{places[key]}.h5', final[key])]
        described = {key: value for key, value in described.items() if key not in written}
        for key in written:
            print(f'{args.out / places[key]}.h5 is whole already')
            parts = ArrayFolder(args.out / f'{places[key]}.parts', {})
            if get_dist_info()[0] == 0 and all(name in parts for name in names):  # killed before this
                remove_folder(parts.folder)
    folders = {
        key: ArrayFolder(args.out / (f'{places[key]}.parts' if is_ave else places[key]), value)
        for key, value in described.items()
    }
    barrier()  # all have looked what is there before anybody writes
    if rank == 0:
        AtomicLocalBackend.remove_leftovers(args.out)
        for folder in folders.values():
            folder.record_parameters()
    barrier()
    failures = extract_share(extractor, args, names, folders)
    failures = {name: reason for part in all_gather_object(failures) for name, reason in part.items()}
    barrier()
    if rank == 0:
        finish(args, names, folders, failures, places, final if is_ave else {})
    barrier()
    return failures


def finish(
    args: argparse.Namespace,
    names: Sequence[str],
    folders: Mapping[str, ArrayFolder],
    failures: Mapping[str, str],
    places: Mapping[str, str],
    final: Mapping[str, Mapping],
) -> None:
    """Write the list of failures and, for AVE, the HDF5 files."""
    # a run on another list leaves this one's report alone
    report = args.out / (f'failed_{args.list.stem}.json' if args.list else 'failed.json')
    report.unlink(missing_ok=True)
    if failures:
        write_json(report, dict(sorted(failures.items())), indent=1)
        print(f'{len(failures)} of {len(set(names))} clips could not be used: {report}')
    if args.layout != 'ave':
        return
    if failures and not args.zero_failed:
        print(
            'no HDF5 file is written: mend the clips and start again, or use --zero-failed for rows of zeros'
        )
        return
    for key, folder in folders.items():
        if key == 'visual':
            vectors = args.out / f'visual_feature_vec{args.suffix}.h5'
            write_h5(vectors, folder, names, final[key], args.zero_failed, spatial_mean=True)
            print(vectors)
        path = args.out / f'{places[key]}.h5'
        write_h5(path, folder, names, final[key], args.zero_failed)
        print(path)
        if not failures:
            remove_folder(folder.folder)


if __name__ == '__main__':
    with one_line_errors((ValueError, OSError, RuntimeError)):
        status = main()
    close_launcher()
    sys.exit(status)
