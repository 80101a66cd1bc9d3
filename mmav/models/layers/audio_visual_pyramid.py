"""The feature pyramids of one batch: sound and, in training, images."""

from collections.abc import Iterable

from torch import Tensor


class AudioVisualPyramid(tuple):
    """The levels of the audio pyramid, with the visual pyramids beside them in ``visual``.

    As a tuple it is what mmdet's heads expect of ``extract_feat``: whatever reads levels (the RPN, a
    sampler, a head that knows of one modality) reads the audio pyramid and nothing else.

    Args:
        audio: Levels of the audio pyramid, (B, C, H_l, W_l) each.
        visual: Levels of each visual pyramid, by the modality's name. Defaults to none.
    """

    visual: dict[str, tuple[Tensor, ...]]

    def __new__(
        cls, audio: Iterable[Tensor], visual: dict[str, tuple[Tensor, ...]] | None = None
    ) -> 'AudioVisualPyramid':
        """See the class."""
        pyramid = super().__new__(cls, audio)
        pyramid.visual = dict(visual or {})
        return pyramid
