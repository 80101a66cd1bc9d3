"""The tool on small videos, with networks whose features are mean colors."""

import importlib.util
import json
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from mmav.apis import SegmentFeatureExtractor
from mmav.features.image_networks import ImageFeature
from mmav.media.video import read_video_audio
from mmav.media.video_writer import write_video
from mmav.utils.errors import SampleError

TOOL = Path(__file__).parents[2] / 'tools' / 'extract_features.py'
RATE = 16000
NAMES = ['-hChcJAh5N0', 'RUhOCu3LNXM', 'MH3m4AwEcRY']


def colors(name: str, fps: int, maps: bool = False) -> ImageFeature:
    layers = [torch.nn.AdaptiveAvgPool2d(2 if maps else 1)] + ([] if maps else [torch.nn.Flatten()])
    net = torch.nn.Sequential(*layers)
    scaled = ((0, 0, 0), (1 / 255,) * 3)
    return ImageFeature(name, fps, 'mean', lambda: net, lambda p: p, '', normalization=scaled)


@pytest.fixture(scope='module')
def tool():
    spec = importlib.util.spec_from_file_location('extract_features', TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fast(tool, monkeypatch):
    """No VGGish, which takes seconds to make; sound is the mean of its images, too."""
    ave = dict(visual=colors('vgg19', 4, maps=True), audio=colors('vggish', 1))
    llp = dict(audio=colors('vggish', 1), visual=colors('resnet152', 2))
    monkeypatch.setattr(tool, 'FEATURES', dict(ave=ave, llp=llp))
    return tool


@pytest.fixture(scope='module')
def videos(tmp_path_factory):
    """Three videos of 2 s, number i of gray 40 + 40 i."""
    folder = tmp_path_factory.mktemp('data') / 'videos'
    for number, name in enumerate(NAMES):
        image = np.full((32, 32, 3), 40 + 40 * number, np.uint8)
        wave = np.random.default_rng(number).standard_normal(2 * RATE) * 0.1
        write_video(folder / f'{name}.mp4', [image] * 8, 4, wave, RATE, crf=0)
    (folder.parent / 'Annotations.txt').write_text(''.join(f'Bark&{name}&good&0&2\n' for name in NAMES))
    return folder


def arguments(layout: str, out: Path, videos: Path, *more: object) -> list[str]:
    networks = dict(ave=('vgg19', 'vggish'), llp=('vggish', 'resnet152'))[layout]
    weights = [f'{name}=none' for name in networks]
    common = (out, '--layout', layout, '--videos', videos, '--num-segments', 2, '--allow-untrained')
    return [str(part) for part in (*common, '--weights', *weights, *more)]


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob('*') if file.is_file()}


def test_layout_of_ave(fast, videos, tmp_path, capsys):
    options = ('--list', videos.parent / 'Annotations.txt')
    assert fast.main(arguments('ave', tmp_path, videos, *options)) == 0
    names = {'visual_feature.h5', 'visual_feature_vec.h5', 'audio_feature.h5'}
    assert set(snapshot(tmp_path)) == names
    data = {}
    for name in names:
        with h5py.File(tmp_path / name) as file:
            data[name] = file['avadataset'][()]
    assert data['visual_feature.h5'].shape == (3, 2, 2, 2, 3)
    assert data['visual_feature_vec.h5'].shape == data['audio_feature.h5'].shape == (3, 2, 3)
    for values in data.values():  # rows in the order of the list, not of the names
        np.testing.assert_allclose(values.reshape(3, -1).mean(1), [40, 80, 120], atol=1.5)
    before = {name: (tmp_path / name).stat().st_mtime_ns for name in names}
    assert fast.main(arguments('ave', tmp_path, videos, *options)) == 0  # finds them whole
    assert {name: (tmp_path / name).stat().st_mtime_ns for name in names} == before
    assert 'is whole already' in capsys.readouterr().out
    with pytest.raises(FileExistsError, match='num_segments: 2 there, 1 now'):
        fast.main(arguments('ave', tmp_path, videos, *options, '--num-segments', 1, '--other-length', 'fit'))


