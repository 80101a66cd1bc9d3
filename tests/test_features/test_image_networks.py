"""Networks and preprocessing of images against torchvision's; Keras' weights against a plain loop."""

import dataclasses

import h5py
import numpy as np
import pytest
import torch
import torchvision

from mmav.features import image_networks as image_features
from mmav.features.image_networks import IMAGE_FEATURES, ImageFeature, ImageNetwork


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (8, 5, 7, 3), np.uint8)
    return np.stack([np.kron(p, np.ones((40, 40, 1), np.uint8)) for p in coarse])  # 200 x 280


def serve(monkeypatch: pytest.MonkeyPatch, net: torch.nn.Module) -> None:
    """The network's weights are what every address holds."""
    monkeypatch.setattr(image_features, 'read_checkpoint', lambda path: net.state_dict())


def before_the_classifier(net: torch.nn.Module, batch: torch.Tensor) -> np.ndarray:
    kept = []
    net.avgpool.register_forward_hook(lambda module, inputs, output: kept.append(output.flatten(1)))
    with torch.inference_mode():
        net.eval()(batch)
    return kept[0].numpy()


def randomize(net: torch.nn.Module) -> torch.nn.Module:
    """Random statistics of the batch normalization, too, which keep the scale of what passes."""
    generator = torch.Generator().manual_seed(0)
    for name, value in net.named_buffers():
        if name.endswith('running_mean'):
            value.copy_(torch.rand(value.shape, generator=generator) * 0.1)
    return net


def test_resnet152_is_torchvisions_on_torchvisions_preprocessing(monkeypatch, images):
    net = randomize(torchvision.models.resnet152())
    serve(monkeypatch, net)
    feature = dataclasses.replace(IMAGE_FEATURES['resnet152'], fps=1)
    network = ImageNetwork(feature, 'any')
    out = network(np.stack([feature.prepare(image) for image in images[:1]]))
    transform = torchvision.models.ResNet152_Weights.IMAGENET1K_V1.transforms()
    batch = torch.stack([transform(torch.from_numpy(p.transpose(2, 0, 1).copy())) for p in images[:1]])
    expected = before_the_classifier(net, batch)
    assert out.shape == expected.shape == (1, 2048) and out.dtype == np.float32
    np.testing.assert_allclose(out, expected, atol=0.02 * np.abs(expected).max())  # bytes are rounded, too


def test_r2plus1d_is_torchvisions_on_clips_of_a_second(monkeypatch, images):
    net = randomize(torchvision.models.video.r2plus1d_18())
    serve(monkeypatch, net)
    feature = IMAGE_FEATURES['r2plus1d_18']
    network = ImageNetwork(feature, 'any')
    small = np.stack([feature.prepare(image) for image in images])
    assert small.shape == (8, 112, 112, 3)
    statistics = torchvision.models.video.R2Plus1D_18_Weights.KINETICS400_V1.transforms()
    clip = torch.from_numpy(small).permute(3, 0, 1, 2).float() / 255
    mean, std = (torch.tensor(v).view(3, 1, 1, 1) for v in (statistics.mean, statistics.std))
    expected = before_the_classifier(net, ((clip - mean) / std)[None])
    out = network(small)
    assert out.shape == (1, 512)
    np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-5)


