"""A loop on which time passes only while everybody waits: whole seconds of pace in milliseconds, on however busy a machine."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
STARTS = datetime(2026, 1, 1, tzinfo=UTC)


class _AtOnce(ThreadPoolExecutor):
    """A thread that is never waited for: what it is given is done before it is looked at."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # whoever awaits it gets it
            done.set_exception(error)
        return done


class SkippedTime(selectors.DefaultSelector):
    """The clock of everybody on one loop, and what the loop waits with: a wait is over at once and lasted what was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.seconds += max(timeout or 0.0, 0.0)
        return super().select(None if timeout is None else 0)

    def now(self) -> datetime:
        return STARTS + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def run(self, story: Coroutine[Any, Any, T]) -> T:
        """What the story returns; nothing of it may wait for another process, a thread or the network."""
        loop = asyncio.SelectorEventLoop(self)
        loop.time = self.monotonic  # type: ignore[method-assign]
        loop.set_default_executor(_AtOnce())
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(story)
