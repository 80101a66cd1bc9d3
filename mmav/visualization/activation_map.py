"""Where in its input a detector finds its boxes: Score-CAM and Grad-CAM (MM-DistillNet, Figure 4).

Shapes: C channels, H, W height and width of the network's input, N boxes; H_o, W_o size of the camera image.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import cv2
import numpy as np
import torch
from mmdet.models.detectors import BaseDetector
from mmdet.models.utils import select_single_mlvl
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import get_box_tensor
from pytorch_grad_cam import GradCAM, ScoreCAM
from pytorch_grad_cam.utils.model_targets import FasterRCNNBoxScoreTarget
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mmav.utils.checks import check_choice

METHODS = ('score_cam', 'grad_cam')
# P5, as in the paper (section 4). The backbone's, of which all heads learn through the neck: from the neck's
# own P5 a two-stage detector cuts large boxes alone.
DEFAULT_LAYER = 'backbone:-1'


@dataclass
class ActivationMap:
    """What :func:`activation_map` found.

    Args:
        values: (H, W) float32 from 0 to 1, over the network's input; all 0 without a confident box.
        bboxes: (N, 4) confident boxes, x1 y1 x2 y2 in pixels of the network's input.
        scores: (N,).
        labels: (N,) int64.
    """

    values: np.ndarray
    bboxes: Tensor
    scores: Tensor
    labels: Tensor


class BatchedScoreCAM(ScoreCAM):
    """The library's ``ScoreCAM`` with memory for one batch of masked inputs instead of one per channel.

    The library multiplies the input with every channel's mask at once: for 352 channels and 8 x 768 x 768
    inputs that is 6.6 GB. The values are the same.

    Args:
        model: Network.
        target_layers: Layers whose activations become masks.
        batch_size: Masked inputs that run at once. Defaults to 16.
    """

    def __init__(self, model: nn.Module, target_layers: list[nn.Module], batch_size: int = 16) -> None:
        super().__init__(model, target_layers)
        self.batch_size = batch_size

    @torch.no_grad()
    def get_cam_weights(
        self,
        input_tensor: Tensor,
        target_layer: nn.Module,
        targets: Sequence[Callable],
        activations: np.ndarray,
        grads: np.ndarray | None,
    ) -> np.ndarray:
        """Softmax over the channels of the targets that inputs masked with them reach; see the library."""
        weights = []
        for image, target, channels in zip(input_tensor, targets, torch.from_numpy(activations)):
            scores = []
            for chunk in channels.to(self.device).split(self.batch_size):
                masks = interpolate(chunk[None], image.shape[-2:], mode='bilinear', align_corners=True)[0]
                low, high = masks.amin((1, 2), keepdim=True), masks.amax((1, 2), keepdim=True)
                masks = (masks - low) / (high - low + 1e-8)
                outputs = self.model(image[None] * masks[:, None])
                scores += [target(output).item() for output in outputs]
                # The library's hook keeps the activations of every pass; only the first ones are needed.
                del self.activations_and_grads.activations[len(self.target_layers) :]
            weights.append(torch.tensor(scores).softmax(0).numpy())
        return np.stack(weights)


class DetectorGradCAM(GradCAM):
    """The library's ``GradCAM`` for layers that the boxes of an image may not depend on: their map is 0.

    Gradients are asked for at the input, before any layer, so that frozen networks have them, too.
    """

    def __init__(self, model: nn.Module, target_layers: list[nn.Module]) -> None:
        super().__init__(model, target_layers)
        self.compute_input_gradient = True

    def get_cam_weights(
        self,
        input_tensor: Tensor,
        target_layer: nn.Module,
        targets: Sequence[Callable],
        activations: np.ndarray,
        grads: np.ndarray | None,
    ) -> np.ndarray:
        """Mean gradient of each channel; see the library."""
        if grads is None:
            return np.zeros(activations.shape[:2], np.float32)
        return super().get_cam_weights(input_tensor, target_layer, targets, activations, grads)


@contextmanager
def undetached(detector: nn.Module) -> Iterator[None]:
    """Let the predictions of a one-stage detector keep their gradients, which mmdet's dense heads cut off.

    Two-stage detectors keep those of their RoI head anyway; proposals are taken as given, as in training.
    """

    def select(tensors: list[Tensor], index: int, detach: bool = True) -> list[Tensor]:
        return select_single_mlvl(tensors, index, detach=False)

    classes = type(getattr(detector, 'bbox_head', None)).__mro__
    with ExitStack() as patches:
        for module in {sys.modules[cls.__module__] for cls in classes}:
            if hasattr(module, 'select_single_mlvl'):
                patches.enter_context(patch.object(module, 'select_single_mlvl', select))
        yield


class TappedDetector(nn.Module):
    """A detector as pytorch-grad-cam wants a model: a tensor in, a dict of boxes for each image out.

    The output of the named layer runs through ``tap``, a module of its own: so one level of a pyramid can be
    looked at, which is no module but an element of a tuple. With gradients on, boxes and scores keep theirs
    (of one-stage detectors within :func:`undetached`): non-maximum suppression only selects.

    Use it as a context manager: at its end the detector is left as it was, but for its eval mode.

    Args:
        detector: Detector with mmdet's ``predict``.
        layer: See :func:`activation_map`.
        metainfo: Of the sample that inputs are made of.

    Raises:
        ValueError: If the detector has no such layer, or, while it runs, the layer gives something else than
            one map (B, C, H', W') an input.
    """

    def __init__(self, detector: BaseDetector, layer: str, metainfo: dict) -> None:
        super().__init__()
        self.detector = detector
        self.layer = layer
        self.metainfo = metainfo
        self.tap = nn.Identity()
        name, _, level = layer.partition(':')
        modules = dict(detector.named_modules())
        if name not in modules or (level and not level.lstrip('-').isdigit()):
            known = ', '.join(key for key in modules if key and key.count('.') < 2)
            raise ValueError(
                f'{type(detector).__name__} has no layer {layer!r}; name a module, and with :<number> an '
                f'element of its outputs. It has, among others, {known}'
            )
        self.level = int(level) if level else None
        self.runs = 0
        self.handle = modules[name].register_forward_hook(self._pass_tap)

    def __enter__(self) -> 'TappedDetector':
        return self

    def __exit__(self, *error: object) -> None:
        self.handle.remove()

    def _pass_tap(
        self, module: nn.Module, inputs: tuple, output: Tensor | tuple | list
    ) -> Tensor | tuple | list:
        self.runs += 1
        if self.runs > 1:
            raise ValueError(f'{self.layer} runs several times an image; choose a layer that runs once')
        if self.level is None:
            # A copy: a later layer that works in place would overwrite what the tap has seen.
            return self.tap(self._checked(output)).clone()
        if isinstance(output, Tensor) or not -len(output) <= self.level < len(output):
            count = 'one output' if isinstance(output, Tensor) else f'{len(output)} outputs'
            raise ValueError(f'{self.layer}: the layer has {count}')
        outputs = list(output)
        outputs[self.level] = self.tap(self._checked(outputs[self.level])).clone()
        return type(output)(outputs)

    def _checked(self, output: object) -> Tensor:
        if not isinstance(output, Tensor) or output.dim() != 4:
            found = f'shape {tuple(output.shape)}' if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(
                f'{self.layer} gives no map (B, C, H, W) but {found}; an element of several outputs is named '
                f"'{self.layer.partition(':')[0]}:<number>'"
            )
        return output

    def forward(self, inputs: Tensor) -> list[dict[str, Tensor]]:
        """Detect in preprocessed inputs (B, C, H, W).

        For each there are ``boxes`` (N, 4) in pixels of the input, ``scores`` and ``labels`` (N,). ValueError
        if the layer does not run, or gradients are wanted and the scores have none.
        """
        self.runs = 0
        samples = [DetDataSample(metainfo=self.metainfo) for _ in inputs]
        results = self.detector.predict(inputs, samples, rescale=False)
        if self.runs == 0:
            raise ValueError(f'{self.layer} has no part in the prediction of {type(self.detector).__name__}')
        found = [result.pred_instances for result in results]
        wanted = torch.is_grad_enabled() and inputs.requires_grad
        if wanted and any(len(f) and not f.scores.requires_grad for f in found):
            raise ValueError(
                f'the predictions of {type(self.detector).__name__} have no gradients: use Score-CAM'
            )
        return [dict(boxes=get_box_tensor(f.bboxes), scores=f.scores, labels=f.labels) for f in found]


def activation_map(
    detector: nn.Module,
    inputs: Tensor,
    data_sample: DetDataSample,
    method: str = 'score_cam',
    layer: str = DEFAULT_LAYER,
    score_thr: float = 0.3,
    iou_thr: float = 0.5,
    batch_size: int = 16,
) -> ActivationMap:
    """Map how much each place of a layer speaks for the boxes that a detector finds.

    The target is the library's for Faster R-CNN: each confident box is looked for among the predictions
    (highest IoU, above ``iou_thr``, same class), and their IoUs and scores are summed. Score-CAM weighs the
    layer's channels by the target that the input reaches when masked with them, Grad-CAM by the target's mean
    gradient. Score-CAM costs one pass a channel.

    Args:
        detector: mmdet detector, one-stage or two-stage, on the device of the inputs; left in eval mode.
        inputs: (1, C, H, W) as its data preprocessor gives them.
        data_sample: With their metainfo (``img_shape``, ``batch_input_shape``, ...).
        method: 'score_cam' or 'grad_cam'. Defaults to 'score_cam', the paper's.
        layer: Name of a module, with ``:<number>`` after it an element of the outputs of one that has
            several: 'neck:2'. Defaults to the backbone's last output.
        score_thr: Least score of a confident box. Defaults to 0.3.
        iou_thr: Defaults to 0.5.
        batch_size: Passes of Score-CAM that run at once. Defaults to 16.

    Returns:
        The map, and the confident boxes.

    Raises:
        ValueError: If the method is neither, there is more than one input, or the layer does not fit.
    """
    check_choice('activation_map', 'method', method, METHODS)
    if inputs.dim() != 4 or len(inputs) != 1:
        raise ValueError(f'one input (1, C, H, W) at a time, got {tuple(inputs.shape)}')
    detector.eval()
    with TappedDetector(detector, layer, data_sample.metainfo) as model:
        with torch.no_grad():
            found = model(inputs)[0]
        confident = found['scores'] >= score_thr
        boxes, scores, labels = (found[key][confident] for key in ('boxes', 'scores', 'labels'))
        values = np.zeros(inputs.shape[-2:], np.float32)
        if len(boxes):
            targets = [FasterRCNNBoxScoreTarget(labels, boxes, iou_thr)]
            if method == 'score_cam':
                with BatchedScoreCAM(model, [model.tap], batch_size) as cam, torch.no_grad():
                    values = cam(inputs, targets)[0]
            else:
                with DetectorGradCAM(model, [model.tap]) as cam, torch.enable_grad(), undetached(detector):
                    values = cam(inputs, targets)[0]
                detector.zero_grad()
    return ActivationMap(values, boxes.cpu(), scores.cpu(), labels.cpu())


def to_camera_image(found: ActivationMap, data_sample: DetDataSample) -> ActivationMap:
    """Bring a map and its boxes from the network's input to the camera image (H_o, W_o).

    The sample's metainfo says ``img_shape`` (the part of the input that is not padding), ``ori_shape`` and
    ``scale_factor``.
    """
    height, width = (int(value) for value in data_sample.img_shape[:2])
    original = (int(data_sample.ori_shape[1]), int(data_sample.ori_shape[0]))
    values = cv2.resize(found.values[:height, :width], original, interpolation=cv2.INTER_LINEAR)
    scale = found.bboxes.new_tensor(data_sample.scale_factor).repeat(2)
    return ActivationMap(values, found.bboxes / scale, found.scores, found.labels)