def test_layout_of_llp_with_vggish(tool, monkeypatch, videos, tmp_path):
    features = dict(audio='vggish', visual=colors('resnet152', 2))
    monkeypatch.setattr(tool, 'FEATURES', dict(llp=features))
    assert tool.main(arguments('llp', tmp_path, videos)) == 0
    written = {name for name in snapshot(tmp_path) if name.endswith('.npy')}
    assert written == {f'{folder}/{name}.npy' for folder in ('vggish', 'res152') for name in NAMES}
    extract = SegmentFeatureExtractor(dict(audio='vggish'), dict(vggish=None), allow_untrained=True)
    with torch.inference_mode():
        wave = torch.from_numpy(read_video_audio(videos / f'{NAMES[0]}.mp4', RATE))
        expected = extract.networks['audio'](wave, 2).numpy()
    found = np.load(tmp_path / 'vggish' / f'{NAMES[0]}.npy')
    assert found.shape == (2, 128) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize('listed', [True, False])
def test_two_files_of_one_clip(fast, tmp_path, listed):
    (tmp_path / 'videos').mkdir()
    for name in ('a.mp4', 'b.mp4', 'a.mkv'):
        (tmp_path / 'videos' / name).touch()
    (tmp_path / 'list.txt').write_text('a\nb\n')
    options = ('--list', tmp_path / 'list.txt') if listed else ()
    with pytest.raises(SampleError, match=r"/a\.m(p4|kv): .* that of \S+/a\.m(p4|kv): 'a'"):
        fast.main(arguments('llp', tmp_path / 'out', tmp_path / 'videos', *options))
    assert not (tmp_path / 'out').exists()


def test_a_stopped_run_carries_on(fast, videos, tmp_path, monkeypatch):
    fast.main(arguments('llp', tmp_path / 'whole', videos))
    original, seen = SegmentFeatureExtractor.__call__, []

    def watched(self, video, **options):
        seen.append((Path(video).stem, list(options['only'])))
        if len(seen) == 2:
            raise KeyboardInterrupt
        return original(self, video, **options)

    monkeypatch.setattr(SegmentFeatureExtractor, '__call__', watched)
    with pytest.raises(KeyboardInterrupt):
        fast.main(arguments('llp', tmp_path / 'stopped', videos))
    (tmp_path / 'stopped' / 'vggish' / f'{seen[0][0]}.npy').unlink()  # it was stopped between two files
    fast.main(arguments('llp', tmp_path / 'stopped', videos))
    both = ['audio', 'visual']
    first, second, third = sorted(NAMES)
    assert seen == [(first, both), (second, both), (first, ['audio']), (second, both), (third, both)]
    assert snapshot(tmp_path / 'stopped') == snapshot(tmp_path / 'whole')


def test_processes_share_the_clips(fast, videos, tmp_path, monkeypatch):
    fast.main(arguments('ave', tmp_path / 'alone', videos))
    parts = tmp_path / 'shared' / 'visual_feature.parts'
    finish = fast.finish
    monkeypatch.setattr(fast, 'finish', lambda *args: None)
    monkeypatch.setattr(fast, 'get_dist_info', lambda: (0, 2))
    fast.main(arguments('ave', tmp_path / 'shared', videos))
    assert {file.stem for file in parts.glob('*.npy')} == {sorted(NAMES)[0], sorted(NAMES)[2]}
    monkeypatch.setattr(fast, 'get_dist_info', lambda: (1, 2))
    (parts / f'{sorted(NAMES)[2]}.npy').unlink()  # two are left: this one does the second of them
    fast.main(arguments('ave', tmp_path / 'shared', videos))
    assert len(list(parts.glob('*.npy'))) == 2
    monkeypatch.setattr(fast, 'get_dist_info', lambda: (0, 1))
    monkeypatch.setattr(fast, 'finish', finish)
    fast.main(arguments('ave', tmp_path / 'shared', videos))
    for name in ('visual_feature', 'audio_feature', 'visual_feature_vec'):
        with (
            h5py.File(tmp_path / 'alone' / f'{name}.h5') as a,
            h5py.File(tmp_path / 'shared' / f'{name}.h5') as b,
        ):
            np.testing.assert_array_equal(a['avadataset'][()], b['avadataset'][()])


