"""The version of mmav."""

__version__ = '0.1.0'
