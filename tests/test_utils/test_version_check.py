import sys
from importlib import metadata

import pytest

from mmav.utils import version_check
from mmav.utils.version_check import check_environment, check_mmcv_ops, check_package


@pytest.fixture
def installed(monkeypatch) -> dict:
    """Distributions and versions that the metadata tells of, to be filled by the test."""
    distributions: dict = {}

    def version(name: str) -> str:
        if name not in distributions:
            raise metadata.PackageNotFoundError(name)
        return distributions[name]

    monkeypatch.setattr(version_check.metadata, 'version', version)
    return distributions


def test_this_environment_is_whole():
    assert check_environment() is None  # anything wrong would be raised


@pytest.mark.parametrize(
    'package, distributions',
    [
        ('mmengine', {'onedl-mmengine': '0.10.12'}),
        ('mmengine', {'mmengine': '0.10.7'}),
        ('mmcv', {'mmcv': '2.1.0'}),
        ('mmcv', {'onedl-mmcv': '2.3.6.post1'}),
        ('mmdet', {'mmdet': '3.3.0'}),
    ],
)
def test_accepted(installed, package, distributions):
    installed.update(distributions)
    assert check_package(package) is None  # a refused version would be raised


@pytest.mark.parametrize(
    'package, distributions, message, command',
    [
        ('mmdet', {}, 'not installed', 'pip install "onedl-mmdetection'),
        ('mmcv', {'mmcv': '1.7.2'}, 'mmcv >= 2.0.0, < 2.4.0, but mmcv 1.7.2', 'pip uninstall -y mmcv && '),
        ('mmcv', {'onedl-mmcv': '2.4.0'}, 'onedl-mmcv 2.4.0 is installed', 'pip uninstall -y onedl-mmcv'),
        (
            'mmengine',
            {'onedl-mmengine': '0.10.11'},
            'onedl-mmengine 0.10.11 is a broken release',
            '!=0.10.11',
        ),
        ('mmengine', {'mmengine': '1.0.0'}, 'mmengine 1.0.0', 'pip install "onedl-mmengine'),
        (
            'mmcv',
            {'mmcv': '2.1.0', 'onedl-mmcv': '2.3.6'},
            'mmcv 2.1.0 and onedl-mmcv 2.3.6 are installed over each other',
            'pip uninstall -y mmcv onedl-mmcv && ',
        ),
    ],
)
def test_refused_with_the_command_that_mends_it(installed, package, distributions, message, command):
    installed.update(distributions)
    with pytest.raises(ImportError) as caught:
        check_package(package)
    assert message in str(caught.value) and command in str(caught.value)


def test_missing_operators(monkeypatch):
    monkeypatch.delitem(sys.modules, 'mmcv._ext', raising=False)

    class NoExtension:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == 'mmcv._ext':
                raise ModuleNotFoundError(f'No module named {name!r}', name=name)

    monkeypatch.setattr(sys, 'meta_path', [NoExtension, *sys.meta_path])
    with pytest.raises(ImportError, match=r'no compiled operators.*--no-build-isolation'):
        check_mmcv_ops()


def test_operators_of_another_torch(monkeypatch):
    monkeypatch.delitem(sys.modules, 'mmcv._ext', raising=False)

    class WrongExtension:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name == 'mmcv._ext':
                raise ImportError('undefined symbol: _ZN3c10')

    monkeypatch.setattr(sys, 'meta_path', [WrongExtension, *sys.meta_path])
    with pytest.raises(ImportError, match=r'do not fit the installed torch .*undefined symbol'):
        check_mmcv_ops()
