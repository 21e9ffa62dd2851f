"""What a run's counts mean: its status, its reason and the exit code of the command that ran it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class RunStatus(StrEnum):
    """PROJECT.md's closed list, and ``running`` for a run without an end."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    UNCHANGED = "unchanged"
    PARTIAL = "partial"
    HELD = "held"
    BLOCKED = "blocked"
    PAUSED = "paused"
    BUSY = "busy"
    CANCELLED = "cancelled"
    FAILED = "failed"


EXIT_CODES: dict[RunStatus, int] = {
    RunStatus.SUCCEEDED: 0,
    RunStatus.UNCHANGED: 0,
    RunStatus.FAILED: 1,
    RunStatus.PAUSED: 1,
    RunStatus.CANCELLED: 1,
    RunStatus.BLOCKED: 3,
    RunStatus.HELD: 4,
    RunStatus.PARTIAL: 5,
    RunStatus.BUSY: 6,
    RunStatus.RUNNING: 130,
}


@dataclass(frozen=True, slots=True)
class Buckets:
    """Where every planned record ended; each record is in exactly one."""

    planned: int
    delivered: int
    rejected: int
    failed: int
    unknown: int
    withheld: int = 0
    """Held back because consent had ended when they were about to leave."""

    @property
    def unsent(self) -> int:
        """Planned records that no receipt names."""
        return self.planned - self.delivered - self.rejected - self.failed - self.unknown - self.withheld


def run_status(buckets: Buckets, stopped: str | None, early: RunStatus = RunStatus.FAILED) -> tuple[RunStatus, str]:
    """Status and reason of a run whose delivery ended; ``stopped`` is why it ended ``early``, if it did.

    ``succeeded`` needs every planned record delivered, but for those whose subject took consent back meanwhile.
    """
    if stopped is not None:
        return early, f"{stopped}; {_owed(buckets)}"
    if buckets.delivered + buckets.withheld == buckets.planned:
        return RunStatus.SUCCEEDED, _owed(buckets) if buckets.withheld else ""
    return RunStatus.PARTIAL, _owed(buckets)


def is_level(status: RunStatus, failed: int, unknown: int) -> bool:
    """Whether the destination holds after such a run what the source held when it began, but for what it rejects."""
    if status is RunStatus.PARTIAL:
        return not failed and not unknown
    return status in {RunStatus.SUCCEEDED, RunStatus.UNCHANGED}


FAILURES = frozenset({RunStatus.FAILED, RunStatus.BLOCKED, RunStatus.PARTIAL})
"""Ends of a run that did not bring its destination level for which nobody's decision is the reason."""


def exit_code(statuses: Iterable[RunStatus]) -> int:
    """The exit code of a command over several syncs: the first that applies of 1, 3, 4, 5, 6, else 0."""
    codes = {EXIT_CODES[status] for status in statuses}
    return next((code for code in (130, 1, 3, 4, 5, 6) if code in codes), 0)


def _owed(buckets: Buckets) -> str:
    parts = [
        f"{count:,} {word}"
        for count, word in (
            (buckets.rejected, "rejected"),
            (buckets.failed, "failed"),
            (buckets.unknown, "of unknown outcome"),
            (buckets.unsent, "not sent"),
            (buckets.withheld, "withheld because consent ended before they left"),
        )
        if count
    ]
    return f"{', '.join(parts)} of {buckets.planned:,} records" if parts else "every record was delivered"
