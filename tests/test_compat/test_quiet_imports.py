import subprocess
import sys
import warnings

import pytest

from mmav.compat import quiet_imports

pytestmark = pytest.mark.stack


def test_importing_mmav_prints_nothing_and_leaves_the_interpreter_alone():
    rare = {'librosa', 'av', 'h5py', 'pytorch_grad_cam'}  # by mmav or by mmdet
    program = (
        'import gc, sys, torchvision; before = set(sys.modules)\n'  # old ones import av themselves
        f'import mmav; print(gc.isenabled(), *({rare} & (set(sys.modules) - before)))'
    )
    result = subprocess.run([sys.executable, '-c', program], capture_output=True, text=True)
    assert (result.returncode, result.stdout, result.stderr) == (0, 'True\n', '')


def test_other_messages_come_through(capsys):
    with pytest.warns(UserWarning, match='yours') as caught, quiet_imports():
        print('Could not import OneDL. Skipping OneDL datasets.')
        print('Could not import OneDL.')
        print()
        sys.stdout.write('a line\nand the next\n')
        warnings.warn('faster_coco_eval is not installed, metrics will not be computed. Please', stacklevel=1)
        warnings.warn('pkg_resources is deprecated as an API. See', stacklevel=1)
        warnings.warn('yours', stacklevel=1)
    assert capsys.readouterr().out == 'Could not import OneDL.\n\na line\nand the next\n'
    assert len(caught) == 1
