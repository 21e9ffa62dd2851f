from __future__ import annotations

import gc
import logging
from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.postgres"]


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
