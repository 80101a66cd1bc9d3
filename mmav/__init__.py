"""Audio-visual learning for MMDetection: the import registers all components into its registries."""

from .utils.version_check import check_environment
from .version import __version__

check_environment()

from . import datasets, engine, evaluation, models, structures, visualization  # noqa: E402

__all__ = ['__version__', 'datasets', 'engine', 'evaluation', 'models', 'structures', 'visualization']
