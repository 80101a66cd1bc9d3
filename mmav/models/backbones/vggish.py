"""VGGish, Hershey et al., *CNN architectures for large-scale audio classification*, ICASSP 2017.

Shapes: B clips, L samples, S segments (seconds), N examples.
"""

from collections.abc import Mapping

import numpy as np
import torch
from mmdet.registry import MODELS
from mmdet.utils import OptMultiConfig
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...media.array_files import read_npz
from ...utils.checkpoint import load_strict, read_checkpoint, select_state_dict
from ..layers.vggish_log_mel import HOP, N_MELS, SAMPLE_RATE, WINDOW, VGGishLogMel

EXAMPLE_FRAMES = 96  # of an example: 0.96 s
EXAMPLE_SAMPLES = (EXAMPLE_FRAMES - 1) * HOP + WINDOW  # that they reach over: 0.975 s
WIDTH = 128  # of an embedding

# Published files of the PyTorch port; read_checkpoint downloads them.
VGGISH_URL = 'https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth'
PCA_URL = 'https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish_pca_params-970ea276.pth'

# Examples that go through the network at a time: bounds the memory that an hour of sound takes.
_EXAMPLES_PER_STEP = 64


def pca_quantize(embeddings: Tensor, eigen_vectors: Tensor, means: Tensor, quantize: bool = True) -> Tensor:
    """Whiten embeddings (..., 128), and round them to 8 bits, as those of AudioSet and YouTube-8M are.

    Args:
        embeddings: (..., 128), as VGGish gives them.
        eigen_vectors: (128, 128), a component in each row.
        means: 128 values, of any shape.
        quantize: Cut to -2..2, scale to 0..255 and round; else the whitened values.
    """
    whitened = (embeddings - means.flatten()) @ eigen_vectors.t()
    return ((whitened.clamp(-2.0, 2.0) + 2.0) * (255.0 / 4.0)).round() if quantize else whitened


