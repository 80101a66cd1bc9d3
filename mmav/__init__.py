"""Audio-visual learning for MMDetection: the import registers all components into its registries."""

from importlib import import_module
from pathlib import Path

from .utils.version_check import check_environment
from .version import __version__

check_environment()

for _name in ('datasets', 'models', 'evaluation', 'engine', 'visualization'):
    if (Path(__file__).parent / _name / '__init__.py').exists():
        try:
            import_module(f'{__name__}.{_name}')
        except ModuleNotFoundError as _error:  # a module that is still being written
            if not str(_error.name).startswith('mmav'):
                raise

__all__ = ['__version__']
