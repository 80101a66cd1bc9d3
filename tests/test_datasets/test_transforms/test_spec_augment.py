import numpy as np
import pytest
import torch

from mmav.datasets.transforms import SpecAugment, mask_spectrogram


@pytest.fixture
def spectrogram():
    return torch.rand(3, 8, 80, 173, generator=torch.Generator().manual_seed(0)) * 60 - 70


def test_masks_are_whole_bands_and_instants_of_all_microphones(spectrogram):
    torch.manual_seed(0)
    out = mask_spectrogram(spectrogram, 2, 8, 2, 20, fill=-80.0)
    changed = out != spectrogram
    assert (out[changed] == -80).all()
    for clip in changed:
        assert (clip == clip[:1]).all()
        bands, instants = clip[0].all(1), clip[0].all(0)
        assert torch.equal(clip[0], bands[:, None] | instants[None])
        assert 0 < bands.sum() <= 16 and 0 < instants.sum() <= 40
    assert not torch.equal(changed[0], changed[1])


def test_default_fill_is_the_clips_minimum(spectrogram):
    torch.manual_seed(0)
    out = mask_spectrogram(spectrogram)
    for before, after in zip(spectrogram, out):
        assert (after[after != before] == before.min()).all()


def test_nothing_to_mask(spectrogram):
    assert torch.equal(mask_spectrogram(spectrogram, prob=0.0), spectrogram)
    assert torch.equal(mask_spectrogram(spectrogram, 0, 8, 0, 20), spectrogram)


def test_masks_wider_than_the_spectrogram():
    torch.manual_seed(0)
    assert mask_spectrogram(torch.zeros(1, 2, 4, 5), 3, 100, 3, 100).shape == (1, 2, 4, 5)


def test_transform_is_the_function(spectrogram):
    torch.manual_seed(3)
    expected = mask_spectrogram(spectrogram[:1], freq_mask_width=30)[0].numpy()
    torch.manual_seed(3)
    out = SpecAugment(freq_mask_width=30)(dict(spectrogram=spectrogram[0].numpy()))
    np.testing.assert_array_equal(out['spectrogram'], expected)


def test_waveforms_are_referred_to_the_data_preprocessor():
    with pytest.raises(KeyError, match='AudioVisualDataPreprocessor'):
        SpecAugment()(dict(audio=np.zeros((8, 10))))


@pytest.mark.parametrize('kwargs', [dict(prob=2), dict(num_freq_masks=-1)])
def test_bad_arguments(kwargs):
    with pytest.raises(ValueError):
        SpecAugment(**kwargs)
    with pytest.raises(TypeError):
        SpecAugment(masks=2)
