"""Convert pickled spectrograms of the published data set to npy files, without running what a pickle holds.

    python tools/dataset_converters/convert_mavd_audio.py data/mavd --workers 8

Every ``<drive>/audio/*.pkl`` gets an npy file of the same values beside it (MAVDDataset then prefers it).
Files that are there already are left alone; ``--remove`` deletes each pkl once its npy has been read back.
"""

import io
from functools import partial
from pathlib import Path

import numpy as np
from tqdm import tqdm

from mmav.media.array_files import read_npy
from mmav.media.numpy_pickle import load_numpy_pickle
from mmav.media.suffixes import files_with
from mmav.utils.command_line import ToolParser
from mmav.utils.errors import SampleError, one_line_errors
from mmav.utils.fileio import AtomicLocalBackend
from mmav.utils.locks import folder_lock
from mmav.utils.processes import run_in_processes


def convert(path: Path, remove: bool = False) -> str | None:
    """Convert one pkl file, and ``remove`` it; return why it could not be converted, None if it was."""
    target = path.with_suffix('.npy')
    try:
        array = load_numpy_pickle(path.read_bytes(), str(path))
    except SampleError as error:
        return str(error)
    if not target.is_file():
        buffer = io.BytesIO()
        np.save(buffer, array, allow_pickle=False)
        AtomicLocalBackend().put(buffer.getvalue(), target)
    if remove:
        written = read_npy(str(target))
        if written.dtype != array.dtype or not np.array_equal(
            written, array, equal_nan=array.dtype.kind == 'f'
        ):
            return f'{target}: holds other values than {path.name}, which is kept'
        path.unlink()
    return None


def main() -> None:
    """Convert every file below a root."""
    parser = ToolParser(__doc__)
    parser.add_argument('data_root', type=Path, help='root of the data set')
    parser.add_argument('--workers', type=int, default=1, help='processes')
    parser.add_argument(
        '--remove', action='store_true', help='delete each pkl once its npy has been read back'
    )
    args = parser.parse_args()
    if not args.data_root.is_dir():
        raise SystemExit(f'{args.data_root}: no such folder')
    with folder_lock(args.data_root, 'conversion'):
        folders = sorted(args.data_root.glob('**/audio'))
        paths = [path for folder in folders for path in files_with(folder, ['.pkl'])]
        if not paths:
            raise SystemExit(f'{args.data_root}: no audio/*.pkl below it')
        for folder in {path.parent for path in paths}:
            AtomicLocalBackend.remove_leftovers(folder)
        work = partial(convert, remove=args.remove)
        results = run_in_processes(work, paths, args.workers if args.workers > 1 else 0)
        faults = sorted(fault for fault in tqdm(results, total=len(paths), unit='file') if fault is not None)
    for fault in faults[:20]:
        print(fault)
    print(f'{len(paths) - len(faults)} converted, {len(faults)} not')
    if faults:
        raise SystemExit(1)


if __name__ == '__main__':
    with one_line_errors():
        main()
