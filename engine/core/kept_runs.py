"""Which runs of a sync are old: what they planned, were told and left as state is not kept any more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.core.names import RunId

SLACK = 0.25
"""What is old goes once it is this part of what is kept: each time, what was ever sent is written anew."""
NO_SLACK = 0.0


@dataclass(frozen=True, slots=True)
class RunRule:
    """A run is kept while it is among the newest ``runs`` or ended less than ``age`` ago; both None keep every run."""

    runs: int | None = None
    age: timedelta | None = None

    def keeps(self, place: int, ended_at: datetime, now: datetime) -> bool:
        """Whether it keeps a run before which ``place`` newer ones come."""
        is_recent = self.runs is not None and place < self.runs
        is_young = self.age is not None and now - ended_at < self.age
        return is_recent or is_young or self == KEEP_EVERY_RUN


KEEP_EVERY_RUN = RunRule()


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that made a plan, and when it ended."""

    run: RunId
    at: datetime


def old_runs(ended: Sequence[Ended], rule: RunRule, now: datetime, slack: float) -> Sequence[Ended]:
    """Those of some runs, newest first, that are older than every one that is kept; none while they are too few.

    The newest is kept whatever the rule says: it may wait for a person.
    """
    kept = [place for place, one in enumerate(ended) if place == 0 or rule.keeps(place, one.at, now)]
    count = kept[-1] + 1 if kept else 0
    old = ended[count:]
    return old if len(old) > slack * count else ()
