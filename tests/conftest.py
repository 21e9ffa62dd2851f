from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.postgres"]
LONG = ("scale", "crash", "slow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first, so that at the end no process waits for the last one of another."""
    items.sort(key=_length, reverse=True)


def _length(item: pytest.Item) -> float:
    """The limit that a test has of its own, in seconds; else whether it is marked as long."""
    limit = item.get_closest_marker("timeout")
    if limit is not None:
        return float(limit.args[0])
    return float(any(item.get_closest_marker(mark) for mark in LONG))


def pytest_collection_finish() -> None:
    """What was imported lives as long as the process: looking through it for garbage again and again takes a tenth."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def pytest_unconfigure() -> None:
    """Extensions look at the end for what of theirs is still held, and would print it."""
    gc.unfreeze()


@pytest.fixture(autouse=True)
def logs_end_with_their_test() -> Iterator[None]:
    """A command that ran in this process leaves no handler behind that writes to a stream which is gone."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
