"""Faster R-CNN that learns from sound and images and detects by sound: Kim and Kim, ICASSP 2023.

Shapes: B samples of a batch; H, W size of the network's input, the same for sound and images.
"""

from mmdet.models.detectors import FasterRCNN
from mmdet.registry import MODELS
from mmdet.structures import SampleList
from mmdet.utils import ConfigType, OptConfigType, OptMultiConfig
from mmengine.model import BaseModule, ModuleDict
from torch import Tensor

from ..layers.audio_visual_pyramid import AudioVisualPyramid

# Parameters that training alone uses; what is left is a FasterRCNN of mmdet.
VISUAL_PREFIXES = (
    'visual_streams.',
    'roi_head.visual_bbox_head.',
    'roi_head.visual_reduction.',
    'roi_head.fusion.',
)

Inputs = Tensor | dict[str, Tensor]


class VisualStream(BaseModule):
    """Backbone and neck of one visual modality.

    Args:
        backbone: Config of the backbone.
        neck: Config of the neck; its levels have the strides and channels of the audio neck's.
        init_cfg: Initialization config.
    """

    def __init__(self, backbone: ConfigType, neck: ConfigType, init_cfg: OptMultiConfig = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Compute the pyramid of images (B, channels, H, W)."""
        return self.neck(self.backbone(images))


@MODELS.register_module()
class AudioVisualFasterRCNN(FasterRCNN):
    """Faster R-CNN on sound with visual streams that only training runs.

    The RPN reads the audio pyramid; the RoI head (``AudioVisualRoIHead``) cuts the same RoIs from all
    pyramids. The audio path's parameters have the names of mmdet's ``FasterRCNN``; the visual ones are
    ``visual_streams.<modality>.backbone`` and ``.neck`` and those named in the RoI head, and
    ``tools/model_converters/strip_visual.py`` removes them for deployment.

    Inputs are a dict: ``audio`` (B, 8, H, W) and each visual modality (B, channels, H, W), as
    ``AudioVisualDataPreprocessor`` gives them. Prediction takes ``audio`` alone from it, or the audio
    tensor itself; it neither needs nor reads anything else.

    Args:
        backbone: Config of the audio backbone.
        rpn_head: Config of the RPN.
        roi_head: Config of the RoI head, of type ``AudioVisualRoIHead``.
        train_cfg: Training config of RPN and RoI head.
        test_cfg: Test config of them.
        visual_streams: Configs of backbone and neck by modality, ``dict(rgb=dict(backbone=..., neck=...))``.
        neck: Config of the audio neck.
        test_modalities: 'audio', or 'audio_visual' to predict from the fused features (Table 4); then
            prediction needs every modality. Defaults to 'audio'.
        data_preprocessor: Config of the data preprocessor.
        init_cfg: Initialization config.

    Raises:
        ValueError: If there is no visual stream or ``test_modalities`` is neither.
    """

    def __init__(
        self,
        backbone: ConfigType,
        rpn_head: ConfigType,
        roi_head: ConfigType,
        train_cfg: ConfigType,
        test_cfg: ConfigType,
        visual_streams: dict[str, ConfigType],
        neck: OptConfigType = None,
        test_modalities: str = 'audio',
        data_preprocessor: OptConfigType = None,
        init_cfg: OptMultiConfig = None,
    ) -> None:
        if not visual_streams:
            raise ValueError('AudioVisualFasterRCNN: no visual_streams; for sound alone use FasterRCNN')
        if test_modalities not in ('audio', 'audio_visual'):
            raise ValueError(
                "AudioVisualFasterRCNN: test_modalities must be 'audio' or 'audio_visual', "
                f'got {test_modalities!r}'
            )
        # A copy: mmdet writes train_cfg and test_cfg into the config it is given.
        roi_head = roi_head.copy()
        roi_head['visual_modalities'] = tuple(visual_streams)
        super().__init__(
            backbone=backbone,
            neck=neck,
            rpn_head=rpn_head,
            roi_head=roi_head,
            train_cfg=train_cfg,
            test_cfg=test_cfg,
            data_preprocessor=data_preprocessor,
            init_cfg=init_cfg,
        )
        self.visual_streams = ModuleDict({name: VisualStream(**cfg) for name, cfg in visual_streams.items()})
        self.test_modalities = test_modalities

    def extract_feat(self, batch_inputs: Inputs) -> AudioVisualPyramid:
        """Levels of the audio pyramid, with those of the visual modalities that there are in ``visual``.

        Inputs are audio (B, 8, H, W), or a dict of it and others; KeyError if there is no audio.
        """
        if isinstance(batch_inputs, Tensor):
            batch_inputs = dict(audio=batch_inputs)
        if 'audio' not in batch_inputs:
            raise KeyError(f"AudioVisualFasterRCNN: inputs hold no 'audio', only {sorted(batch_inputs)}")
        visual = {
            name: stream(batch_inputs[name])
            for name, stream in self.visual_streams.items()
            if name in batch_inputs
        }
        return AudioVisualPyramid(super().extract_feat(batch_inputs['audio']), visual)

    def loss(self, batch_inputs: dict[str, Tensor], batch_data_samples: SampleList) -> dict[str, Tensor]:
        """Compute all losses, eq. (8).

        ``loss_rpn_cls``, ``loss_rpn_bbox`` and those of ``AudioVisualRoIHead.bbox_loss``. KeyError if
        ``audio`` or a visual modality is missing.
        """
        self._require_visual(batch_inputs, 'training')
        return super().loss(batch_inputs, batch_data_samples)

    def predict(
        self, batch_inputs: Inputs, batch_data_samples: SampleList, rescale: bool = True
    ) -> SampleList:
        """Predict boxes, by sound alone unless ``test_modalities`` says otherwise.

        Inputs are audio (B, 8, H, W), or a dict that holds it; KeyError if 'audio_visual' is asked for and a
        modality is missing.
        """
        return super().predict(self._test_inputs(batch_inputs), batch_data_samples, rescale)

    def _forward(self, batch_inputs: Inputs, batch_data_samples: SampleList) -> tuple:
        """Raw outputs of the RoI head, from the modalities that prediction uses."""
        return super()._forward(self._test_inputs(batch_inputs), batch_data_samples)

    def _test_inputs(self, batch_inputs: Inputs) -> Inputs:
        if self.test_modalities == 'audio_visual':
            self._require_visual(batch_inputs, "test_modalities='audio_visual'")
            return batch_inputs
        if isinstance(batch_inputs, Tensor):
            return batch_inputs
        return {name: value for name, value in batch_inputs.items() if name == 'audio'}

    def _require_visual(self, batch_inputs: Inputs, purpose: str) -> None:
        given = () if isinstance(batch_inputs, Tensor) else batch_inputs
        missing = [name for name in self.visual_streams if name not in given]
        if missing:
            raise KeyError(
                f'AudioVisualFasterRCNN: {purpose} needs {missing} beside the audio; add them to the '
                'modalities of the dataset and of the data preprocessor (modality=None), or use a config '
                'without these visual_streams'
            )