@MODELS.register_module()
class VGGish(BaseModule):
    """Waveform of any length to 128 values a second, with the parameter names of the public PyTorch port.

    A clip of L samples at 16 kHz has S = max(1, L / 16000 rounded, halves up) seconds. Second k is heard
    through the 96 log-mel frames that start in its first 0.96 s (they reach over 0.975 s), so sound and
    one-second labels or images stay together however long the clip is. What is missing in the last second,
    at most half of it unless the clip is shorter, is silence; what sticks out, less than half a second, is
    left out. (The published features of AVE cut the same examples out of each second.)

    ``framing='examples'`` gives the public port's rows instead: one for each 0.96 s, back to back, whole ones
    only, 10 for 10 s but 62 for 60 s.

    ``postprocess`` whitens, or whitens and quantises, as the features of AudioSet and YouTube-8M are;
    the features of AVE and LLP are not postprocessed.

    Args:
        checkpoint: The port's ``vggish-10086976.pth``, or any state dict of this module; its URL downloads
            it. Read strictly by ``init_weights``. None: Xavier-uniform weights. Defaults to None.
        framing: 'seconds' or 'examples', see above. Defaults to 'seconds'.
        postprocess: None, 'pca' or 'quantize', see :func:`pca_quantize`. Defaults to None.
        pca_params: The public parameter file, the port's ``.pth`` or TensorFlow's ``.npz``; needed with
            ``postprocess``, read by the constructor.
        final_relu: Whether the embedding ends with a ReLU, as in the port and in TensorFlow's first
            release. Defaults to True.
        init_cfg: Initialization config, instead of ``checkpoint``. Defaults to None.

    Raises:
        ValueError: If an argument is none of the named ones, ``checkpoint`` and ``init_cfg`` both given,
            or ``pca_params`` missing, superfluous or no such file.
    """

    def __init__(
        self,
        checkpoint: str | None = None,
        framing: str = 'seconds',
        postprocess: str | None = None,
        pca_params: str | None = None,
        final_relu: bool = True,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        if checkpoint is not None and init_cfg is not None:
            raise ValueError('VGGish: give checkpoint or init_cfg, not both')
        if framing not in ('seconds', 'examples') or postprocess not in (None, 'pca', 'quantize'):
            raise ValueError(f'VGGish: bad framing {framing!r} or postprocess {postprocess!r}')
        if (postprocess is None) != (pca_params is None):
            raise ValueError(
                "VGGish: postprocess and pca_params go together: the public port's file is at " + PCA_URL
            )
        if checkpoint is None and init_cfg is None:
            init_cfg = dict(type='Xavier', layer=['Conv2d', 'Linear'], distribution='uniform')
        eigen_vectors, means = (None, None) if pca_params is None else _read_pca(pca_params)
        super().__init__(init_cfg)
        self.checkpoint = checkpoint
        self.framing = framing
        self.postprocess = postprocess
        self.log_mel = VGGishLogMel()
        layers: list[nn.Module] = []
        channels = 1
        for width in (64, 'pool', 128, 'pool', 256, 256, 'pool', 512, 512, 'pool'):
            if isinstance(width, str):
                layers.append(nn.MaxPool2d(2))
            else:
                layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
        self.features = nn.Sequential(*layers)
        self.embeddings = nn.Sequential(
            nn.Linear(channels * (EXAMPLE_FRAMES // 16) * (N_MELS // 16), 4096),
            nn.ReLU(),
            nn.Linear(4096, 4096),
            nn.ReLU(),
            nn.Linear(4096, WIDTH),
            *([nn.ReLU()] if final_relu else []),
        )
        # constants of the configuration, so no part of a checkpoint
        self.register_buffer('pca_eigen_vectors', eigen_vectors, persistent=False)
        self.register_buffer('pca_means', means, persistent=False)

    def init_weights(self) -> None:
        """Initialize, or read the checkpoint; RuntimeError, listing them, if names or shapes do not fit."""
        if self.checkpoint is None:
            super().init_weights()
            return
        state_dict = select_state_dict(read_checkpoint(self.checkpoint), source=self.checkpoint)
        # the port keeps its PCA among the weights when it is saved as a whole
        load_strict(self, state_dict, self.checkpoint, allow_unexpected=('pproc.',))
        self.is_init = True

    def num_segments(self, num_samples: int) -> int:
        """Rows that a clip of so many samples at 16 kHz gives; ValueError if it is too short or empty."""
        if num_samples < 1 or (self.framing == 'examples' and num_samples < EXAMPLE_SAMPLES):
            raise ValueError(
                f'VGGish: a clip of {num_samples} samples at 16 kHz is too short'
                + (f"; with framing='examples' it needs {EXAMPLE_SAMPLES}" if num_samples else '')
            )
        if self.framing == 'examples':
            return self.log_mel.num_frames(num_samples) // EXAMPLE_FRAMES
        return max(1, (num_samples + SAMPLE_RATE // 2) // SAMPLE_RATE)

    def examples(self, waveform: Tensor, num_segments: int | None = None) -> Tensor:
        """Cut the log-mel spectrogram into the network's inputs.

        Args:
            waveform: (B, L) mono at 16 kHz, float in -1..1.
            num_segments: S; sound beyond is left out, missing sound is silence. None: as many as the clip
                has, see :meth:`num_segments`.

        Returns:
            (B, S, 96, 64) of float32.

        Raises:
            ValueError: If the waveform has another shape or is too short.
        """
        if waveform.dim() != 2:
            raise ValueError(f'VGGish takes mono waveforms (B, L) or (L,), got {tuple(waveform.shape)}')
        segments = self.num_segments(waveform.shape[1]) if num_segments is None else num_segments
        step = 100 if self.framing == 'seconds' else EXAMPLE_FRAMES  # frames
        needed = (segments - 1) * step * HOP + EXAMPLE_SAMPLES
        waveform = nn.functional.pad(waveform[:, :needed], (0, max(0, needed - waveform.shape[1])))
        return self.log_mel(waveform).unfold(1, EXAMPLE_FRAMES, step).transpose(2, 3)

    def embed(self, examples: Tensor) -> Tensor:
        """Embed examples (N, 96, 64), or (N, 1, 96, 64) as in the port, to (N, 128), not postprocessed."""
        examples = examples[:, None] if examples.dim() == 3 else examples
        # time, frequency, channel: the order in which TensorFlow flattens
        return self.embeddings(self.features(examples).permute(0, 2, 3, 1).flatten(1))

    def forward(self, waveform: Tensor, num_segments: int | None = None) -> Tensor:
        """Embed clips, second by second.

        Args:
            waveform: (B, L) mono at 16 kHz, float in -1..1; or one clip (L,).
            num_segments: S; see :meth:`examples`.

        Returns:
            (B, S, 128), or (S, 128) of one clip.

        Raises:
            ValueError: If the waveform has another shape or is too short.
            TypeError: If it is not of a floating-point type.
        """
        if waveform.dim() == 1:
            return self(waveform[None], num_segments)[0]
        examples = self.examples(waveform, num_segments)
        parts = examples.flatten(0, 1).split(_EXAMPLES_PER_STEP)
        embeddings = torch.cat([self.embed(part) for part in parts]).unflatten(0, examples.shape[:2])
        if self.postprocess is None:
            return embeddings
        return pca_quantize(
            embeddings, self.pca_eigen_vectors, self.pca_means, quantize=self.postprocess == 'quantize'
        )


def _read_pca(path: str) -> tuple[Tensor, Tensor]:
    """(128, 128) eigenvectors and 128 means of a parameter file."""
    if path.endswith('.npz'):
        content: Mapping = read_npz(path)
    else:
        content = read_checkpoint(path)
    values = []
    for name, size in (('pca_eigen_vectors', WIDTH * WIDTH), ('pca_means', WIDTH)):
        value = np.asarray(content.get(name, ()), dtype=np.float32)
        if value.size != size:
            raise ValueError(
                f'{path} is no PCA parameter file of VGGish: {name} has {value.size} of {size} values'
            )
        values.append(torch.from_numpy(value.copy()))
    return values[0].view(WIDTH, WIDTH), values[1].flatten()
