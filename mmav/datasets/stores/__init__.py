"""Prepared samples in memory-mapped files."""
