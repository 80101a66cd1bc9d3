"""Hermitian matrices as real numbers: their features, and the inverse by sweeps instead of LAPACK.

Shapes: M microphones, N matrices side by side.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mmav.models.layers.beamforming import hermitian_features


def gram_features(number: int) -> Tensor:
    """Matrix (4 M * M, M * M) that takes features of ``x x^H`` from products of real parts.

    A sum over frames of products ``y y^T`` with y the real parts (M) of x, then the imaginary ones (M), as
    4 M * M numbers, times this matrix is what :func:`hermitian_features` has of that of ``x x^H``.
    """
    products = torch.eye(4 * number * number).view(-1, 2, number, 2, number)
    real = products[:, 0, :, 0] + products[:, 1, :, 1]
    imaginary = products[:, 1, :, 0] - products[:, 0, :, 1]
    return hermitian_features(torch.complex(real, imaginary))


class HermitianInverse(nn.Module):
    """Inverse of Hermitian positive definite matrices: features (M * M, N) to features (M * M, N).

    Features are those of :func:`hermitian_features`. The sweep operator (A. E. Beaton, The use of special
    matrix operators in statistical calculus, 1964; J. H. Goodnight, A tutorial on the SWEEP operator, 1979),
    which is Gauss and Jordan's elimination that keeps the symmetry: swept at each k, a matrix A becomes
    ``-A^-1``. A sweep at k takes ``a a^H / p`` from A, a its column k and p its entry (k, k), but in row and
    column k leaves ``a / p`` and in their crossing ``-1 / p``. Here it takes ``(a - e) (a - e)^H / p``, e the
    unit vector k, which is the same but for the crossing, where ``2 - 1 / p`` is left; as an entry of the
    diagonal matters to its own sweep alone, 2 is taken away at the end.

    Args:
        number: M.

    Example:
        >>> matrix = torch.tensor([[2.0, 1j], [-1j, 1.0]])
        >>> inverse = HermitianInverse(2)(hermitian_features(matrix)[:, None])
        >>> torch.allclose(inverse[:, 0], hermitian_features(matrix.inverse()))
        True
    """

    units: Tensor
    places: Tensor
    signs: Tensor
    rows: Tensor
    columns: Tensor

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number
        rows, columns = torch.triu_indices(number, number, 1)
        pairs = torch.arange(len(rows))
        places = torch.zeros(
            2, number, number, dtype=torch.long
        )  # of real and imaginary part in the features
        places[0].diagonal().copy_(torch.arange(number))
        places[0, rows, columns] = places[0, columns, rows] = number + pairs
        places[1, rows, columns] = places[1, columns, rows] = number + len(rows) + pairs
        signs = torch.zeros(number, number)  # of imaginary parts
        signs[rows, columns], signs[columns, rows] = 1, -1
        self.register_buffer('places', places, persistent=False)
        self.register_buffer('signs', signs[..., None], persistent=False)
        self.register_buffer('units', torch.eye(number)[..., None], persistent=False)
        self.register_buffer('rows', rows, persistent=False)
        self.register_buffer('columns', columns, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        """See the class."""
        for k in range(self.number):
            scale = features[k].rsqrt()
            # row k, which is the conjugate of the column, (M, N)
            real = (features[self.places[0, k]] - self.units[k]) * scale
            imaginary = features[self.places[1, k]] * self.signs[k] * scale
            left_real, left_imaginary = real[self.rows], imaginary[self.rows]
            right_real, right_imaginary = real[self.columns], imaginary[self.columns]
            taken = (
                real * real + imaginary * imaginary,
                left_real * right_real + left_imaginary * right_imaginary,
                left_real * right_imaginary - left_imaginary * right_real,
            )
            features = features - torch.cat(taken)
        return torch.cat([2 - features[: self.number], -features[self.number :]])
