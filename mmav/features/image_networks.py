"""Features of images by torchvision's networks, as the published features of AVE and LLP were made.

Shapes: n images; T seconds; H, W height and width in pixels.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torchvision
from PIL import Image
from torch import Tensor, nn
from torchvision.transforms import functional

from mmav.media.h5_array import read_h5_arrays
from mmav.utils.checkpoint import load_strict, read_checkpoint, select_state_dict

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and standard deviation of RGB in 0..1
KINETICS = ((0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989))
CAFFE = ((123.68 / 255, 116.779 / 255, 103.939 / 255), (1 / 255, 1 / 255, 1 / 255))


@dataclass(frozen=True)
class ImageFeature:
    """How images of a video become features.

    Attributes:
        name: What messages and files call it.
        fps: Images a second.
        take: What becomes of the images of a second: 'mean' of their features, 'each' its own features, or
            'clip': the network takes them together.
        build: Makes the network, which takes (n, 3, H, W), or (n, 3, fps, H, W) for 'clip'.
        prepare: Makes an image (H, W, 3) of uint8, RGB, fit for the network.
        weights: Where its public weights are, see :func:`mmav.utils.checkpoint.read_checkpoint`.
        part: Prefix of the network's parameters in the public weights.
        dropped: Starts of names in the public weights that the network has no use for.
        normalization: Mean and standard deviation of RGB in 0..1.
    """

    name: str
    fps: int
    take: str
    build: Callable[[], nn.Module]
    prepare: Callable[[np.ndarray], np.ndarray]
    weights: str
    part: str = ''
    dropped: tuple[str, ...] = ('fc.',)
    normalization: tuple = IMAGENET


class ImageNetwork:
    """A network that gives features of images, second by second.

    Args:
        feature: Which features.
        weights: File or address of the weights (torchvision's names). For 'vgg19' also the ``.h5`` file of
            Keras, whose network the published features of AVE come from; Keras' normalization comes with it.
            None: random weights, the same every time.
        device: Where it computes.

    Raises:
        RuntimeError: If names or shapes of the weights do not fit.
    """

    def __init__(
        self, feature: ImageFeature, weights: str | None, device: str | torch.device = 'cpu'
    ) -> None:
        self.feature = feature
        self.device = torch.device(device)
        mean, std = feature.normalization
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self.net = feature.build()
        if weights is not None and weights.endswith('.h5') and feature.name == 'vgg19':
            mean, std = CAFFE
            load_strict(self.net, read_keras_vgg19(weights, self.net), weights)
        elif weights is not None:
            state_dict = select_state_dict(read_checkpoint(weights), feature.part, weights)
            load_strict(self.net, state_dict, weights, allow_unexpected=feature.dropped)
        self.normalization = mean, std
        self.net.eval().requires_grad_(False).to(self.device)
        self._mean, self._std = (torch.tensor(v, device=self.device).view(3, 1, 1) for v in (mean, std))
        self._bgr = self.normalization == CAFFE

    @torch.inference_mode()
    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Compute float32 features (n / fps, ...), (n, ...) if each image has its own; channels last.

        Images are (n, H, W, 3) uint8 RGB, prepared; n is a multiple of ``feature.fps``.
        """
        batch = torch.from_numpy(images).to(self.device).permute(0, 3, 1, 2)
        batch = (batch.float() / 255 - self._mean) / self._std
        batch = batch.flip(1) if self._bgr else batch
        if self.feature.take == 'clip':
            batch = batch.unflatten(0, (-1, self.feature.fps)).transpose(1, 2)
        features = self.net(batch)
        if features.dim() == 4:
            features = features.permute(0, 2, 3, 1)
        if self.feature.take == 'mean':
            features = features.unflatten(0, (-1, self.feature.fps)).mean(1)
        return features.float().cpu().numpy()


def read_keras_vgg19(path: str, net: nn.Module) -> dict[str, Tensor]:
    """Weights of VGG-19's convolutions from a file of Keras, with or without the classifier, as a state dict.

    The names are those of ``net``, ``torchvision.models.vgg19().features``. ValueError if the file
    (``vgg19_weights_tf_dim_ordering_tf_kernels[_notop].h5``) is no HDF5 or holds other layers.
    """
    layers: dict[str, dict[int, np.ndarray]] = {}
    for name, array in read_h5_arrays(path, 'block').items():
        layers.setdefault(name.split('/')[0], {})[array.ndim] = array
    convolutions = [name for name, module in net.named_modules() if isinstance(module, nn.Conv2d)]
    if len(layers) != len(convolutions) or any(set(layer) != {4, 1} for layer in layers.values()):
        raise ValueError(f'{path} holds no weights of VGG-19 as Keras writes them: it has {sorted(layers)}')
    state_dict = {}
    for name, (_, layer) in zip(convolutions, sorted(layers.items())):  # block1_conv1, block1_conv2, ...
        # Keras: (height, width, in, out)
        state_dict[f'{name}.weight'] = torch.from_numpy(layer[4].transpose(3, 2, 0, 1).astype(np.float32))
        state_dict[f'{name}.bias'] = torch.from_numpy(layer[1].astype(np.float32))
    return state_dict


def _stretch_224(image: np.ndarray) -> np.ndarray:
    return cv2.resize(image, (224, 224), interpolation=cv2.INTER_LINEAR)


def _crop_224(image: np.ndarray) -> np.ndarray:
    resized = functional.resize(Image.fromarray(image), 256)
    return np.asarray(functional.center_crop(resized, 224))


def _stretch_112(image: np.ndarray) -> np.ndarray:
    return np.asarray(functional.resize(Image.fromarray(image), [112, 112]))


def _build_vgg19() -> nn.Module:
    # without the classifier, which is most of the whole network
    return torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs['E'])


def _without_classifier(net: nn.Module) -> nn.Module:
    net.fc = nn.Identity()
    return net


IMAGE_FEATURES: Mapping[str, ImageFeature] = {
    feature.name: feature
    for feature in (
        # maps of the last pooling, averaged over 16 images: (T, 7, 7, 512)
        ImageFeature(
            'vgg19',
            16,
            'mean',
            _build_vgg19,
            _stretch_224,
            'torchvision://vgg19',
            part='features',
            dropped=(),
        ),
        # vectors of 8 images a second: (8 T, 2048)
        ImageFeature(
            'resnet152',
            8,
            'each',
            lambda: _without_classifier(torchvision.models.resnet152()),
            _crop_224,
            'torchvision://resnet152',
        ),
        # vectors of clips of 8 images: (T, 512)
        ImageFeature(
            'r2plus1d_18',
            8,
            'clip',
            lambda: _without_classifier(torchvision.models.video.r2plus1d_18()),
            _stretch_112,
            'torchvision://r2plus1d_18.kinetics400_v1',
            normalization=KINETICS,
        ),
    )
}
"""Features by name, as the published ones of AVE ('vgg19') and LLP (the others) were made."""
