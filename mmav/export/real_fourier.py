"""Discrete Fourier transforms as products of real matrices, which every runtime of ONNX files has.

Two short products take the place of a long one (J. W. Cooley and J. W. Tukey, An algorithm for the machine
calculation of complex Fourier series, 1965): with N = N1 N2, n = N2 n1 + n2, k = k1 + N1 k2 and W_N =
exp(-2 pi j / N)::

    X[k] = sum over n2 of W_N2^(n2 k2) W_N^(n2 k1) (sum over n1 of W_N1^(n1 k1) x[n])

Signals are real, so k1 and N1 - k1 give complex conjugates: half of the k1 do. Of the k2 those are taken that
lead to bins asked for.

Shapes: B clips, M microphones, L samples, N samples of a transform, T frames, F bins asked for, V signals
side by side, H = N1 // 2 + 1 values of k1, K values of k2, R = H K rows of a result.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor, nn

_MAX_SLICES = 64  # from which on frames are gathered
_MAX_NUMBERS = 2**25  # of the matrices of a transform: 128 MB


class _Split:
    """How a transform is split, and where its bins are found.

    Args:
        sizes: N1, N2.
        bins: (F,) k asked for; those above N / 2 or below 0 count as what they are modulo N.
    """

    def __init__(self, sizes: tuple[int, int], bins: np.ndarray) -> None:
        self.sizes = first, second = sizes
        bins = bins % (first * second)
        # The other half of the k1 gives the conjugates at N - k
        self.conjugate = bins % first > first // 2
        bins = np.where(self.conjugate, -bins % (first * second), bins)
        self.num_k1 = first // 2 + 1
        self.k2, column = np.unique(bins // first, return_inverse=True)
        self.rows = (bins % first) * len(self.k2) + column.reshape(-1)

    def operations(self) -> int:
        """Multiplications for one signal."""
        (first, second), inner = self.sizes, 2 * self.num_k1
        return second * first * inner + inner * second * 2 * len(self.k2)

    def first_matrix(self) -> np.ndarray:
        """(2, H, N1): real and imaginary parts of W_N1^(n1 k1)."""
        return _parts(np.outer(np.arange(self.num_k1), np.arange(self.sizes[0])), self.sizes[0])

    def twiddles(self) -> np.ndarray:
        """(2, H, N2): of W_N^(n2 k1)."""
        return _parts(np.outer(np.arange(self.num_k1), np.arange(self.sizes[1])), math.prod(self.sizes))

    def second_matrix(self) -> np.ndarray:
        """(2, K, N2): of W_N2^(n2 k2)."""
        return _parts(np.outer(self.k2, np.arange(self.sizes[1])), self.sizes[1])


def _parts(exponents: np.ndarray, number: int) -> np.ndarray:
    """Cosines and sines of W_number^exponents, on a new first axis."""
    angles = (-2 * np.pi / number) * (exponents % number)
    return np.stack([np.cos(angles), np.sin(angles)])


def _as_real(parts: np.ndarray) -> np.ndarray:
    """A complex matrix (2, a, b) as the real one (2 a, 2 b) that acts on real over imaginary parts."""
    real, imaginary = parts
    return np.block([[real, -imaginary], [imaginary, real]])


def _factors(number: int) -> list[tuple[int, int]]:
    """All N1, N2 whose product it is."""
    return [(first, number // first) for first in range(1, number + 1) if number % first == 0]


def _constant(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float32))


class Frames(nn.Module):
    """Overlapping frames of waveforms, side by side: (B, M, L) to (B, N, M, T).

    Args:
        num_samples: L.
        n_fft: N.
        hop_length: Samples between frames, which lie inside the waveform.

    Example:
        >>> Frames(6, n_fft=4, hop_length=2)(torch.arange(6.0).view(1, 1, 6))[0, :, 0].T
        tensor([[0., 1., 2., 3.],
                [2., 3., 4., 5.]])
    """

    index: Tensor

    def __init__(self, num_samples: int, n_fft: int, hop_length: int) -> None:
        super().__init__()
        self.size = math.gcd(n_fft, hop_length)  # of the blocks that frames are made of
        self.blocks, self.step = n_fft // self.size, hop_length // self.size
        self.number = 1 + (num_samples - n_fft) // hop_length
        self.used = ((self.number - 1) * self.step + self.blocks) * self.size
        index = np.arange(self.blocks)[:, None] + self.step * np.arange(self.number)
        self.register_buffer('index', torch.from_numpy(index), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """See the class."""
        channels = waveform.shape[1]
        blocks = waveform[..., : self.used].reshape(-1, channels, self.used // self.size, self.size)
        blocks = blocks.permute(0, 3, 1, 2)  # (B, size, M, all blocks)
        if self.blocks <= _MAX_SLICES:  # copies of stretches take less time
            reach = (self.number - 1) * self.step + 1
            parts = [blocks[..., first : first + reach : self.step] for first in range(self.blocks)]
            return torch.cat(parts, dim=1)
        gathered = blocks[..., self.index]  # (B, size, M, blocks, T)
        gathered = gathered.permute(0, 3, 1, 2, 4)
        return gathered.reshape(-1, self.blocks * self.size, channels, self.number)


class FrameTransform(nn.Module):
    """Transforms of many short signals.

    Args:
        bins: (F,) different ones of 0..N / 2.
        window: (N,) that the signals are multiplied with.

    Attributes:
        rows: (F,) where in the R rows of a result each bin is.

    Example:
        >>> transform = FrameTransform([0, 1, 2], torch.ones(4).numpy())
        >>> real, imaginary = transform(torch.tensor([0.0, 1.0, 0.0, 0.0]).view(1, 4, 1)).unbind(2)
        >>> imaginary.flatten()[transform.rows].round().abs().tolist()  # of 1, -j, -1
        [0.0, 1.0, 0.0]
    """

    window: Tensor
    first: Tensor
    second: Tensor

    def __init__(self, bins: Sequence[int] | np.ndarray, window: np.ndarray) -> None:
        super().__init__()
        splits = [_Split(sizes, np.asarray(bins)) for sizes in _factors(len(window))]
        split = min(splits, key=_Split.operations)
        self.sizes, self.num_k1, self.num_k2 = split.sizes, split.num_k1, len(split.k2)
        self.rows, self.num_rows = split.rows, split.num_k1 * len(split.k2)
        self.register_buffer('window', _constant(window[:, None]), persistent=False)
        first = split.first_matrix().transpose(1, 0, 2).reshape(-1, self.sizes[0])  # (H, 2) are the rows
        self.register_buffer('first', _constant(first), persistent=False)
        # The factors between the two sums are part of the second, whose matrix is another one for each k1.
        (cosine, sine), twiddles = split.second_matrix(), split.twiddles()
        second = np.stack(
            [_as_real(np.stack([cosine * a - sine * b, cosine * b + sine * a])) for a, b in zip(*twiddles)]
        )
        signs = np.ones((self.num_k1, 2, self.num_k2))
        signs[:, 1].flat[self.rows[split.conjugate]] = -1
        second *= signs.reshape(self.num_k1, -1, 1)
        self.register_buffer('second', _constant(second), persistent=False)  # (H, 2 K, 2 N2)

    def real_and_imaginary(self) -> np.ndarray:
        """(F, 2) where real and imaginary part of each bin are among the 2 R rows of both."""
        real = self.rows + self.rows // self.num_k2 * self.num_k2
        return np.stack([real, real + self.num_k2], axis=1)

    def forward(self, signals: Tensor) -> Tensor:
        """Transform.

        Args:
            signals: (B, N, V).

        Returns:
            (B, H, 2, K, V): real and imaginary parts; ``rows`` counts in H K.
        """
        (first, second), number = self.sizes, signals.shape[-1]
        inner = self.first @ (signals * self.window).reshape(-1, first, second * number)
        outer = self.second @ inner.reshape(-1, self.num_k1, 2 * second, number)
        return outer.reshape(-1, self.num_k1, 2, self.num_k2, number)


class LongTransform(nn.Module):
    """Transforms of some long signals: (B, M, N) to real and imaginary parts (B, M, F).

    Args:
        number: N, which has two factors of about its square root.
        bins: (F,) whole numbers; N and 0, or N - 1 and -1, are the same.

    Raises:
        ValueError: If it has no such factors.

    Example:
        >>> real, imaginary = LongTransform(6, [1, -1])(torch.arange(6.0).view(1, 1, 6))
        >>> real.flatten().round().tolist(), imaginary.flatten().round().tolist()
        ([-3.0, -3.0], [5.0, -5.0])
    """

    first: Tensor
    second: Tensor
    cosine: Tensor
    sine: Tensor
    rows: Tensor
    signs: Tensor

    def __init__(self, number: int, bins: Sequence[int] | np.ndarray) -> None:
        super().__init__()
        bins = np.asarray(bins)
        split = min((_Split(sizes, bins) for sizes in _factors(number)), key=_Split.operations)
        if max(split.sizes) ** 2 > _MAX_NUMBERS:
            raise ValueError(
                f'a transform of {number} samples cannot be split: their number is {split.sizes[0]} times '
                f'{split.sizes[1]}; take one with small factors, such as {next_fast_len(number)}'
            )
        self.sizes, self.num_k1, self.num_k2 = split.sizes, split.num_k1, len(split.k2)
        first = split.first_matrix().reshape(-1, self.sizes[0]).T  # (N1, 2 H)
        self.register_buffer('first', _constant(first), persistent=False)
        cosine, sine = split.twiddles().transpose(0, 2, 1)[:, :, None]  # (N2, 1, H)
        self.register_buffer('cosine', _constant(cosine), persistent=False)
        self.register_buffer('sine', _constant(sine), persistent=False)
        second = _as_real(split.second_matrix())  # (2 K, 2 N2)
        self.register_buffer('second', _constant(second), persistent=False)
        rows = split.rows % self.num_k2 * self.num_k1 + split.rows // self.num_k2  # in (K, H)
        self.register_buffer('rows', torch.from_numpy(rows), persistent=False)
        self.register_buffer('signs', _constant(np.where(split.conjugate, -1, 1)), persistent=False)

    def forward(self, signals: Tensor) -> tuple[Tensor, Tensor]:
        """See the class."""
        first, second = self.sizes
        matrix = signals.reshape(-1, signals.shape[1], first, second)
        return self.of_matrix(matrix.permute(0, 3, 1, 2))

    def of_matrix(self, signals: Tensor) -> tuple[Tensor, Tensor]:
        """The same of signals (B, N2, M, N1) whose sample n stands at n2, n1."""
        half, channels = self.num_k1, signals.shape[2]
        inner = signals @ self.first  # (B, N2, M, 2 H)
        real, imaginary = inner[..., :half], inner[..., half:]
        turned = torch.cat(
            [real * self.cosine - imaginary * self.sine, real * self.sine + imaginary * self.cosine], dim=1
        )  # (B, 2 N2, M, H)
        outer = self.second @ turned.reshape(-1, 2 * self.sizes[1], channels * half)  # (B, 2 K, M H)
        outer = outer.reshape(-1, 2, self.num_k2, channels, half).transpose(2, 3)
        found = outer.reshape(-1, 2, channels, self.num_k2 * half)[..., self.rows]  # (B, 2, M, F)
        return found[:, 0], found[:, 1] * self.signs


class BandLimited(nn.Module):
    """Signals of given spectra: the inverse transform of the bins of a band, the others being 0.

    It gives the N1 N2 samples as (B, N2, M, N1), which is what :meth:`LongTransform.of_matrix` takes.

    Args:
        sizes: N1, N2: how many samples there are, whatever the number was whose transform is given.
        bins: First of the given bins, which is a multiple of N1, and the one after the last, another.
        weights: (F,) factors of the bins: 2 where the conjugate counts, too.
    """

    weights: Tensor
    first: Tensor
    second: Tensor
    cosine: Tensor
    sine: Tensor

    def __init__(self, sizes: tuple[int, int], bins: tuple[int, int], weights: np.ndarray) -> None:
        super().__init__()
        (first, second), self.sizes = sizes, sizes
        # k = k1 + N1 k2 of the bins, n = N2 n1 + n2 of the samples: the sum over k2, then that over k1
        k1, k2 = np.arange(first), np.arange(bins[0] // first, bins[1] // first)
        n1, n2 = np.arange(first), np.arange(second)
        self.num_k2 = len(k2)
        self.register_buffer('weights', _constant(weights), persistent=False)
        outer = _as_real(_parts(-np.outer(n2, k2), second))
        self.register_buffer('second', _constant(outer), persistent=False)  # (2 N2, 2 k2)
        cosine, sine = _parts(-np.outer(n2, k1), first * second)[:, :, None]
        self.register_buffer('cosine', _constant(cosine), persistent=False)  # (N2, 1, k1)
        self.register_buffer('sine', _constant(sine), persistent=False)
        cosines, sines = _parts(-np.outer(k1, n1), first)
        self.register_buffer('first', _constant(np.concatenate([cosines, -sines])), persistent=False)

    def forward(self, real: Tensor, imaginary: Tensor) -> Tensor:
        """Real and imaginary parts (B, M, F) to signals (B, N2, M, N1)."""
        (first, second), channels = self.sizes, real.shape[1]
        parts = torch.stack([real * self.weights, imaginary * self.weights], dim=1)
        parts = parts.reshape(-1, 2, channels, self.num_k2, first).transpose(2, 3)
        inner = self.second @ parts.reshape(-1, 2 * self.num_k2, channels * first)
        inner = inner.reshape(-1, 2 * second, channels, first)
        real, imaginary = inner[:, :second], inner[:, second:]
        turned = torch.cat(
            [real * self.cosine - imaginary * self.sine, real * self.sine + imaginary * self.cosine], dim=-1
        )
        return turned @ self.first
