"""What a contract promises about time, as plain values: how fresh rows are, and from when until when it holds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.core.demands import Severity


@dataclass(frozen=True, slots=True)
class Latency:
    """The newest value of ``column``, a date or a timestamp, is at most ``limit`` old; ``written`` is the limit in words."""

    column: str
    limit: timedelta
    written: str
    severity: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class Lifetime:
    """The moments of a contract's life, None where it names none."""

    general_availability: datetime | None = None
    end_of_support: datetime | None = None
    end_of_life: datetime | None = None


@dataclass(frozen=True, slots=True)
class Promises:
    """All promises of a contract that can be judged by a clock."""

    latencies: tuple[Latency, ...] = ()
    lifetime: Lifetime = Lifetime()


NO_PROMISES = Promises()
