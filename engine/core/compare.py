"""Whether a plan may look only at what changed, or must compare everything, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from engine.core.events import StateFolded
from engine.core.names import Digest, VersionNumber

INCOMPLETE = VersionNumber(0)
"""The version of a state that equals no version: a plan ended before all of it was sent."""


KEPT_ROWS = "kept rows"
"""Among the registers of a state: which rows were kept at which older version, as a number that changes with them."""

ADOPTION = "adoption"
"""The comparison of a plan that is recorded as delivered and never sent."""

REMOVALS = "erasure"
"""The comparison of a plan that only removes people who are to be forgotten: nothing is desired."""

OWED_REMOVALS = "owed removals"
"""The comparison of a plan that only has the removals of another, which waits, that are owed to people."""

PARTIAL = frozenset({REMOVALS, OWED_REMOVALS})
"""Comparisons of plans that look at some records only; nobody is asked about them, and no version is reached by them."""


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
    ended = state.consent_until is not None and datetime.fromisoformat(state.consent_until) <= now
    because = (
        (state.resync, "resync"),
        (state.version == INCOMPLETE, "the plan before was not sent to its end"),
        (state.mapping != mapping, "the mapping changed"),
        (_decided(state.registers) != _decided(registers), "consent decisions changed"),
        (dict(state.registers) != dict(registers), "other rows are kept at an older version"),
        (ended, "a consent has expired"),
    )
    for holds, reason in because:
        if holds:
            return Full(reason)
    return Incremental(state.version, unsettled=state.owed > 0)


def _decided(registers: Mapping[str, int]) -> dict[str, int]:
    return {name: number for name, number in registers.items() if name != KEPT_ROWS}
