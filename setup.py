"""Installs mmav; configs and tools travel in ``mmav/.mim`` so that ``mim`` finds them."""

import os
import runpy
import shutil
import sys
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
MIM_ENTRIES = ('configs', 'tools')


def read_version() -> str:
    return runpy.run_path(str(ROOT / 'mmav' / 'version.py'))['__version__']


def read_requirements(name: str) -> list:
    lines = (line.split('#')[0].strip() for line in (ROOT / name).read_text().splitlines())
    return [line for line in lines if line and not line.startswith('-r')]


def openmmlab_extras() -> dict:
    """The extras ``onedl`` and ``openmmlab``: a whole OpenMMLab for those who have none.

    They are no requirements of mmav: pip would install one family over the other.
    """
    scope = runpy.run_path(str(ROOT / 'mmav' / 'compat' / 'packages.py'))
    return {
        family: [package.requirements[family] for package in scope['PACKAGES'].values()]
        for family in scope['FAMILIES']
    }


def add_mim_files() -> None:
    """Put configs and tools into ``mmav/.mim``: links where they work, else copies."""
    folder = ROOT / 'mmav' / '.mim'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    building = 'bdist_wheel' in sys.argv or 'sdist' in sys.argv
    for entry in MIM_ENTRIES:
        source, target = ROOT / entry, folder / entry
        if not source.exists():
            continue
        if not building:
            try:
                target.symlink_to(os.path.relpath(source, folder))
                continue
            except OSError:
                pass
        shutil.copytree(source, target, ignore=shutil.ignore_patterns('__pycache__'))


add_mim_files()
readme = ROOT / 'README.md'
setup(
    name='mmav',
    version=read_version(),
    description='Detect vehicles by sound: audio-visual learning for MMDetection',
    long_description=readme.read_text() if readme.exists() else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    python_requires='>=3.10,<3.13',
    packages=find_packages(include=('mmav', 'mmav.*')),
    include_package_data=True,
    package_data={'mmav': ['py.typed', '.mim/**/*', 'live/static/*']},
    install_requires=read_requirements('requirements.txt'),
    extras_require={
        'dev': read_requirements('requirements-dev.txt'),
        'live': ['aiohttp>=3.9', 'sounddevice>=0.4.6'],
        's3': ['boto3>=1.28'],
        'onnx': ['onnx>=1.16', 'onnxruntime>=1.18'],
        **openmmlab_extras(),
    },
    zip_safe=False,
)
