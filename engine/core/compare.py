"""Whether a plan may look only at what changed, or must compare everything, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.core.events import StateFolded
from engine.core.names import Digest, VersionNumber

INCOMPLETE = VersionNumber(0)
"""The version of a state that equals no version: a plan ended before all of it was sent."""


REMOVALS = "erasure"
"""The comparison of a plan that only removes people who are to be forgotten: nothing is desired."""


@dataclass(frozen=True, slots=True)
class Full:
    """Compare every record."""

    reason: str


@dataclass(frozen=True, slots=True)
class Incremental:
    """Compare the records of rows that changed after version ``since``, and those that are not settled."""

    since: VersionNumber
    unsettled: bool

    @property
    def reason(self) -> str:
        return f"changes since version {self.since}" + (" and records that are owed" if self.unsettled else "")


Comparison = Full | Incremental


def comparison(
    state: StateFolded | None, *, mapping: Digest, registers: Mapping[str, int], now: datetime
) -> Comparison:
    """How to compare, given what the delivered state was last folded under."""
    if state is None:
        return Full("first run")
    if state.version == INCOMPLETE:
        return Full("the plan before was not sent to its end")
    if state.mapping != mapping:
        return Full("the mapping changed")
    if dict(state.registers) != dict(registers):
        return Full("consent decisions changed")
    if state.consent_until is not None and datetime.fromisoformat(state.consent_until) <= now:
        return Full("a consent has expired")
    return Incremental(state.version, unsettled=state.owed > 0)
