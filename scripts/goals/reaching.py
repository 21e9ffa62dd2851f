"""Which tests enter which functions: only those can notice what is wrong in one."""

from __future__ import annotations

import functools
import gc
import sys
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest


@dataclass(frozen=True, slots=True)
class Reach:
    """For each function, as ``FILE:NAME``, the tests that enter it; how long each took, and those that failed."""

    tests: Mapping[str, Sequence[str]]
    seconds: Mapping[str, float]
    failed: Sequence[str] = ()

    def of(self, file: str, function: str) -> list[str]:
        """The tests that enter a function, the quickest first."""
        return sorted(self.tests.get(f"{file}:{function}", ()), key=lambda test: self.seconds[test])


def reached(items: Sequence[pytest.Item], root: Path, folders: Sequence[str]) -> Reach:
    """Run tests and watch which functions of the modules in ``folders`` they enter. Those that fail notice nothing."""
    prefixes = tuple(f"{root / folder}/" for folder in folders)
    forget = _forgetting()
    tests, seconds, failed = dict[str, list[str]](), dict[str, float](), list[str]()
    watching = _Watching()
    for item, following in zip(items, [*items[1:], None], strict=True):
        forget()
        began = time.perf_counter()
        if first_failed([item], following, watching) is not None:
            failed.append(item.nodeid)
            continue
        seconds[item.nodeid] = time.perf_counter() - began
        for name in {_name(code, root) for code in watching.of(item) if code.co_filename.startswith(prefixes)}:
            tests.setdefault(name, []).append(item.nodeid)
    return Reach(tests, seconds, failed)


def first_failed(
    items: Sequence[pytest.Item], following: pytest.Item | None = None, *others: object
) -> pytest.Item | None:
    """Run tests, up to the first that fails. What the one that is ``following`` shares with them stays as it is."""
    failed = list[str]()

    class Noted:
        def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
            if report.failed:
                failed.append(report.nodeid)

    manager = items[0].config.pluginmanager
    plugins = [Noted(), *others]
    for plugin in plugins:
        manager.register(plugin)
    try:
        for item, after in zip(items, [*items[1:], following], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if failed:
                return item
        return None
    finally:
        for plugin in plugins:
            manager.unregister(plugin)


class _Watching:
    """What each test enters, in all threads that begin meanwhile, and what was entered to make what it shares with others."""

    def __init__(self) -> None:
        self._entered = set[CodeType]()
        self._making = dict[object, set[CodeType]]()

    def of(self, item: pytest.Item) -> set[CodeType]:
        """What the test that ended just now can see a fault of."""
        fixtures = chain(*getattr(item, "_fixtureinfo").name2fixturedefs.values())  # noqa: B009  # pytest has no other
        return self._entered.union(*(self._making.get(fixture, ()) for fixture in fixtures))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self) -> Generator[None, object, object]:
        self._entered = set()
        threading.settrace(self._enter)
        sys.settrace(self._enter)
        try:
            return (yield)
        finally:
            sys.settrace(None)
            threading.settrace(None)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        before, self._entered = self._entered, set()
        try:
            return (yield)
        finally:
            self._making[fixturedef] = self._making.get(fixturedef, set()) | self._entered
            self._entered |= before

    def _enter(self, frame: FrameType, _event: str, _argument: object) -> None:
        self._entered.add(frame.f_code)


def _forgetting() -> Callable[[], None]:
    """What makes our functions forget: what an earlier test made would not be made again, and nothing be entered for it."""
    gc.unfreeze()
    kinds = functools._lru_cache_wrapper  # noqa: SLF001  # it has no other name
    found: list[Any] = [kept for kept in gc.get_objects() if isinstance(kept, kinds)]
    ours = [kept for kept in found if kept.__module__.startswith("engine.")]
    gc.freeze()

    def forget() -> None:
        for kept in ours:
            kept.cache_clear()

    return forget


def _name(code: CodeType, root: Path) -> str:
    """A function within another one counts as that one."""
    return f"{Path(code.co_filename).relative_to(root).as_posix()}:{code.co_qualname.partition('.<locals>')[0]}"
