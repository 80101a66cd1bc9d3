from .garbage_collection import paused_garbage_collection
from .lazy_registry import register_lazily
from .mmcv_ops import describe_operators, provide_operators
from .packages import check_package, check_packages
from .quiet_imports import quiet_imports

__all__ = [
    'check_package',
    'check_packages',
    'describe_operators',
    'paused_garbage_collection',
    'provide_operators',
    'quiet_imports',
    'register_lazily',
]
