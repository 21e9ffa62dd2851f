"""When the next call may leave: evenly spaced calls below a declared rate, and waits that a destination asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Pace:
    """``requests`` calls per ``seconds``, spaced evenly so that no window of that length holds more."""

    requests: float
    seconds: float

    @property
    def interval(self) -> float:
        """Seconds between two calls."""
        return self.seconds / self.requests


@dataclass(frozen=True, slots=True)
class Line:
    """The queue before a destination: ``free_at`` is when the next call may leave, in monotonic seconds."""

    free_at: float = 0.0


def admitted(line: Line, pace: Pace | None, now: float) -> tuple[Line, float]:
    """The line after one more call joined it, and how many seconds that call waits."""
    start = max(line.free_at, now)
    return Line(start + (pace.interval if pace else 0.0)), start - now


def held(line: Line, now: float, seconds: float) -> Line:
    """The line when nothing may leave for ``seconds``."""
    return replace(line, free_at=max(line.free_at, now + seconds))
