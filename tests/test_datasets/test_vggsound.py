import cv2
import numpy as np
import pytest
import soundfile
from mmdet.registry import DATASETS
from tiny_clips import RATE, tear

from mmav.datasets import SampleError, VGGSoundDataset

PIPELINE = [dict(type='LoadClipFrame'), dict(type='LoadAudioSegment', sample_rate=RATE, duration=1.0)]
STOCK = [dict(type='LoadImageFromFile'), *PIPELINE[1:]]
STEMS = ['aaaaaaaaaaa_000010', 'bbbbbbbbbbb_000020', 'ccccccccccc_000030']


@pytest.fixture
def log(monkeypatch):
    lines = []
    monkeypatch.setattr('mmav.datasets.verification.print_log', lambda text, *_: lines.append(text))
    return lines


def load(clips, pipeline=(), **kwargs):
    return VGGSoundDataset(data_root=str(clips.root), pipeline=list(pipeline), serialize_data=False, **kwargs)


def test_every_pair_of_the_folders(clips):
    dataset = load(clips, PIPELINE)
    assert [dataset[i]['clip'] for i in range(len(dataset))] == STEMS
    for i in range(3):
        sample = dataset[i]
        assert sample['img_id'] == i and sample['category'] is None and sample['split'] is None
        np.testing.assert_array_equal(sample['img'], cv2.imread(sample['img_path']))
        expected, rate = soundfile.read(sample['audio_path'], dtype='float32')
        assert rate == RATE
        np.testing.assert_allclose(sample['audio'], expected, atol=1e-6)
        assert sample['audio_path'].endswith(('wav', 'flac', 'mp3')[i])


@pytest.mark.parametrize(
    ('name', 'text'), [('a.txt', '{2}\n\n {0} \n'), ('a.csv', '{2},horse\n{0},"x, y"\n')]
)
def test_list_of_stems_gives_clips_and_order(clips, name, text):
    dataset = load(clips, split_file=clips.write(name, text.format(*STEMS)))
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [info['clip'] for info in infos] == [STEMS[2], STEMS[0]]
    assert {info['split'] for info in infos} == {'a'}


def test_missing_pairs_are_counted(clips, log):
    clips.add('no_sound', audio_ext=None)
    clips.add('no_image', img_ext=None)
    listed = clips.write('list.txt', '\n'.join([*STEMS, 'no_sound', 'no_image', 'neither', STEMS[0]]))
    dataset = load(clips, split_file=listed)
    assert len(dataset) == 3
    assert dataset.left_out == {'without an image': 2, 'without a sound': 1, 'listed twice': 1}
    assert log == ['list.txt: 3 clips; left out: 1 listed twice, 2 without an image, 1 without a sound']
    # ids are places in the list, so that they do not depend on which clips a machine has
    listed = clips.write('list.txt', '\n'.join(['neither', *STEMS]))
    assert load(clips, split_file=listed).get_data_info(0)['img_id'] == 1


def test_missing_pairs_are_an_error_by_option(clips):
    listed = clips.write('list.txt', '\n'.join([*STEMS, 'gone']))
    with pytest.raises(SampleError, match=r'list\.txt: 1 of 4 clips lack an image \(gone\)'):
        load(clips, split_file=listed, on_missing='raise')


def test_nothing_left_or_nothing_there(clips, tmp_path):
    with pytest.raises(SampleError, match=r'no clip is left; left out: 1 without an image'):
        load(clips, split_file=clips.write('list.txt', 'gone'))
    with pytest.raises(SampleError, match='stills: the folder cannot be listed'):
        load(clips, data_prefix=dict(img='stills'))
    with pytest.raises(SampleError, match=r'gone\.txt: the file is missing'):
        load(clips, split_file='gone.txt')


def spoil(clips, fault):
    folder, stem, extension = {
        'truncated wav': ('audio', STEMS[0], 'wav'),
        'truncated flac': ('audio', STEMS[1], 'flac'),
        'truncated mp3': ('audio', STEMS[2], 'mp3'),
        'empty mp3': ('audio', STEMS[2], 'mp3'),
        'truncated jpg': ('frames', STEMS[0], 'jpg'),
        'truncated png': ('frames', STEMS[1], 'png'),
        'empty jpg': ('frames', STEMS[2], 'jpg'),
        'no jpg': ('frames', STEMS[2], 'jpg'),
    }[fault]
    path = clips.path(folder, stem, extension)
    if fault.startswith('truncated'):
        tear(path)
    else:
        path.write_bytes(b'' if fault.startswith('empty') else b'not an image' * 20)
    return path, STEMS.index(stem)


FAULTS = [f'truncated {suffix}' for suffix in ('wav', 'flac', 'mp3', 'jpg', 'png')]
FAULTS += ['empty mp3', 'empty jpg', 'no jpg']


