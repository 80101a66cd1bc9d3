"""Every command ends in one line and exit status 2 where a file is missing."""

import runpy
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / 'tools'
CONFIG = str(TOOLS.parent / 'configs/avd/faster_rcnn_r18_sim_audio.py')
COMMANDS = {
    'train': ['none.py'],
    'test': ['none.py', 'none.pth'],
    'detect': ['a.wav', CONFIG, 'none.pth'],
    'track': [CONFIG, 'none.pth', '--recordings', 'a.wav', '--out-dir', 'out'],
    'live': [CONFIG, 'none.pth', '--file', 'a.wav'],
    'localize_sound': [CONFIG, 'none.pth', '--videos', 'a.mp4', '--out-dir', 'out'],
    'localize_events': [CONFIG, 'none.pth', '--videos', 'a.mp4', '--out-dir', 'out'],
    'parse_video': [CONFIG, 'none.pth', '--videos', 'a.mp4', '--out-dir', 'out'],
    'extract_features': ['out', '--layout', 'ave', '--videos', 'none'],
    'extract_teacher_embeddings': ['none.py', 'out'],
    'write_avg_representations': ['none.py', 'none.pth', 'none', 'out'],
    'analysis/activation_map': [
        'out.png',
        '--network',
        'rgb',
        'none.py',
        'none.pth',
        '--data-root',
        'none',
        '--ann-file',
        'none',
    ],
    'analysis/browse_dataset': ['none.py'],
    'analysis/calibrate_array': ['none', '--out', 'out.json'],
    'analysis/check_rig': ['none.json', '--output-dir', 'out'],
    'analysis/compare_onnx': [CONFIG, 'none.pth', 'none.onnx'],
    'analysis/mean_box_baseline': ['none.json', 'none.json'],
    'dataset_converters/convert_mavd_audio': ['none'],
    'dataset_converters/mavd_pseudo_labels': [
        'out',
        '--teacher',
        'rgb',
        'none.py',
        'none.pth',
        '--data-root',
        'none',
        '--ann-file',
        'none',
    ],
    'dataset_converters/prepare_clips': ['none', 'out'],
    'dataset_converters/prepare_mavd': ['none', 'out'],
    'dataset_converters/simulate_ave': ['file/out'],
    'dataset_converters/simulate_clips': ['file/out'],
    'dataset_converters/simulate_llp': ['file/out'],
    'dataset_converters/simulate_mavd': ['file/out'],
    'model_converters/convert_official': ['efficientdet_d2_audio', 'none.pth', 'out.pth'],
    'model_converters/export_onnx': [CONFIG, 'none.pth', 'out.onnx'],
    'model_converters/strip_visual': ['none.pth', 'out.pth'],
}


def test_all_commands_are_here():
    files = [file for file in TOOLS.rglob('*.py') if 'demos' not in file.parts]
    names = {str(file.relative_to(TOOLS).with_suffix('')) for file in files}
    assert set(COMMANDS) == names - {'dataset_converters/tool_server'}  # which the others import


@pytest.mark.parametrize('tool', COMMANDS)
def test_missing_files_end_in_one_line(tmp_path, monkeypatch, capsys, tool):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'file').touch()
    for name in ('OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'MKL_NUM_THREADS'):
        monkeypatch.setenv(name, '1')
    monkeypatch.setattr('sys.argv', [f'{tool}.py', *COMMANDS[tool]])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TOOLS / f'{tool}.py'), run_name='__main__')
    lines = capsys.readouterr().err.strip().splitlines()
    assert ended.value.code == 2 and lines, tool
    assert 'none' in lines[-1] or 'a.mp4' in lines[-1] or 'file' in lines[-1], lines
