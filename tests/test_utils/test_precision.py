import numpy as np
import pytest
import torch

from mmav.utils.precision import as_float, full_precision


@pytest.mark.parametrize('make', [np.asarray, lambda values: torch.from_numpy(np.asarray(values))])
def test_samples_are_floats_between_minus_one_and_one(make):
    samples = as_float(make(np.array([[-32768, 0], [16384, 32767]], np.int16)))
    assert str(samples.dtype).endswith('float32')
    np.testing.assert_allclose(np.asarray(samples), [[-1, 0], [0.5, 32767 / 32768]], atol=0)
    for dtype in (np.float32, np.float64):
        kept = as_float(make(np.array([0.25, -1.5], dtype)))
        assert str(kept.dtype).endswith('float32')
        np.testing.assert_array_equal(np.asarray(kept), [0.25, -1.5])


@pytest.mark.parametrize(
    ('given', 'expected'),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_half_precision_becomes_full(given, expected):
    assert full_precision(torch.ones(2, dtype=given)).dtype == expected
