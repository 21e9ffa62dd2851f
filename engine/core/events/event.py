"""What an event is, and what events of several subjects hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events; ``type`` and ``schema`` are what the ledger stores beside the data."""

    type: ClassVar[str]
    schema: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What one check of a gate found: its verdict (pass, warn, quarantine, hold, block), one sentence, and the numbers.

    What is held or blocked is told again only when a sentence changes, so it says nothing that time alone changes.
    """

    check: str
    verdict: str
    message: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sync's records are: an object of a destination, found by match fields; all three are words of its file."""

    destination: str
    object: str
    match: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.object} of {self.destination}, matched by {', '.join(self.match)}"