def test_vgg19_takes_torchvisions_names_and_gives_its_maps(monkeypatch, images):
    with torch.device('meta'):
        whole = torchvision.models.vgg19()
    weights = {
        name: torch.randn(value.shape, generator=torch.Generator().manual_seed(len(name))) * 0.03
        for name, value in whole.state_dict().items()
        if name.startswith('features.')
    }
    monkeypatch.setattr(
        image_features, 'read_checkpoint', lambda path: {**weights, 'classifier.0.bias': weights}
    )
    feature = dataclasses.replace(IMAGE_FEATURES['vgg19'], fps=2)
    network = ImageNetwork(feature, 'any')
    small = np.stack([feature.prepare(image) for image in images[:2]])
    assert small.shape == (2, 224, 224, 3)
    out = network(small)
    mean, std = (np.array(v, np.float32) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    batch = torch.from_numpy((small / np.float32(255) - mean) / std).permute(0, 3, 1, 2)
    with torch.inference_mode():
        whole.features.to_empty(device='cpu').load_state_dict(
            {name.removeprefix('features.'): value for name, value in weights.items()}
        )
        maps = whole.features(batch).permute(0, 2, 3, 1)
    assert out.shape == (1, 7, 7, 512) and out.any()
    np.testing.assert_allclose(out, maps.mean(0, keepdim=True).numpy(), rtol=1e-3, atol=1e-6)


def tiny(take: str, fps: int = 4, name: str = 'tiny') -> ImageFeature:
    """A network whose features are mean colors."""
    sizes = dict(clip=torch.nn.AdaptiveAvgPool3d(1)).get(take, torch.nn.AdaptiveAvgPool2d(1))
    net = torch.nn.Sequential(sizes, torch.nn.Flatten())
    unchanged = ((0, 0, 0), (1, 1, 1))
    return ImageFeature(name, fps, take, lambda: net, lambda image: image, '', normalization=unchanged)


@pytest.mark.parametrize(
    ('take', 'expected'),
    [('each', [0, 10, 20, 30, 40, 50, 60, 70]), ('mean', [15, 55]), ('clip', [15, 55])],
)
def test_what_becomes_of_the_images_of_a_second(take, expected):
    images = np.zeros((8, 6, 6, 3), np.uint8)
    images[..., 0] = 10 * np.arange(8)[:, None, None]
    out = ImageNetwork(tiny(take), None)(images)
    assert out.shape == (len(expected), 3)
    np.testing.assert_allclose(out[:, 0] * 255, expected, rtol=1e-5)
    assert not out[:, 1:].any()


def convolve(image: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """As Keras does: (H, W, in) with (3, 3, in, out), 'same', then ReLU."""
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    height, width = image.shape[:2]
    out = np.zeros((height, width, kernel.shape[3])) + bias
    for row in range(3):
        for column in range(3):
            out += padded[row : row + height, column : column + width] @ kernel[row, column]
    return np.maximum(out, 0)


def test_keras_weights_bring_keras_preprocessing(tmp_path):
    """Blue first, means of the three colors subtracted, nothing divided."""
    rng = np.random.default_rng(0)
    layers = dict(block1_conv1=(3, 4), block1_conv2=(4, 5), block2_conv1=(5, 6))
    weights = {
        name: (rng.standard_normal((3, 3, *channels)) / 9, rng.standard_normal(channels[1]))
        for name, channels in layers.items()
    }
    with h5py.File(tmp_path / 'vgg19.h5', 'w') as file:
        for name, (kernel, bias) in weights.items():
            file[f'{name}/{name}_W_1:0'], file[f'{name}/{name}_b_1:0'] = kernel, bias
        file['fc1/fc1_W_1:0'] = np.zeros((3, 3))
        file.create_group('block1_pool')

    def build() -> torch.nn.Module:
        return torchvision.models.vgg.make_layers([4, 5, 'M', 6])

    feature = dataclasses.replace(IMAGE_FEATURES['vgg19'], fps=1, build=build)
    image = rng.integers(0, 256, (8, 6, 3), np.uint8)
    out = ImageNetwork(feature, str(tmp_path / 'vgg19.h5'))(image[None])[0]
    x = image[..., ::-1] - np.array([103.939, 116.779, 123.68])
    x = convolve(convolve(x, *weights['block1_conv1']), *weights['block1_conv2'])
    x = convolve(x.reshape(4, 2, 3, 2, 5).max((1, 3)), *weights['block2_conv1'])
    np.testing.assert_allclose(out, x, rtol=1e-4, atol=1e-3)

    with h5py.File(tmp_path / 'vgg19.h5', 'a') as file:
        del file['block2_conv1']
    with pytest.raises(ValueError, match=r'vgg19\.h5 holds no weights of VGG-19'):
        ImageNetwork(feature, str(tmp_path / 'vgg19.h5'))
    (tmp_path / 'text.h5').write_text('no hdf5')
    with pytest.raises(ValueError, match=r'text\.h5: is no HDF5 file'):
        ImageNetwork(feature, str(tmp_path / 'text.h5'))


def test_random_weights_are_the_same_every_time():
    feature = dataclasses.replace(IMAGE_FEATURES['vgg19'], build=lambda: torch.nn.Conv2d(3, 2, 3))
    torch.manual_seed(5)
    first = ImageNetwork(feature, None).net.weight
    after = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(ImageNetwork(feature, None).net.weight, first)
    assert torch.equal(torch.rand(1), after)  # the caller's random numbers go on untouched
