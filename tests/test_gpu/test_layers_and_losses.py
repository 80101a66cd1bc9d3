"""Every layer and loss of mmav.models on a device, in single and half precision, beside the CPU."""

import pytest
import torch
from device_cases import CASES, Case
from on_device import assert_near, run, run_on_fake_device
from torch import nn

from mmav.models import layers, losses

NO_COMPUTATION = {'AudioVisualPyramid'}  # a tuple


def test_every_layer_and_loss_has_a_case():
    assert {*layers.__all__, *losses.__all__} - NO_COMPUTATION <= {name.split(',')[0] for name in CASES}


def reference(name: str) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Outputs and gradients of the CPU."""
    return run(CASES[name], 'cpu', torch.float64 if CASES[name].doubles else torch.float32)


@pytest.mark.gpu
@pytest.mark.parametrize('name', CASES)
def test_values_and_gradients(name, device):
    found, gradients = run(CASES[name], device)
    expected, expected_gradients = reference(name)
    assert_near(found, expected, 1e-4, 'output')
    assert_near(gradients, expected_gradients, 2e-3, 'gradient')


@pytest.mark.gpu
@pytest.mark.parametrize('amp', [torch.bfloat16, torch.float16], ids=['bf16', 'fp16'])
@pytest.mark.parametrize('name', CASES)
def test_mixed_precision(name, amp, device):
    found, gradients = run(CASES[name], device, amp=amp)
    expected, _ = reference(name)
    assert not any(value.isnan().any() for value in (*found, *gradients))
    assert_near(found, expected, 0.08, 'output')


@pytest.mark.parametrize('name', [name for name, case in CASES.items() if not case.reads_values])
def test_no_tensor_is_left_on_the_cpu(name):
    assert run_on_fake_device(CASES[name]) == {'cuda'}


def test_a_tensor_left_on_the_cpu_is_found():
    class Forgetful(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + torch.ones(3)

    with pytest.raises(RuntimeError, match='two different devices'):
        run_on_fake_device(Case(Forgetful, lambda generator: (torch.rand(3, generator=generator),)))
