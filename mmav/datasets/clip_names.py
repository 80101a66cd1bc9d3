"""Names of clips in the lists of AVE and LLP."""

from pathlib import Path

from mmav.utils.checks import check_below
from mmav.utils.readers import read_text

H5_KEY = 'avadataset'
"""Name of the data set in AVE's files of features."""

YOUTUBE_ID = 11
"""Characters of a video's name in LLP's lists; what follows are start and end."""


def read_clip_names(path: str | Path, backend_args: dict | None = None) -> list[str]:
    """Names of clips from a list, in its order, without suffix.

    Args:
        path: AVE's ``Annotations.txt`` (fields between '&', the second names the video), one of LLP's
            ``AVVP_*.csv`` (a column ``filename`` whose first 11 characters name the video; each once), or a
            text file with a name in each line.
        backend_args: Of mmengine's file backends.

    Raises:
        ValueError: If the list is empty or no text, or a line has no name or one of another folder.
    """
    lines = [line for line in read_text(str(path), backend_args).splitlines() if line.strip()]
    header = lines[0].split('\t') if lines else []
    if 'filename' in header:
        column = header.index('filename')
        rows = (line.split('\t') for line in lines[1:])
        names = list(dict.fromkeys(row[column][:YOUTUBE_ID] for row in rows if len(row) > column))
    elif lines and all('&' in line for line in lines):
        names = [line.split('&')[1] for line in lines]
        names = names[1:] if names[0] == 'VideoID' else names
    else:
        names = [line.strip() for line in lines]
    if not names or not all(names):
        raise ValueError(f'{path} names no clips, or a line of it none')
    for name in names:
        check_below(name, str(path))
    return names
