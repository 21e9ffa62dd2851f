"""Time and randomness as arguments: one object that is passed in, so that tests need no patching."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time for labels, monotonic time for durations, and a sleep that tests can skip."""

    def now(self) -> datetime:
        """The current time, always with time zone UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait without holding the event loop."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class Entropy(Protocol):
    """Randomness: unguessable tokens for names, uniform floats for jitter."""

    def token(self, nbytes: int) -> str:
        """Lower-case hexadecimal of ``nbytes`` random bytes."""
        ...

    def uniform(self, low: float, high: float) -> float:
        """A float between ``low`` and ``high``."""
        ...


class SystemEntropy:
    """The operating system's randomness."""

    def __init__(self) -> None:
        self._random = random.SystemRandom()

    def token(self, nbytes: int) -> str:
        return secrets.token_hex(nbytes)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)
