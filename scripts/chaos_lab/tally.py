"""What a chaos run counted: a table for people, JSON for machines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

_LARGEST = frozenset({"again_worst", "converging_runs_max"})
NEVER = ("duplicates", "missing", "stale", "stale_writes", "unverified", "early")


@dataclass
class Tally:
    """Counts over all lives of one chaos run; `NEVER`, the last block, must be zero."""

    lives: int = 0
    rounds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    """Processes that died by SIGKILL, by how the moment was chosen."""
    missed: int = 0
    """Blows that came after the process had ended, or did not reach their point."""
    takeovers: int = 0
    """Processes that were stopped, replaced, and went on."""
    waited_takeovers: int = 0
    """Of these, those that were stopped until the lease ended by itself."""
    takeovers_beside: int = 0
    """Of these, those that went on while the one that replaced them still held the lease."""
    sessions: int = 0
    """Database sessions that were terminated under a process."""
    restarts: int = 0
    """Restarts of the database's server under a process."""
    disturbed: int = 0
    """Calls that the destination answered badly or the network broke, lost or repeated."""
    runs: int = 0
    """Processes started."""
    requests: int = 0
    records: int = 0
    again: int = 0
    """Records that arrived again under a plan they were sent for before."""
    again_max: int = 0
    """How many may arrive again: a window a kill, a batch a disturbed call."""
    again_worst: float = 0.0
    """The largest share of its own bound that a life came to."""
    unknown: int = 0
    """Outcomes that were recorded as unknown or uncertain."""
    repeated_effects: int = 0
    """Effects that changed nothing, of outcomes that were recorded as unknown or uncertain."""
    stale_calls: int = 0
    """Calls that a process which had been replaced made after it went on."""
    stale_calls_after_wait: int = 0
    """Of these, those of a process whose own clock said that its lease is over."""
    silences: int = 0
    """Times that the destination asked for no calls for a while, heard by a process that was left alone meanwhile."""
    begun: int = 0
    """Runs that the ledgers say were started."""
    finished: int = 0
    """Of these, those that came to an end, each without anybody's help."""
    converging_runs_max: int = 0

    duplicates: int = 0
    missing: int = 0
    stale: int = 0
    stale_writes: int = 0
    unverified: int = 0
    early: int = 0
    """Calls before the silence that the destination had asked for was over."""

    @property
    def killed(self) -> int:
        return self.kills.total()

    def json(self) -> dict[str, Any]:
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        plain["again_worst"] = round(self.again_worst, 3)
        return {**plain, "kills": dict(sorted(self.kills.items())), "killed": self.killed}

    def add(self, other: Tally) -> None:
        """Count what another lane counted as well."""
        for name in self.__dataclass_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            setattr(self, name, max(mine, theirs) if name in _LARGEST else mine + theirs)

    def rows(self) -> list[tuple[str, str]]:
        """What is worth a line, in words."""
        points = sum(1 for name in self.kills if "." in name)
        rows = [
            ("processes killed (SIGKILL)", f"{self.killed:,}"),
            ("… at how many named points", f"{points:,}"),
            ("processes stopped, replaced and continued", f"{self.takeovers:,}"),
            ("… of these after waiting for the lease's own end", f"{self.waited_takeovers:,}"),
            ("… of these while the successor held the lease", f"{self.takeovers_beside:,}"),
            ("database sessions terminated", f"{self.sessions:,}"),
            ("immediate restarts of the database server", f"{self.restarts:,}"),
            ("calls disturbed by destination or network", f"{self.disturbed:,}"),
            ("ledgers, rounds, processes", f"{self.lives:,}, {self.rounds:,}, {self.runs:,}"),
            ("calls, records that arrived", f"{self.requests:,}, {self.records:,}"),
            ("silences that the destination asked for", f"{self.silences:,}"),
            ("runs begun, and finished without help", f"{self.begun:,}, {self.finished:,}"),
            ("runs until nothing was left to do, at most", f"{self.converging_runs_max:,}"),
            ("records that arrived again (allowed)", f"{self.again:,} ({self.again_max:,})"),
            ("calls by a process that had been replaced", f"{self.stale_calls:,}"),
            ("… of these by one whose clock knew", f"{self.stale_calls_after_wait:,}"),
            ("outcomes recorded as unknown; effects repeated for them", f"{self.unknown:,}; {self.repeated_effects:,}"),
            ("duplicate effects", f"{self.duplicates:,}"),
            ("missing records", f"{self.missing:,}"),
            ("stale records", f"{self.stale:,}"),
            ("ledger events by a process that had been replaced", f"{self.stale_writes:,}"),
            ("ledgers that did not verify", f"{self.unverified:,}"),
            ("calls in a silence that was asked for", f"{self.early:,}"),
        ]
        return [row for row in rows if self.restarts or self.sessions or "database" not in row[0]]
