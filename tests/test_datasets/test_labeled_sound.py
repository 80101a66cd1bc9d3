import numpy as np
import pytest
from tiny_mavd import CROP, TinyMAVD

from mmav.datasets.labeled_sound import boxes_of_frames, labeled_sound_dataset, labeled_sounds
from mmav.utils.errors import SampleError


def test_sounds_and_boxes_are_those_of_the_files(tmp_path):
    tiny = TinyMAVD(tmp_path, modalities=('rgb',))
    tiny.add_frame(boxes=((30.0, 20.0, 40.0, 30.0), (1.0, 2.0, 3.0, 4.0)))
    tiny.add_frame('drive_1', boxes=())
    tiny.annotations[1]['score'] = 0.2
    root = tiny.finish()
    dataset = labeled_sound_dataset('annotations/train.json', str(root), crop=CROP)
    first, second = labeled_sounds(dataset)
    np.testing.assert_array_equal(first.waveform, tiny.sounds[0] / np.float32(32768))
    np.testing.assert_array_equal(first.bboxes, [[30, 20, 70, 50], [1, 2, 4, 6]])
    assert (first.drive, second.drive, first.sample_rate) == ('drive_0', 'drive_1', 44100)
    assert second.bboxes.shape == (0, 4) and first.img_path.endswith('.jpg')
    (only,) = labeled_sounds(dataset, [0], min_score=0.5)
    np.testing.assert_array_equal(only.bboxes, [[30, 20, 70, 50]])
    assert [len(boxes) for boxes in boxes_of_frames(dataset, 0.5)] == [1, 0]


def test_a_missing_microphone_is_an_error(tmp_path):
    tiny = TinyMAVD(tmp_path, modalities=('rgb',))
    frame_id = tiny.add_frame()
    (tmp_path / f'drive_0/audio/audio_3_{frame_id}.wav').unlink()
    dataset = labeled_sound_dataset(str(tiny.finish() / 'annotations/train.json'), str(tmp_path), crop=CROP)
    with pytest.raises(SampleError, match=f'audio_3_{frame_id}'):
        next(labeled_sounds(dataset))
