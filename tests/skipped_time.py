"""A loop on which time passes only while everybody waits: whole seconds of pace in milliseconds, on however busy a machine."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
STARTS = datetime(2026, 1, 1, tzinfo=UTC)


class _Answers(ThreadPoolExecutor):
    """A thread that lives in skipped time: what it is given is done ``before`` seconds later, and told ``after`` more."""

    def __init__(self, time: SkippedTime) -> None:
        super().__init__()
        self._time = time

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()

        def act() -> None:
            try:
                self._later(self._time.after, partial(done.set_result, fn(*args, **kwargs)))
            except Exception as error:  # noqa: BLE001  # whoever awaits it gets it
                self._later(self._time.after, partial(done.set_exception, error))

        self._later(self._time.before, act)
        return done

    @staticmethod
    def _later(seconds: float, act: Callable[[], None]) -> None:
        """At once where it takes no time: what is given is then done before it is looked at."""
        if seconds:
            asyncio.get_running_loop().call_later(seconds, act)
        else:
            act()


class SkippedTime(selectors.DefaultSelector):
    """The clock of everybody on one loop, and what the loop waits with: a wait is over at once and lasted what was asked.

    ``before`` and ``after`` are how long what is given to a thread takes until it is done, and from then until that is known.
    """

    def __init__(self, before: float = 0.0, after: float = 0.0) -> None:
        super().__init__()
        self.seconds = 0.0
        self.before = before
        self.after = after

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
        loop.set_default_executor(_Answers(self))
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            return runner.run(story)
