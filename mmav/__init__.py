"""Audio-visual learning for MMDetection: the import registers all components into its registries."""

from .compat import check_packages, provide_operators, quiet_imports
from .version import __version__

check_packages()
provide_operators()
with quiet_imports():
    from . import datasets, engine, evaluation, models, structures, visualization

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'models', 'structures', 'visualization']
