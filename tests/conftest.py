from __future__ import annotations

import gc
import logging
import os
from collections.abc import Iterator

import pytest

pytest_plugins = ["tests.postgres", "tests.empty_ledger"]
LONG = ("scale", "crash", "slow")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first in every process, so that at the end none waits for the last one of another.

    Each process begins with an unbroken part of the list and takes from the others' ends when it is done: so each kind is
    dealt out here, the few that take minutes one by one and the others in unbroken parts, for tests of a file share what
    was made for them.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    patient = sorted((item for item in items if _length(item) > 1), key=_length, reverse=True)
    slow, quick = ([item for item in items if _length(item) == length] for length in (1, 0))
    dealt = [
        [*patient[worker::workers], *_part(slow, worker, workers), *_part(quick, worker, workers)]
        for worker in range(workers)
    ]
    items[:] = [item for part in dealt for item in part]


def _part(items: list[pytest.Item], worker: int, workers: int) -> list[pytest.Item]:
    return items[len(items) * worker // workers : len(items) * (worker + 1) // workers]


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
