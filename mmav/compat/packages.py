"""Checks of the installed OpenMMLab packages, made before any of them is imported.

MMEngine, MMCV, MMDetection and MMPretrain exist twice on the package index: as the upstream projects and as
their ``onedl-*`` continuation. Both install the same import names, so a second copy silently overwrites
files of the first. mmav works beside either family and asks pip for neither; the checks read which one is
there, and the commands in their messages are that family's. They read the metadata of the distributions, so
they speak before a half-broken package does.
"""

import importlib
import importlib.util
from dataclasses import dataclass
from importlib import metadata

from packaging.specifiers import SpecifierSet


@dataclass(frozen=True)
class Package:
    """An OpenMMLab package that mmav imports.

    Args:
        distributions: Names of all distributions that install it.
        versions: Versions of any of them that mmav works with, as pip writes them.
        requirements: What pip is asked for in each family; see :data:`FAMILIES`.
    """

    distributions: tuple[str, ...]
    versions: str
    requirements: dict[str, str]


FAMILIES = ('onedl', 'openmmlab')
PACKAGES = {
    'mmengine': Package(
        ('mmengine', 'mmengine-lite', 'onedl-mmengine'),
        '>=0.10.0,<1.0.0',
        {'onedl': 'onedl-mmengine>=0.10.8,!=0.10.11,<1', 'openmmlab': 'mmengine>=0.10.7,<1'},
    ),
    'mmcv': Package(
        ('mmcv', 'mmcv-lite', 'mmcv-full', 'onedl-mmcv'),
        '>=2.0.0,<2.4.0',
        {'onedl': 'onedl-mmcv>=2.3.4,<2.4', 'openmmlab': 'mmcv-lite>=2.0.0,<2.2'},
    ),
    'mmdet': Package(
        ('mmdet', 'onedl-mmdetection'),
        '>=3.3.0,<3.6.0',
        {'onedl': 'onedl-mmdetection>=3.4.5,<3.6', 'openmmlab': 'mmdet>=3.3.0,<3.4'},
    ),
    'mmpretrain': Package(
        ('mmpretrain', 'onedl-mmpretrain'),
        '>=1.2.0,<1.4.0',
        {'onedl': 'onedl-mmpretrain>=1.3.4,<1.4', 'openmmlab': 'mmpretrain>=1.2.0,<1.3'},
    ),
}
REQUIRED = ('mmengine', 'mmcv', 'mmdet')
# (distribution, version) that are within the ranges and broken all the same
BROKEN = {('onedl-mmengine', '0.10.11'): 'it lacks mmengine.dist'}


def installed_copies(name: str) -> dict[str, str]:
    """Distributions that install a package of :data:`PACKAGES` (import name), with their versions.

    A package without metadata, such as a folder on ``PYTHONPATH``, stands under its import name.
    """
    found = {}
    for distribution in PACKAGES[name].distributions:
        try:
            found[distribution] = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            continue
    if not found and importlib.util.find_spec(name) is not None:
        found[name] = importlib.import_module(name).__version__
    return found


def installed_family() -> str | None:
    """The one of :data:`FAMILIES` that most installed OpenMMLab packages are of; None where there is none."""
    names = [distribution for name in PACKAGES for distribution in installed_copies(name)]
    if not names:
        return None
    onedl = sum(name.startswith('onedl-') for name in names)
    return 'onedl' if onedl * 2 >= len(names) else 'openmmlab'


def install_command(name: str) -> str:
    """The shell command that installs a package of :data:`PACKAGES`, of the user's own family."""
    family = installed_family()
    if family is None:
        return 'pip install "mmav[onedl]", or for the upstream packages: pip install "mmav[openmmlab]"'
    return f'pip install "{PACKAGES[name].requirements[family]}"'


def compile_command() -> str:
    """The shell command that compiles mmcv's operators for the installed PyTorch."""
    found = installed_copies('mmcv')
    onedl = installed_family() != 'openmmlab'
    name = 'onedl-mmcv' if onedl else 'mmcv'
    wanted = f'{name}=={next(iter(found.values()))}' if found else name
    others = [distribution for distribution in found if distribution != name]
    uninstall = f'pip uninstall -y {" ".join(others)} && ' if others else ''
    return (
        f'{uninstall}pip install ninja psutil wheel "setuptools<81" && MMCV_WITH_OPS=1 pip install '
        f'--no-build-isolation --no-deps --force-reinstall --no-cache-dir --no-binary {name} "{wanted}"'
    )


def check_package(name: str, user: str = 'mmav') -> None:
    """Check one package: exactly one copy is installed, and mmav works with its version.

    Args:
        name: Import name, a key of :data:`PACKAGES`.
        user: What needs the package, for the message.

    Raises:
        ImportError: The package is missing, doubly installed, too old, too new or a broken release. The
            message holds the command that mends it.
    """
    found = installed_copies(name)
    if not found:
        raise ImportError(f'{user} needs {name}, which is not installed. Run: {install_command(name)}')
    mend = f'Run: pip uninstall -y {" ".join(found)} && {install_command(name)}'
    if len(found) > 1:
        copies = ' and '.join(f'{distribution} {version}' for distribution, version in found.items())
        raise ImportError(
            f'{copies} are installed over each other: both hold the package {name}, and what is imported is '
            f'a mixture. {mend}'
        )
    ((distribution, version),) = found.items()
    if (distribution, version) in BROKEN:
        raise ImportError(
            f'{distribution} {version} is a broken release: {BROKEN[distribution, version]}. {mend}'
        )
    versions = PACKAGES[name].versions
    if not SpecifierSet(versions).contains(version, prereleases=True):
        raise ImportError(
            f'mmav works with {name} {versions}, but {distribution} {version} is installed. {mend}'
        )


def check_packages() -> None:
    """Check MMEngine, MMCV and MMDetection; called by ``import mmav``.

    Raises:
        ImportError: See :func:`check_package`.
    """
    for name in REQUIRED:
        check_package(name)
