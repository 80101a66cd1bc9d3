"""Checks of the installed OpenMMLab packages, made before any of them is imported.

MMEngine, MMCV and MMDetection exist twice on the package index: as the upstream projects and as their
``onedl-*`` continuation. Both install the same import names, so a second copy silently overwrites files of
the first. The checks read the metadata of the distributions only, so they speak before a half-broken package
does.
"""

import importlib
from importlib import metadata

from packaging.version import Version

# import name -> (distributions that install it, lowest version, first version that is too new)
REQUIREMENTS = {
    'mmengine': (('mmengine', 'mmengine-lite', 'onedl-mmengine'), '0.10.0', '1.0.0'),
    'mmcv': (('mmcv', 'mmcv-lite', 'mmcv-full', 'onedl-mmcv'), '2.0.0', '2.4.0'),
    'mmdet': (('mmdet', 'onedl-mmdetection'), '3.3.0', '3.6.0'),
}
# (distribution, version) that are within the ranges and broken all the same
BROKEN = {('onedl-mmengine', '0.10.11'): 'it lacks mmengine.dist'}
_INSTALL = {
    'mmengine': 'pip install "onedl-mmengine>=0.10.8,!=0.10.11"',
    'mmcv': 'pip install ninja psutil "setuptools<81" && '
    'pip install --no-build-isolation --force-reinstall --no-deps "onedl-mmcv>=2.3.4,<2.4"',
    'mmdet': 'pip install "onedl-mmdetection>=3.4.5,<3.6"',
}


def _installed(distributions: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for name in distributions:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def check_package(name: str) -> None:
    """Check one package: exactly one copy is installed, and its version is within the range.

    Args:
        name (str): Import name, a key of :data:`REQUIREMENTS`.

    Raises:
        ImportError: The package is missing, doubly installed, too old, too new or a broken release. The
            message holds the command that mends it.
    """
    distributions, lowest, upper = REQUIREMENTS[name]
    found = _installed(distributions)
    if not found:
        raise ImportError(f'mmav needs {name}, which is not installed. Run: {_INSTALL[name]}')
    if len(found) > 1:
        copies = ' and '.join(f'{dist} {version}' for dist, version in found.items())
        raise ImportError(
            f'{copies} are installed over each other: both hold the package {name}, and what is imported is '
            f'a mixture. Run: pip uninstall -y {" ".join(found)} && {_INSTALL[name]}'
        )
    (dist, version), *_ = found.items()
    if (dist, version) in BROKEN:
        raise ImportError(
            f'{dist} {version} is a broken release: {BROKEN[dist, version]}. '
            f'Run: pip uninstall -y {dist} && {_INSTALL[name]}'
        )
    if not Version(lowest) <= Version(version) < Version(upper):
        raise ImportError(
            f'mmav works with {name} >= {lowest}, < {upper}, but {dist} {version} is installed. '
            f'Run: pip uninstall -y {dist} && {_INSTALL[name]}'
        )


def check_mmcv_ops() -> None:
    """Check that MMCV holds its compiled operators and that they fit the installed PyTorch.

    Raises:
        ImportError: ``mmcv._ext`` is missing (a *lite* or failed build) or was built for another PyTorch.
    """
    torch = importlib.import_module('torch')  # the extension links against torch's libraries
    try:
        importlib.import_module('mmcv._ext')
    except ModuleNotFoundError as error:
        if error.name != 'mmcv._ext':
            raise
        raise ImportError(
            'the installed mmcv has no compiled operators (mmcv._ext): it is a lite version, or was built '
            f'without a C++ compiler. Compile it (about 10 minutes) with: {_INSTALL["mmcv"]}'
        ) from error
    except ImportError as error:
        raise ImportError(
            f'the compiled operators of mmcv do not fit the installed torch {torch.__version__} ({error}). '
            f'Compile them again (about 10 minutes) with: {_INSTALL["mmcv"]}'
        ) from error


def check_environment() -> None:
    """Check MMEngine, MMCV (with its operators) and MMDetection; called by ``import mmav``.

    Raises:
        ImportError: See :func:`check_package` and :func:`check_mmcv_ops`.
    """
    for name in REQUIREMENTS:
        check_package(name)
    check_mmcv_ops()
