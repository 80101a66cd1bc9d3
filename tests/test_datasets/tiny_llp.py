"""A folder in LLP's published layout, with arrays of known values."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

WIDTHS = dict(vggish=(10, 4), res152=(20, 6), r2plus1d_18=(10, 5))
TRAIN = [('aaaaaaaaaaa_0_10', 'Speech,Dog'), ('bbbbbbbbbbb_30_40', 'Cat'), ('ccccccccc_c_5_15', 'Car,Speech')]


def write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence]) -> Path:
    """A tab-separated table."""
    path.write_text(''.join('\t'.join(map(str, row)) + '\n' for row in (columns, *rows)))
    return path


def write_llp(root: Path) -> Path:
    """Three videos in a training and a test list; arrays hold the number of the video."""
    write_table(root / 'AVVP_train.csv', ('filename', 'event_labels'), TRAIN)
    write_table(root / 'AVVP_test_pd.csv', ('filename', 'event_labels'), TRAIN)
    columns = ('filename', 'onset', 'offset', 'event_labels')
    audio = [
        (TRAIN[0][0], 0, 3, 'Speech'),
        (TRAIN[0][0], 2, 10, 'Dog'),
        (TRAIN[2][0], 9, 9, 'Car'),
        ('another_video_0_10', 0, 10, 'Blender'),
    ]
    write_table(root / 'AVVP_eval_audio.csv', columns, audio)
    write_table(root / 'AVVP_eval_visual.csv', columns, [(TRAIN[1][0], 4, 6, 'Cat')])
    for folder, shape in WIDTHS.items():
        (root / 'feats' / folder).mkdir(parents=True)
        for number, (name, _) in enumerate(TRAIN):
            np.save(root / 'feats' / folder / f'{name[:11]}.npy', np.full(shape, number, np.float32))
    return root
