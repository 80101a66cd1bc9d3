import numpy as np
import pytest
import torch
from rigs import make_rig

from mmav.calibration import collect_frames, usable_frames
from mmav.calibration.frames import STAGES
from mmav.datasets.labeled_sound import LabeledSound

BOX = np.array([[70.0, 30.0, 90.0, 50.0]])


def sound_of(waveform, boxes=BOX):
    return LabeledSound('drive_0', '0', waveform.astype(np.float32), 44100, boxes, '')


def test_usable_frames():
    rig = make_rig()
    cut, low = BOX - (70, 0, 70, 0), BOX - (0, -30, 0, -30)
    far = np.array([[70.0, 30.0, 90.0, 35.0]])  # 160 / 5 = 32 m
    boxes = [BOX, np.zeros((0, 4)), np.repeat(BOX, 3, 0), cut, low, far, np.repeat(BOX, 2, 0), BOX, BOX]
    assert usable_frames(rig, boxes) == [0, 6, 7, 8]
    assert usable_frames(rig, boxes, max_distance=40) == [0, 5, 6, 7, 8]
    assert usable_frames(rig, boxes, max_frames=2) == [0, 8]
    assert usable_frames(make_rig(ground=None), boxes) == [0, 5, 6, 7, 8]


def test_one_sound_in_all_channels_is_a_matrix_of_rank_one():
    noise = np.random.default_rng(0).standard_normal(44100) * 0.1
    gains = np.linspace(0.5, 1.5, 8)
    frames = collect_frames(make_rig(), [sound_of(gains[:, None] * noise)])
    expected = torch.from_numpy(np.outer(gains, gains) / (gains**2).sum()).to(torch.complex128)
    torch.testing.assert_close(frames.covariance, expected.expand_as(frames.covariance), atol=1e-6, rtol=0)
    torch.testing.assert_close(frames.total, torch.ones_like(frames.total), atol=1e-6, rtol=0)
    low, high, number = STAGES[0]
    stage = frames.bins(low, high, number)
    assert stage.frequencies.min() >= low - 11 and stage.frequencies.max() <= high + 11
    assert 10 <= len(stage.frequencies) <= number and stage.covariance.shape[1] == len(stage.frequencies)
    moved = stage.exchanged(0, 7).covariance
    assert (
        moved[0, 0, 0, 0] == stage.covariance[0, 0, 7, 7]
        and moved[0, 0, 0, 1] == stage.covariance[0, 0, 7, 1]
    )


def test_what_cannot_be_used_is_said():
    noise = np.random.default_rng(0).standard_normal((8, 44100)) * 0.1
    dead = noise * (np.arange(8) != 3)[:, None]
    with pytest.raises(ValueError, match='1 frames without 1 or 2 boxes; 1 frames with a silent channel'):
        collect_frames(make_rig(), [sound_of(noise, np.zeros((0, 4))), sound_of(dead)])
    with pytest.raises(ValueError, match='drive_0/0 has 7 channels, but the rig 8'):
        collect_frames(make_rig(), [sound_of(noise[:7])])
    with pytest.raises(ValueError, match='there is none'):
        collect_frames(make_rig(), [])
