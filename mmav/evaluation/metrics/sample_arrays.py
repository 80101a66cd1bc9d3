"""Arrays of data samples, with errors that name the sample."""

import numpy as np
import torch

from mmav.utils.errors import SampleError


def sample_array(sample: dict, key: str, name: str, hint: str) -> np.ndarray:
    """Value of a data sample as an array; floats become float32.

    Args:
        sample: The data sample.
        key: What is wanted of it.
        name: What error messages call the sample.
        hint: What to do where it is missing.

    Raises:
        SampleError: If the sample has none.
    """
    if sample.get(key) is None:
        raise SampleError(name, f'has no {key}: {hint}')
    values = torch.as_tensor(sample[key]).cpu()
    return (values.float() if values.is_floating_point() else values).numpy()
