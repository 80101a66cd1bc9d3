"""VGGish: the public port's names and shapes, its rows for clips of any length, and the postprocessing."""

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.registry import init_default_scope

from mmav.models.backbones import VGGish
from mmav.models.backbones.vggish import pca_quantize

# names and shapes in the port's published file
SHAPES = {
    'features.0': (64, 1, 3, 3),
    'features.3': (128, 64, 3, 3),
    'features.6': (256, 128, 3, 3),
    'features.8': (256, 256, 3, 3),
    'features.11': (512, 256, 3, 3),
    'features.13': (512, 512, 3, 3),
    'embeddings.0': (4096, 12288),
    'embeddings.2': (4096, 4096),
    'embeddings.4': (128, 4096),
}
SECOND = 16000


@pytest.fixture(scope='module')
def vggish():
    init_default_scope('mmdet')
    torch.manual_seed(0)
    model = MODELS.build(dict(type='VGGish'))
    model.init_weights()
    return model.eval()


def noise(seconds: float, clips: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(clips, round(seconds * SECOND), generator=generator) * 0.1


def test_names_and_shapes_of_the_public_port(vggish):
    expected = {f'{name}.weight': shape for name, shape in SHAPES.items()}
    expected |= {f'{name}.bias': shape[:1] for name, shape in SHAPES.items()}
    assert {name: tuple(value.shape) for name, value in vggish.state_dict().items()} == expected
    assert sum(value.numel() for value in vggish.parameters()) == 72_141_184


def test_reads_the_ports_file_strictly(vggish, tmp_path):
    file = str(tmp_path / 'vggish.pth')
    weights = {name: torch.full_like(value, 0.5) for name, value in list(vggish.state_dict().items())[:12]}
    with pytest.raises(ValueError, match='checkpoint or init_cfg'):
        VGGish(checkpoint=file, init_cfg=dict(type='Xavier'))
    torch.save(weights, file)
    with torch.device('meta'):  # nothing is loaded: the names are looked at first
        model = VGGish(checkpoint=file)
    with pytest.raises(RuntimeError, match=r'missing: embeddings\.0\.weight'):
        model.init_weights()


def test_takes_every_weight_of_the_ports_file(vggish, monkeypatch):
    port = {name: torch.full_like(value, 0.25) for name, value in vggish.state_dict().items()}
    port['pproc.pca_means'] = torch.zeros(128, 1)  # where the port was saved as a whole
    monkeypatch.setattr('mmav.models.backbones.vggish.read_checkpoint', lambda path: port)
    model = VGGish(checkpoint='vggish.pth')
    model.init_weights()
    assert all((value == 0.25).all() for value in model.parameters())


@pytest.mark.parametrize(
    ('seconds', 'rows'),
    [
        (10, 10),
        (10.02, 10),
        (9.98, 10),
        (10.5, 11),
        (10.49, 10),
        (3.3, 3),
        (1, 1),
        (0.96, 1),
        (0.2, 1),
        (60, 60),
    ],
)
def test_a_row_for_every_second(vggish, seconds, rows):
    assert vggish.num_segments(round(seconds * SECOND)) == rows
    assert vggish.examples(noise(seconds)).shape == (1, rows, 96, 64)


def test_each_second_is_heard_for_itself(vggish):
    """The examples of a clip are those of its seconds one by one, to the last bit of the sound."""
    clip = noise(3, clips=2)
    whole = vggish.examples(clip)
    for second in range(3):
        alone = vggish.examples(clip[:, second * SECOND : (second + 1) * SECOND])
        torch.testing.assert_close(whole[:, second], alone[:, 0])


def test_missing_sound_is_silence_and_more_is_left_out(vggish):
    clip = noise(2.3)
    examples = vggish.examples(clip, num_segments=4)
    assert examples.shape[1] == 4
    torch.testing.assert_close(examples[:, :2], vggish.examples(clip[:, : 2 * SECOND]))
    quiet = np.log(0.01)
    np.testing.assert_allclose(examples[0, 2, 32:].numpy(), quiet, rtol=1e-6)
    assert (examples[0, 2, :28] > quiet + 0.1).any(1).all()
    np.testing.assert_allclose(examples[0, 3].numpy(), quiet, rtol=1e-6)
    torch.testing.assert_close(vggish.examples(clip, num_segments=1), examples[:, :1])


@pytest.mark.parametrize(
    ('samples', 'rows'), [(15600, 1), (30959, 1), (30960, 2), (10 * SECOND, 10), (60 * SECOND, 62)]
)
def test_examples_back_to_back_as_the_port_cuts_them(samples, rows):
    with torch.device('meta'):
        model = VGGish(framing='examples')
    assert model.num_segments(samples) == rows  # whole groups of 96 among 1 + (L - 400) // 160 frames
    with pytest.raises(ValueError, match='needs 15600'):
        model.num_segments(15599)


def test_examples_follow_each_other(vggish):
    clip = noise(2)
    frames = vggish.log_mel(clip)
    vggish.framing = 'examples'
    try:
        examples = vggish.examples(clip)
    finally:
        vggish.framing = 'seconds'
    assert examples.shape == (1, 2, 96, 64)
    torch.testing.assert_close(examples.flatten(1, 2), frames[:, :192])


def test_order_in_which_the_maps_are_flattened(vggish):
    """Value (frame t, band f, channel c) of the last 6 x 4 x 512 maps is number (4 t + f) 512 + c."""
    maps = torch.rand(2, 512, 6, 4)
    original = vggish.features, vggish.embeddings
    try:
        vggish.features, vggish.embeddings = torch.nn.Identity(), torch.nn.Identity()
        flat = vggish.embed(maps)
    finally:
        vggish.features, vggish.embeddings = original
    for time, band, channel in ((0, 0, 0), (5, 3, 511), (2, 1, 7)):
        assert torch.equal(flat[:, (4 * time + band) * 512 + channel], maps[:, channel, time, band])


def test_embeddings_of_a_batch(vggish):
    clips = noise(2, clips=2)
    with torch.inference_mode():
        out = vggish(clips)
        assert out.shape == (2, 2, 128) and (out >= 0).all() and out.any()
        torch.testing.assert_close(vggish(clips[1]), out[1])
        port = vggish.embed(vggish.examples(clips)[0][:, None])  # (N, 1, 96, 64), as the port's examples are
    torch.testing.assert_close(port, out[0])


def test_what_it_cannot_take_is_named(vggish):
    with pytest.raises(ValueError, match='0 samples'):
        vggish(torch.zeros(1, 0))
    with pytest.raises(ValueError, match='mono waveforms'):
        vggish(torch.zeros(1, 2, SECOND))
    for bad in (dict(framing='frames'), dict(postprocess='whiten', pca_params='x'), dict(postprocess='pca')):
        with pytest.raises(ValueError, match='VGGish'):
            VGGish(**bad)


def parameters() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return dict(pca_eigen_vectors=rng.standard_normal((128, 128)) / 8, pca_means=rng.standard_normal(128))


@pytest.mark.parametrize('kind', ['npz', 'pth', 'pth of tensors'])
def test_postprocessing_follows_its_description(kind, tmp_path):
    """Whitened, cut to -2..2 and spread over 0..255, value by value."""
    values = parameters()
    if kind == 'npz':
        file = tmp_path / 'pca.npz'
        np.savez(file, **values)
    else:  # the port keeps arrays, and its means as a column
        file, content = tmp_path / 'pca.pth', dict(values, pca_means=values['pca_means'][:, None])
        if 'tensors' in kind:
            content = {name: torch.from_numpy(value) for name, value in content.items()}
        torch.save(content, file)
    with torch.device('meta'):
        model = VGGish(postprocess='quantize', pca_params=str(file))
    assert not [name for name in model.state_dict() if 'pca' in name]
    embeddings = np.random.default_rng(1).standard_normal((3, 128))
    expected = np.empty((3, 128))
    for row, embedding in enumerate(embeddings):
        for number, direction in enumerate(values['pca_eigen_vectors']):
            expected[row, number] = sum(direction * (embedding - values['pca_means']))
    tensors = torch.from_numpy(embeddings), model.pca_eigen_vectors.double(), model.pca_means.double()
    np.testing.assert_allclose(pca_quantize(*tensors, quantize=False), expected, atol=1e-5)
    quantized = pca_quantize(*tensors).numpy()
    assert quantized.min() == 0 and quantized.max() == 255
    np.testing.assert_allclose(quantized, np.round((np.clip(expected, -2, 2) + 2) * 63.75), atol=1e-9)


def test_a_file_without_the_parameters_is_named(tmp_path):
    torch.save(dict(pca_means=torch.zeros(128)), tmp_path / 'other.pth')
    with pytest.raises(ValueError, match=r'other\.pth is no PCA parameter file'):
        VGGish(postprocess='pca', pca_params=str(tmp_path / 'other.pth'))
