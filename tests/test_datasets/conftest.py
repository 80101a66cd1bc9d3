import pytest
from mmengine.registry import init_default_scope
from tiny_clips import TinyClips
from tiny_mavd import CROP, TinyMAVD

from mmav.datasets import MAVDDataset


@pytest.fixture(autouse=True)
def mmdet_scope():
    init_default_scope('mmdet')


@pytest.fixture
def make_mavd(tmp_path):
    """Factory of unfinished data sets."""

    def make(name='data', **kwargs) -> TinyMAVD:
        root = tmp_path / name
        root.mkdir()
        return TinyMAVD(root, **kwargs)

    return make


@pytest.fixture
def tiny_mavd(make_mavd):
    """Four frames of two drives; the third has no vehicle, the fourth two."""
    data = make_mavd()
    data.add_frame('drive_0', time_of_day='day', motion='static')
    data.add_frame('drive_0', time_of_day='day', motion='static')
    data.add_frame('drive_1', boxes=(), time_of_day='night', motion='drive')
    boxes = ((10.0, 5.0, 20.0, 15.0), (100.0, 30.0, 40.0, 20.0))
    data.add_frame('drive_1', boxes=boxes, time_of_day='night', motion='drive')
    data.finish()
    return data


@pytest.fixture
def load_mavd():
    """Builds MAVDDataset on a tiny data set."""

    def load(data: TinyMAVD, pipeline=(), ann_file='annotations/train.json', **kwargs) -> MAVDDataset:
        kwargs.setdefault('crop', CROP)
        return MAVDDataset(ann_file=ann_file, data_root=str(data.root), pipeline=list(pipeline), **kwargs)

    return load


@pytest.fixture
def clips(tmp_path):
    """Three clips, of wav, flac and mp3."""
    data = TinyClips(tmp_path)
    data.add('aaaaaaaaaaa_000010')
    data.add('bbbbbbbbbbb_000020', audio_ext='flac', img_ext='png')
    data.add('ccccccccccc_000030', audio_ext='mp3')
    return data
