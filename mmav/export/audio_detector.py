"""Detectors from waveforms to boxes as one module, front end included.

Shapes: B clips, M microphones, L samples, n boxes of a clip at most, H, W rows and columns of the network's
input.
"""

from __future__ import annotations

import torch
from mmdet.structures import DetDataSample
from mmengine.model import BaseModel
from torch import Tensor, nn

from mmav.models.data_preprocessors import AudioVisualDataPreprocessor
from mmav.utils.precision import as_float

from .acoustic_image import ExportableAcousticImage
from .detectors import Boxes, exportable_boxes, hearing_detector
from .errors import ExportError
from .log_mel import ExportableLogMel

OUTPUTS = ('bboxes', 'scores', 'labels')


class ExportableAudioDetector(nn.Module):
    """A detector from waveforms to boxes in pixels of the cropped camera image.

    Where there are fewer boxes than may be at most, the others have a score of -1.

    Args:
        model: A detector by sound, with its data preprocessor.
        sample: What the test pipeline makes of a clip: its size, and that of the network's image.
        num_microphones: M.
        num_samples: L.

    Raises:
        ExportError: A part of the model has no exportable form.
    """

    def __init__(
        self, model: BaseModel, sample: DetDataSample, num_microphones: int, num_samples: int
    ) -> None:
        super().__init__()
        preprocessor = model.data_preprocessor
        if type(preprocessor) is not AudioVisualDataPreprocessor:
            raise ExportError(f'the data preprocessor {type(preprocessor).__name__} cannot be exported')
        if preprocessor.acoustic_image is None and preprocessor.log_mel is None:
            raise ExportError(
                'the data preprocessor takes spectrograms: give it log_mel or acoustic_image, which take '
                'waveforms'
            )
        self.preprocessor = preprocessor
        self.acoustic_image = self.log_mel = None
        if preprocessor.acoustic_image is not None:
            self.acoustic_image = ExportableAcousticImage(preprocessor.acoustic_image, num_samples)
        if preprocessor.log_mel is not None:
            self.log_mel = ExportableLogMel(preprocessor.log_mel, num_samples)
        detector = hearing_detector(model)
        self.backbone, self.neck = detector.backbone, detector.neck
        self.num_microphones = num_microphones
        with torch.no_grad():
            silence = self.network_input(torch.zeros(1, num_microphones, num_samples))
            self.input_shape = tuple(map(int, silence.shape[1:]))
            levels = self.neck(self.backbone(silence))
        sizes = [(int(level.shape[-2]), int(level.shape[-1])) for level in levels]
        self.boxes = exportable_boxes(
            model, sizes, tuple(sample.img_shape[:2]), tuple(sample.scale_factor[:2])
        )
        self.eval()

    def network_input(self, waveform: Tensor) -> Tensor:
        """The network's input (B, C, H, W) of waveforms (B, M, L), floats in -1..1."""
        preprocessor, parts = self.preprocessor, []
        if self.acoustic_image is not None:
            parts.append(preprocessor.acoustic_input(self.acoustic_image(waveform)))
        if self.log_mel is not None:
            channels = self.log_mel(waveform)
            microphones = self.num_microphones
            parts.append(preprocessor.spectrogram_input(channels[:, :microphones], channels[:, microphones:]))
        values = torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
        return preprocessor.pad(values, preprocessor.acoustic_stride)

    def forward(self, waveform: Tensor) -> Boxes:
        """Detect.

        Args:
            waveform: (B, M, L), int16, or floats in -1..1.

        Returns:
            Boxes (B, n, 4) x1, y1, x2, y2, scores (B, n) in falling order and labels (B, n).
        """
        # of known size, which the exporter has lost sight of and some layers ask for
        inputs = self.network_input(as_float(waveform)).reshape(-1, *self.input_shape)
        return self.boxes(self.neck(self.backbone(inputs)))
