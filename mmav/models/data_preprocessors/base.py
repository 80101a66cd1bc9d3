"""What the data preprocessors share: samples become a batch.

Shapes: B samples.
"""

from collections.abc import Callable, Sequence

import torch
from mmengine.model import BaseDataPreprocessor
from torch import Tensor


class StackingDataPreprocessor(BaseDataPreprocessor):
    """Base of data preprocessors whose samples are of one shape and finite."""

    def stack(
        self,
        name: str,
        samples: Tensor | Sequence[Tensor],
        describe: Callable[[int], str] = 'sample {} of the batch'.format,
    ) -> Tensor:
        """Stack B samples of an input ``name``; one copy to the device instead of one for each sample.

        They stay where they are; :meth:`cast_data` moves them.

        Raises:
            ValueError: If the samples differ in shape, or hold NaN or infinite values; ``describe`` says
                what the message calls the sample of a number.
        """
        if not isinstance(samples, Tensor):
            if len({sample.shape for sample in samples}) != 1:
                shapes = ', '.join(
                    f'{describe(index)}: {tuple(sample.shape)}' for index, sample in enumerate(samples)
                )
                raise ValueError(f'{name}: the samples of a batch differ in shape ({shapes})')
            samples = torch.stack(list(samples))
        if samples.is_floating_point() and not bool(samples.isfinite().all()):
            bad = (~samples.isfinite()).flatten(1).any(1).nonzero().flatten().tolist()
            raise ValueError(f'{name}: NaN or infinite values in {", ".join(map(describe, bad))}')
        return samples
