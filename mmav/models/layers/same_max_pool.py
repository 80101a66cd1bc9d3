"""Max pooling whose output has ceil(size / stride) cells.

Shapes: N images, C channels, H, W rows and columns.
"""

import torch.nn.functional as F
from torch import Tensor, nn


def same_padding(size: int, kernel_size: int, stride: int) -> tuple[int, int]:
    """Cells to add before and after an axis so that ceil(size / stride) windows cover it.

    TensorFlow's rule: an odd number is split with the greater half behind.
    """
    total = max((-(-size // stride) - 1) * stride + kernel_size - size, 0)
    return total // 2, total - total // 2


class SameMaxPool2d(nn.Module):
    """Max pooling with TensorFlow's ``SAME`` geometry and padding by zeros.

    TensorFlow leaves the padding out of the maximum; the MM-DistillNet authors' network, whose published
    weights this serves, lets its zeros take part. They differ in the last row and column (for even sizes),
    where all values are negative.

    Args:
        kernel_size: Cells of a window. Defaults to 3.
        stride: Cells between windows. Defaults to 2.
    """

    def __init__(self, kernel_size: int = 3, stride: int = 2) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Pool (N, C, H, W) to (N, C, ceil(H / stride), ceil(W / stride))."""
        top, bottom = same_padding(x.shape[-2], self.kernel_size, self.stride)
        left, right = same_padding(x.shape[-1], self.kernel_size, self.stride)
        return F.max_pool2d(F.pad(x, (left, right, top, bottom)), self.kernel_size, self.stride)
