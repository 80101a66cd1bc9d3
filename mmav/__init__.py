"""Audio-visual learning for MMDetection: the import registers all components into its registries."""

from .compat import check_packages, paused_garbage_collection, provide_operators, quiet_imports
from .version import __version__

with paused_garbage_collection(), quiet_imports():
    check_packages()
    provide_operators()
    from . import datasets, engine, evaluation, models, structures, visualization

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'models', 'structures', 'visualization']
