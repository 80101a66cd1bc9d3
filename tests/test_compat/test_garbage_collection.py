"""Imports leave the garbage collector as they found it."""

import gc
from collections.abc import Iterator

import pytest

from mmav.compat import paused_garbage_collection


@pytest.fixture(autouse=True)
def _enabled_afterwards() -> Iterator[None]:
    yield
    gc.enable()


def test_pauses_and_goes_on() -> None:
    with paused_garbage_collection():
        assert not gc.isenabled()
    assert gc.isenabled()


def test_goes_on_after_an_error() -> None:
    with pytest.raises(KeyError), paused_garbage_collection():
        raise KeyError
    assert gc.isenabled()


def test_stays_off_where_it_was_off() -> None:
    gc.disable()
    with paused_garbage_collection():
        pass
    assert not gc.isenabled()
