"""Masking of bands and frames of spectrograms (SpecAugment, Park et al. 2019).

Shapes: B clips, C channels, M mel bands, T frames.
"""

import torch
from torch import Tensor


def mask_spectrogram(
    spectrogram: Tensor,
    num_freq_masks: int = 2,
    freq_mask_width: int = 8,
    num_time_masks: int = 2,
    time_mask_width: int = 20,
    fill: float | None = None,
    prob: float = 1.0,
) -> Tensor:
    """Mask random bands and instants, the same in all channels of a clip.

    All microphones lose the same cells, since the differences between them carry direction. The random
    numbers come from torch's global generator.

    Args:
        spectrogram: (B, C, M, T) decibel.
        num_freq_masks: Masks over mel bands. Defaults to 2.
        freq_mask_width: Their greatest width in bands (drawn evenly from 0). Defaults to 8.
        num_time_masks: Masks over frames. Defaults to 2.
        time_mask_width: Their greatest width in frames. Defaults to 20.
        fill: Value of masked cells; None: the clip's minimum. Defaults to None.
        prob: Probability that a clip is masked. Defaults to 1.

    Returns:
        (B, C, M, T), a new tensor.
    """
    if min(num_freq_masks, freq_mask_width, num_time_masks, time_mask_width) < 0 or not 0 <= prob <= 1:
        raise ValueError('numbers and widths of masks must be 0 or more, and prob in 0..1')
    num_clips, _, num_mels, num_frames = spectrogram.shape
    masked = torch.zeros(num_clips, num_mels, num_frames, dtype=torch.bool)
    for clip in range(num_clips):
        if torch.rand(()) >= prob:
            continue
        for _ in range(num_freq_masks):
            first, last = _stretch(num_mels, freq_mask_width)
            masked[clip, first:last] = True
        for _ in range(num_time_masks):
            first, last = _stretch(num_frames, time_mask_width)
            masked[clip, :, first:last] = True
    floor = spectrogram.amin((1, 2, 3), keepdim=True) if fill is None else spectrogram.new_tensor(fill)
    return torch.where(masked[:, None].to(spectrogram.device), floor, spectrogram)


def _stretch(size: int, greatest: int) -> tuple[int, int]:
    width = int(torch.randint(0, min(greatest, size) + 1, ()))
    first = int(torch.randint(0, size - width + 1, ()))
    return first, first + width
