"""The device that tests marked ``gpu`` run on."""

import pytest
import torch


@pytest.fixture
def device(request: pytest.FixtureRequest) -> str:
    """The CUDA device, or what ``--device`` says; single precision is what it says (no TensorFloat-32)."""
    chosen = request.config.getoption('--device') or 'cuda'
    if chosen == 'cuda' and not torch.cuda.is_available():
        pytest.fail('there is no CUDA device; --device cpu runs these tests on the CPU')
    matmul, convolution = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    yield chosen
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, convolution