def test_clips_that_cannot_be_read_are_listed(fast, videos, tmp_path):
    names = ['missing0000', *NAMES, 'truncated00']
    source = tmp_path / 'videos'
    source.mkdir()
    for name in NAMES:
        (source / f'{name}.mp4').symlink_to(videos / f'{name}.mp4')
    (source / 'truncated00.mp4').write_bytes((videos / f'{NAMES[0]}.mp4').read_bytes()[:900])
    (tmp_path / 'names.txt').write_text('\n'.join(names))
    options = arguments(
        'ave', tmp_path / 'out', source, '--list', tmp_path / 'names.txt', '--suffix', '_noisy'
    )
    assert fast.main(options) == 1
    failed = json.loads((tmp_path / 'out' / 'failed_names.json').read_text())
    assert list(failed) == ['missing0000', 'truncated00']
    assert 'no such file' in failed['missing0000'] and 'truncated00.mp4' in failed['truncated00']
    assert not list((tmp_path / 'out').glob('*.h5'))
    assert fast.main([*options, '--zero-failed']) == 1
    with h5py.File(tmp_path / 'out' / 'visual_feature_noisy.h5') as file:
        filled = file['avadataset'][:, 0, 0, 0, 0] > 0
    assert filled.tolist() == [False, True, True, True, False]


def test_prepared_images_and_sound(fast, videos, tmp_path):
    import cv2
    import soundfile

    for number, name in enumerate(NAMES):
        (tmp_path / 'frames' / name).mkdir(parents=True)
        for index in range(4):
            image = np.full((20, 20, 3), 10 * number + index, np.uint8)
            cv2.imwrite(str(tmp_path / 'frames' / name / f'{index + 1:06d}.png'), image)
        soundfile.write(tmp_path / f'{name}.wav', np.zeros(2 * RATE), RATE)
    options = [*map(str, ('--frames', tmp_path / 'frames', '--frames-fps', 2, '--audio', tmp_path))]
    out = tmp_path / 'out'
    command = arguments('llp', out, videos, *options)
    del command[command.index('--videos') : command.index('--videos') + 2]
    assert fast.main(command) == 0
    found = np.load(out / 'res152' / f'{NAMES[1]}.npy')
    np.testing.assert_allclose(found[:, 0], [10.5, 12.5], rtol=1e-6)


@pytest.mark.parametrize(
    ('more', 'message'),
    [
        (('--frames', 'x'), '--frames needs --frames-fps'),
        (('--weights', 'vgg19'), 'pairs like vgg19=FILE'),
        (('--only', 'visual_st'), "ave has ['visual', 'audio'], not ['visual_st']"),
        (('--videos', 'elsewhere'), 'there is no folder elsewhere'),
        (('--list', 'elsewhere.txt'), 'there is no list elsewhere.txt'),
    ],
)
def test_mistakes_on_the_command_line(fast, videos, tmp_path, more, message, capsys):
    with pytest.raises(SystemExit):
        fast.main(arguments('ave', tmp_path, videos, *more))
    assert message in capsys.readouterr().err


def test_random_weights_need_permission(tool, videos, tmp_path):
    command = arguments('ave', tmp_path, videos)
    command.remove('--allow-untrained')
    with pytest.raises(ValueError, match=r"\['vgg19', 'vggish'\] would have random weights"):
        tool.main(command)
    assert not list(tmp_path.iterdir())
