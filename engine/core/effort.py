"""What it takes to send a plan, as far as it can be told before: calls, and time at the declared pace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.core.pace import Pace


@dataclass(frozen=True, slots=True)
class Effort:
    """The fewest calls, and the fewest seconds that they need; 0 seconds where no pace is declared."""

    calls: int
    seconds: float


def calls_for(records: Sequence[int], per_call: int) -> int:
    """The fewest calls for so many records of each operation, ``per_call`` of them in a call.

    Batches that are full by bytes before they are full by records, and repeats, come on top.
    """
    return sum(math.ceil(count / per_call) for count in records)


def effort(records: Sequence[int], per_call: int, *, calls_at: Pace | None, records_at: Pace | None) -> Effort:
    """What `calls_for` the records take at the declared paces."""
    calls = calls_for(records, per_call)
    by_calls = calls / calls_at.rate if calls_at else 0.0
    by_records = sum(records) / records_at.rate if records_at else 0.0
    return Effort(calls, max(by_calls, by_records))