@pytest.mark.parametrize('fault', FAULTS)
@pytest.mark.parametrize('pipeline', [PIPELINE, STOCK], ids=['ours', 'stock'])
def test_broken_file_is_named_and_never_replaced(clips, fault, pipeline):
    path, index = spoil(clips, fault)
    dataset = load(clips, pipeline)
    for _ in range(3):  # mmengine would draw another clip after a failure
        with pytest.raises(SampleError, match=str(path)):
            dataset[index]
    assert [dataset[i]['clip'] for i in range(3) if i != index] == [
        s for i, s in enumerate(STEMS) if i != index
    ]


@pytest.mark.parametrize('fault', FAULTS)
def test_broken_file_is_left_out_by_option(clips, fault, log):
    path, index = spoil(clips, fault)
    dataset = load(clips, PIPELINE, on_error='skip')
    kept = [stem for i, stem in enumerate(STEMS) if i != index]
    assert [dataset[i]['clip'] for i in range(len(dataset))] == kept
    assert dataset.left_out['unreadable'] == 1
    assert log[0].startswith(f'left out: {path}: ') and log[1].endswith('2 clips; left out: 1 unreadable')
    with pytest.raises(SampleError, match=f'1 of 3 clips cannot be used: {path}'):
        load(clips, verify=True)


def test_transform_that_gives_nothing_is_an_error(clips):
    dataset = load(clips, [lambda results: None])
    with pytest.raises(SampleError, match=f'gave nothing for clip {STEMS[1]}'):
        dataset[1]


def test_classes_as_published(clips):
    rows = 'aaaaaaaaaaa,10,"cattle, bovinae cowbell",train\nccccccccccc,30,bee,test\nddddddddddd,0,ant,test\n'
    dataset = load(clips, class_file=clips.write('vggsound.csv', rows))
    infos = [dataset.get_data_info(i) for i in range(3)]
    assert dataset.metainfo['classes'] == ('ant', 'bee', 'cattle, bovinae cowbell')
    assert [info['category'] for info in infos] == ['cattle, bovinae cowbell', None, 'bee']
    assert [info.get('gt_label') for info in infos] == [2, None, 1]
    assert [info['split'] for info in infos] == ['train', None, 'test']
    pairs = clips.write('classes.csv', f'{STEMS[0]},bee\n{STEMS[1]},ant\n')
    assert load(clips, class_file=pairs).get_data_info(1)['gt_label'] == 0
    with pytest.raises(SampleError, match="'ant' is not in metainfo"):
        load(clips, class_file=pairs, metainfo=dict(classes=('bee',)))
    with pytest.raises(SampleError, match=r'bad\.csv, line 2'):
        load(clips, class_file=clips.write('bad.csv', 'aaaaaaaaaaa,10,bee,train\naaaaaaaaaaa,x,bee,train\n'))


def test_sound_from_the_video(clips):
    (clips.root / 'videos').mkdir()
    for stem in STEMS[:2]:
        clips.path('videos', stem, 'mp4').write_bytes(b'')
    dataset = load(clips, from_video=True)
    info = dataset.get_data_info(1)
    assert len(dataset) == 2 and 'audio_path' not in info
    assert info['video_path'] == str(clips.path('videos', STEMS[1], 'mp4'))


def test_arguments(clips):
    with pytest.raises(ValueError, match="on_missing must be 'raise' or 'skip'"):
        load(clips, on_missing='ignore')
    with pytest.raises(ValueError, match='leave verify alone'):
        load(clips, on_error='skip', verify=False)
    with pytest.raises(ValueError, match=r"unknown data_prefix \['image'\]"):
        load(clips, data_prefix=dict(image='frames'))
    with pytest.raises(ValueError, match='take VGGSSDataset'):
        load(clips, ann_file='vggss.json')


def test_is_built_from_a_config_which_stays_as_it_is(clips):
    config = dict(type='VGGSoundDataset', data_root=str(clips.root), pipeline=PIPELINE, indices=2)
    before = str(config)
    assert len(DATASETS.build(config)) == 2
    assert str(config) == before


def test_suffixes_in_any_case_without_what_a_system_leaves(clips):
    for folder in ('audio', 'frames'):
        for path in list((clips.root / folder).iterdir()):
            (path.parent / f'._{path.name}').write_bytes(b'\0\5\26\7')  # macOS
            path.rename(path.with_suffix(path.suffix.upper()))
        (clips.root / folder / '.DS_Store').write_bytes(b'')
    dataset = load(clips, PIPELINE, on_missing='raise')
    assert [dataset[index]['clip'] for index in range(len(dataset))] == STEMS


@pytest.mark.parametrize('name', ['list.txt', 'list.csv'])
def test_lists_with_a_byte_order_mark(clips, name):
    line = '{},dog\n' if name.endswith('csv') else '{}\n'
    clips.write(name, '\ufeff' + ''.join(line.format(stem) for stem in STEMS))
    assert [info['clip'] for info in map(load(clips, split_file=name).get_data_info, range(3))] == STEMS
