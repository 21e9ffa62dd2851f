"""The operator's wish to stop: the first signal ends at the window's edge, the second at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Counts stop signals; safe to read from any thread."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._insisted = threading.Event()

    def is_set(self) -> bool:
        return self._asked.is_set()

    def at_once(self) -> bool:
        return self._insisted.is_set()

    def ask(self) -> None:
        """As one signal would."""
        (self._insisted if self._asked.is_set() else self._asked).set()


@contextmanager
def signals(request: StopRequest) -> Iterator[None]:
    """Let SIGINT and SIGTERM ask ``request`` to stop for as long as the block lasts; only in the main thread."""

    def ask(_number: int, _frame: FrameType | None) -> None:
        request.ask()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
