from importlib import metadata

import pytest

from mmav.compat import packages
from mmav.compat.packages import check_package, check_packages, compile_command, installed_family

pytestmark = pytest.mark.stack

ONEDL = {'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6', 'onedl-mmdetection': '3.5.1'}
OPENMMLAB = {'mmengine': '0.10.7', 'mmcv-lite': '2.1.0', 'mmdet': '3.3.0'}


@pytest.fixture
def installed(monkeypatch) -> dict:
    """Distributions and versions that the metadata tells of, to be filled by the test."""
    distributions: dict = {}

    def version(name: str) -> str:
        if name not in distributions:
            raise metadata.PackageNotFoundError(name)
        return distributions[name]

    monkeypatch.setattr(packages.metadata, 'version', version)
    monkeypatch.setattr(packages.importlib.util, 'find_spec', lambda name: None)
    return distributions


def test_this_environment_is_whole():
    assert check_packages() is None  # anything wrong would be raised


@pytest.mark.parametrize(
    'package, distributions',
    [
        ('mmengine', {'onedl-mmengine': '0.10.12'}),
        ('mmengine', {'mmengine': '0.10.7'}),
        ('mmcv', {'mmcv': '2.1.0'}),
        ('mmcv', {'mmcv-lite': '2.1.0'}),
        ('mmcv', {'onedl-mmcv': '2.3.6.post1'}),
        ('mmdet', {'mmdet': '3.3.0'}),
        ('mmdet', {'onedl-mmdetection': '3.5.0rc1'}),
        ('mmpretrain', {'mmpretrain': '1.2.0'}),
    ],
)
def test_accepted(installed, package, distributions):
    installed.update(distributions)
    assert check_package(package) is None  # a refused version would be raised


@pytest.mark.parametrize(
    'package, distributions, message, command',
    [
        (
            'mmdet',
            {},
            'not installed',
            'pip install "mmav[onedl]", or for the upstream packages: pip install "mmav[',
        ),
        (
            'mmpretrain',
            ONEDL,
            'mmpretrain, which is not installed',
            'pip install "onedl-mmpretrain>=1.3.4,<1.4"',
        ),
        (
            'mmpretrain',
            OPENMMLAB,
            'mmpretrain, which is not installed',
            'pip install "mmpretrain>=1.2.0,<1.3"',
        ),
        (
            'mmcv',
            {**OPENMMLAB, 'mmcv-lite': '1.7.2'},
            'mmcv >=2.0.0,<2.4.0, but mmcv-lite 1.7.2',
            'pip uninstall -y mmcv-lite && pip install "mmcv-lite>=2.0.0,<2.2"',
        ),
        (
            'mmcv',
            {**ONEDL, 'onedl-mmcv': '2.4.0'},
            'onedl-mmcv 2.4.0 is installed',
            'pip uninstall -y onedl-mmcv && pip install "onedl-mmcv',
        ),
        (
            'mmengine',
            {**ONEDL, 'onedl-mmengine': '0.10.11'},
            'onedl-mmengine 0.10.11 is a broken release',
            '!=0.10.11',
        ),
        (
            'mmengine',
            {**OPENMMLAB, 'mmengine': '1.0.0'},
            'mmengine 1.0.0 is installed',
            'pip install "mmengine>=0.10.7,<1"',
        ),
        (
            'mmcv',
            {**ONEDL, 'mmcv-lite': '2.1.0'},
            'mmcv-lite 2.1.0 and onedl-mmcv 2.3.6 are installed over each other',
            'pip uninstall -y mmcv-lite onedl-mmcv && pip install "onedl-mmcv',
        ),
        (
            'mmdet',
            {**OPENMMLAB, 'onedl-mmdetection': '3.5.1'},
            'mmdet 3.3.0 and onedl-mmdetection 3.5.1 are installed over each other',
            'pip install "mmdet>=3.3.0,<3.4"',
        ),
    ],
)
def test_refused_with_the_command_of_the_users_family(installed, package, distributions, message, command):
    installed.update(distributions)
    with pytest.raises(ImportError) as caught:
        check_package(package)
    assert message in str(caught.value) and command in str(caught.value)


@pytest.mark.parametrize(
    'distributions, family, command',
    [
        (ONEDL, 'onedl', '--no-binary onedl-mmcv "onedl-mmcv==2.3.6"'),
        (OPENMMLAB, 'openmmlab', '--no-binary mmcv "mmcv==2.1.0"'),
        ({}, None, '--no-binary onedl-mmcv "onedl-mmcv"'),
    ],
)
def test_family_and_command_that_compiles(installed, distributions, family, command):
    installed.update(distributions)
    assert installed_family() == family and compile_command().endswith(command)
    assert ('pip uninstall -y mmcv-lite && ' in compile_command()) == (family == 'openmmlab')


def test_a_package_without_metadata_is_asked_itself(monkeypatch, tmp_path):
    """A clone of MMDetection on PYTHONPATH has no distribution."""

    def version(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    (tmp_path / 'a_clone.py').write_text("__version__ = '3.2.0'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(packages.metadata, 'version', version)
    monkeypatch.setitem(packages.PACKAGES, 'a_clone', packages.PACKAGES['mmdet'])
    with pytest.raises(ImportError, match=r'a_clone 3\.2\.0 is installed'):
        check_package('a_clone')
