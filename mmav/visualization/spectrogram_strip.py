"""Images of spectrograms.

Shapes: C microphones, M mel bands, T frames, H height, W width.
"""

from collections.abc import Sequence

import cv2
import numpy as np

_GAP = 2


def draw_spectrogram_strip(
    spectrogram: np.ndarray,
    size: tuple[int, int] | None = None,
    value_range: tuple[float, float] = (-80.0, 0.0),
    columns: int = 1,
    labels: Sequence[str] | None = None,
) -> np.ndarray:
    """Draw the spectrograms of all microphones, one below the other.

    Low frequencies are at the bottom of each, time runs to the right.

    Args:
        spectrogram: (C, M, T) decibel.
        size: (width, height) of the whole image in pixels; None: one pixel a cell.
        value_range: Decibels drawn darkest and brightest. Defaults to (-80, 0).
        columns: Columns in which the microphones are laid out, row by row. Defaults to 1.
        labels: Written into each; None: the microphone's number.

    Returns:
        (H, W, 3) uint8, BGR.

    Raises:
        ValueError: If the spectrogram has another shape, the range does not rise, or the size is too small.
    """
    spectrogram = np.asarray(spectrogram, dtype=np.float32)
    if spectrogram.ndim != 3 or spectrogram.size == 0:
        raise ValueError(f'expected a spectrogram of shape (C, M, T), got {spectrogram.shape}')
    low, high = value_range
    if not low < high or columns < 1:
        raise ValueError(f'bad value_range {value_range} or columns {columns}')
    num_mics, num_mels, num_frames = spectrogram.shape
    if labels is not None and len(labels) != num_mics:
        raise ValueError(f'{len(labels)} labels for {num_mics} microphones')
    rows = -(-num_mics // columns)
    if size is None:
        size = (columns * (num_frames + _GAP) - _GAP, rows * (num_mels + _GAP) - _GAP)
    width, height = size
    lefts = np.linspace(0, width + _GAP, columns + 1).round().astype(int)
    tops = np.linspace(0, height + _GAP, rows + 1).round().astype(int)
    if min(np.diff(lefts).min(), np.diff(tops).min()) <= _GAP:
        raise ValueError(f'{size} pixels are too few for {rows} x {columns} spectrograms')

    image = np.full((height, width, 3), 255, np.uint8)
    gray: np.ndarray = np.clip((spectrogram - low) / (high - low) * 255, 0, 255)
    gray = np.nan_to_num(gray).round().astype(np.uint8)[:, ::-1]
    for k in range(num_mics):
        row, column = divmod(k, columns)
        left, right = lefts[column], lefts[column + 1] - _GAP
        top, bottom = tops[row], tops[row + 1] - _GAP
        scaled = cv2.resize(
            np.ascontiguousarray(gray[k]), (right - left, bottom - top), interpolation=cv2.INTER_LINEAR
        )
        image[top:bottom, left:right] = cv2.applyColorMap(scaled, cv2.COLORMAP_MAGMA)
        if bottom - top >= 12 and right - left >= 16:
            text = str(k) if labels is None else labels[k]
            cv2.putText(image, text, (left + 3, top + 11), cv2.FONT_HERSHEY_SIMPLEX, 0.35, (255, 255, 255), 1)
    return image
