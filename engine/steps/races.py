"""What is decided from the facts of a stream, and decided anew when somebody appended to it first."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from engine.errors import LedgerConflict

T = TypeVar("T")


def raced(attempt: Callable[[], T], attempts_max: int) -> T:
    """The result of ``attempt``, which reads the facts anew each time that it lost its race.

    Raises `LedgerConflict` when the last of ``attempts_max`` lost as well.
    """
    for _ in range(attempts_max - 1):
        try:
            return attempt()
        except LedgerConflict:
            continue
    return attempt()
