"""The tools of videos and segments, given what they cannot use: one line that names it, and no traceback."""

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from mmav.apis import SegmentInferencer
from mmav.media.video import read_video_audio

TOOLS = Path(__file__).parents[2] / 'tools'
PARSER = dict(
    type='HybridAttentionParser',
    num_classes=25,
    audio_channels=3,
    visual_channels=3,
    visual_st_channels=None,
    embed_dims=8,
    feedforward_channels=8,
)
SEARCHER = dict(
    type='DCMR',
    direction='v2a',
    visual_channels=3,
    audio_channels=3,
    embed_dims=8,
    encoder=dict(num_heads=2, num_layers=1, feedforward_channels=8),
)


@pytest.fixture
def fail(tmp_path, monkeypatch):
    """Runs a tool with a model of random weights in a folder of features; gives what it exits with."""
    init_default_scope('mmdet')
    for tool, model in dict(parse_video=PARSER, localize_events=SEARCHER).items():
        Config(dict(model=model)).dump(tmp_path / f'{tool}.py')
        torch.save(dict(state_dict=MODELS.build(model).state_dict()), tmp_path / f'{tool}.pth')
    for name, segments in dict(audio=10, visual=10, long=15).items():
        np.save(tmp_path / f'{name}.npy', np.zeros((segments, 3), np.float32))
    monkeypatch.chdir(tmp_path)

    def run(tool: str, *arguments: str, checkpoint: str = '') -> str:
        words = [tool, f'{tool}.py', checkpoint or f'{tool}.pth', '--out-dir', 'out', '--device', 'cpu']
        monkeypatch.setattr(sys, 'argv', [*words, *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(TOOLS / f'{tool}.py'), run_name='__main__')
        assert not (tmp_path / 'out').exists()
        assert ended.value.code == 2
        return str(ended.value).removesuffix(' (--debug shows the traceback)')

    return run


def read_sound(path: Path) -> dict:
    """In the place of the feature networks, which would be downloaded."""
    return dict(audio=read_video_audio(path, 16000))


FEATURES = ('--features', 'audio=audio.npy')
QUERY = ('--query', '2', '5')
CASES = [
    ('parse_video', ('--videos', 'notes.txt'), 'notes.txt: is no video ('),
    ('parse_video', ('--videos', 'missing.mp4'), 'missing.mp4: the file is missing'),
    ('parse_video', (*FEATURES, 'visual=none.npy'), 'none.npy: the file is missing'),
    ('parse_video', (*FEATURES, 'visual=long.npy'), 'audio.npy: visual has 15 rows for 10 seconds'),
    (
        'parse_video',
        (*FEATURES, 'visual=visual.npy', '--threshold', '2'),
        'VideoParsingInferencer: threshold',
    ),
    ('localize_events', ('--videos', 'missing.mp4', *QUERY), 'missing.mp4: the file is missing'),
    ('localize_events', (*FEATURES, 'visual=long.npy', *QUERY), 'audio.npy: audio and images are of diff'),
    ('localize_events', (*FEATURES, 'visual=visual.npy'), 'audio.npy: DCMR needs a query'),
    (
        'localize_events',
        (*FEATURES, 'visual=visual.npy', '--query', '5', '2'),
        'audio.npy: the query must be',
    ),
    ('localize_events', (*FEATURES, 'visual=visual.npy', '--batch-size', '0'), 'EventInferencer: batch_size'),
]


@pytest.mark.parametrize(('tool', 'arguments', 'message'), CASES)
def test_bad_input_is_named(fail, monkeypatch, tool, arguments, message):
    monkeypatch.setattr(SegmentInferencer, 'use_extractor', lambda self: read_sound)
    text = fail(tool, *arguments)
    assert text.startswith(f'{tool}: {message}') and '\n' not in text


def test_checkpoint_and_config_are_named(fail):
    videos = ('--videos', 'missing.mp4')
    assert fail('parse_video', *videos, checkpoint='none.pth').endswith(
        "No such file or directory: 'none.pth'"
    )
    text = fail('parse_video', *videos, checkpoint='localize_events.pth')
    assert text.startswith('parse_video: localize_events.pth') and 'classifier' in text
    assert fail('parse_video', *videos, checkpoint='audio.npy').startswith('parse_video: audio.npy')
