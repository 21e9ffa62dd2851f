"""What the daemon does each time it wakes: see what is due and what was left, take turns as far as slots allow, end them.

Everything that is decided rests on the ledger, so that a daemon that dies loses nothing: another, or the next one, finds
its turns there and goes on with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import Engine

from engine.clock import Clock
from engine.core.events import TurnTaken
from engine.core.names import DatasetId, RunId, SyncId, VersionNumber, dataset_stream
from engine.core.schedule import After, Schedule
from engine.core.slots import Limits, Needs, may_begin
from engine.core.turns import Resting, Running, Turn, lies_ahead, turn, turn_ended
from engine.faces.daemon.nurse import Loaded
from engine.ledger.lease import Fence, held_epochs
from engine.ledger.log import Ledger
from engine.ledger.projections import runs, versions
from engine.service.schedules import Scheduled, next_moment, schedule_of
from engine.service.turn_log import NEVER, Seen, TurnLog, outdated, turn_lease_name

ATTEMPTS_MAX = 3
"""How often a run that breaks is begun for one turn."""
AGAIN_SECONDS = 10.0
STOPPED = "stopped"
"""What a run tells that somebody stopped."""
log = structlog.get_logger("tidegate.daemon")


@dataclass(slots=True)
class UnderWay:
    """A run of this daemon for a turn that it took."""

    scheduled: Scheduled
    taken: TurnTaken
    began: float
    """On the monotonic clock, as ``asked_at``."""
    report: dict[str, str] | None = None
    is_overdue: bool = False
    asked: int = 0
    """How often it was asked to stop: to end its window, to end at once, and not asked any more."""
    asked_at: float = 0.0


@dataclass(slots=True)
class Broke:
    """A run that broke: how often for this turn, and when it may be begun again on the monotonic clock."""

    due: str
    attempts: int
    again: float


class Duty:
    """The syncs of one project and what this daemon has of them. ``begin`` starts a run and says whether it could.

    ``alarm`` is told when a sync is due next, or None where no moment says so.
    """

    def __init__(
        self,
        database: Engine,
        ledger: Ledger,
        clock: Clock,
        begin: Callable[[Scheduled, TurnTaken], bool],
        alarm: Callable[[SyncId, datetime | None], None],
    ) -> None:
        self._database, self._ledger, self._clock = database, ledger, clock
        self._begin, self._alarm = begin, alarm
        self._log = TurnLog(ledger)
        self._known: dict[SyncId, Seen] = {}
        self._versions: dict[DatasetId, tuple[int, VersionNumber | None]] = {}
        self._due: set[SyncId] = set()
        self._broke: dict[SyncId, Broke] = {}
        self._syncs: dict[SyncId, tuple[Scheduled, Schedule]] = {}
        self._limits = Limits(1, 1, 1)
        self.under_way: dict[SyncId, UnderWay] = {}
        self.waits = False
        """Whether at the last look something was to be begun."""

    def load(self, loaded: Loaded) -> None:
        """Take on these schedules in place of those before; what is under way goes on."""
        for sync in self._syncs.keys() - {one.sync for one in loaded.syncs}:
            self._alarm(sync, None)
        self._syncs = {one.sync: (one, schedule_of(one)) for one in loaded.syncs}
        bounds = loaded.bounds
        self._limits = Limits(bounds.concurrency, bounds.per_destination, bounds.per_connection)
        self._due &= self._syncs.keys()
        self._look(self._syncs)
        texts = {sync: one.text for sync, (one, _) in self._syncs.items()}
        self._log.set_schedules(outdated(self._known, texts))
        self._look(self._syncs)
        for sync in self._syncs:
            self._set_alarm(sync)

    def due(self, sync: SyncId) -> None:
        """An alarm rang."""
        self._due.add(sync)

    def wake(self, lease: Fence, *, may_take: bool) -> None:
        """Look at what changed, take over what was left, and take the turns that are due while slots are free."""
        for sync in self._look(self._syncs):
            self._set_alarm(sync)
        self._follow_versions()
        left = [sync for sync in self._left(lease) if self._may_try(sync)]
        self.waits = bool(self._due or left)
        if not may_take:
            return
        ready = [(found.at, sync, found) for sync in self._due for found in self._turn(sync)]
        for sync in self._due - {sync for _, sync, _ in ready}:
            self._due.discard(sync)
            self._set_alarm(sync)
        held = self._held([*left, *(sync for _, sync, _ in ready)])
        for sync in left:
            if sync not in held:
                self._take_over(sync, lease)
        for _, sync, found in sorted(ready, key=lambda one: one[:2]):
            if sync not in held:
                self._take(sync, found, lease)

    def ended(self, sync: SyncId, code: int) -> None:
        """The run of ``sync`` ended; what it told decides what becomes of its turn."""
        done = self.under_way.pop(sync)
        seconds = round(self._clock.monotonic() - done.began, 3)
        report = done.report or {}
        status, run, reason = (report.get(key, "") for key in ("status", "run", "reason"))
        tell = log.info if status in {"succeeded", "unchanged"} else log.warning
        tell("run_ended", sync=sync, run=run, status=status or "broke", code=code, reason=reason, seconds=seconds)
        if status and status not in {STOPPED, "busy"}:
            self._end(done.taken, run, status)
        elif done.is_overdue:
            self._end(done.taken, run, "overdue")
        elif done.asked or status == "busy":
            return  # Whoever is there next goes on with the turn.
        elif status == STOPPED:
            self._end(done.taken, run, STOPPED)
        else:
            self._broken(done.taken)

    def lost(self, sync: SyncId) -> None:
        """Nobody can say how the run of ``sync`` ends: it is looked for in the ledger."""
        self.under_way.pop(sync, None)

    def _broken(self, taken: TurnTaken) -> None:
        before = self._broke.get(taken.sync)
        attempts = before.attempts + 1 if before is not None and before.due == taken.due else 1
        self._broke[taken.sync] = Broke(taken.due, attempts, self._clock.monotonic() + AGAIN_SECONDS * attempts)
        if attempts >= ATTEMPTS_MAX:
            self._end(taken, "", "crashed")

    def _may_try(self, sync: SyncId) -> bool:
        broke, seen = self._broke.get(sync), self._known[sync].turns
        is_this = broke is not None and isinstance(seen, Running) and broke.due == seen.taken.due
        return not is_this or broke is None or self._clock.monotonic() >= broke.again

    def _look(self, syncs: Iterable[SyncId]) -> list[SyncId]:
        changed = self._log.changed(self._known, syncs)
        self._known |= changed
        return list(changed)

    def _set_alarm(self, sync: SyncId) -> None:
        _, schedule = self._syncs[sync]
        turns = self._known[sync].turns
        self._alarm(sync, next_moment(schedule, turns, self._clock.now()) if isinstance(turns, Resting) else None)

    def _follow_versions(self) -> None:
        """Let what follows a dataset be due when it has a version of which the sync knows nothing."""
        followers = {sync: s.dataset for sync, (_, s) in self._syncs.items() if isinstance(s, After)}
        if not followers:
            return
        streams = {dataset_stream(DatasetId(name)): DatasetId(name) for name in followers.values()}
        for stream, head in self._ledger.heads(streams).items():
            dataset = streams[stream]
            if dataset not in self._versions or self._versions[dataset][0] != head:
                latest = versions.latest(self._database, dataset)
                self._versions[dataset] = (head, None if latest is None else latest.version)
        self._due |= {sync for sync in followers if self._turn(sync)}

    def _turn(self, sync: SyncId) -> list[Turn]:
        """What ``sync`` is due for; none when nothing is, or when a turn is under way."""
        scheduled, schedule = self._syncs[sync]
        turns, now = self._known[sync].turns, self._clock.now()
        if not isinstance(turns, Resting):
            return []
        if lies_ahead(turns, now):
            log.warning("turns_lie_ahead", sync=sync, due=turns.since.isoformat())
            self._log.set_schedules({sync: scheduled.text})
            return []
        newest = self._versions.get(DatasetId(schedule.dataset), (0, None))[1] if isinstance(schedule, After) else None
        found = turn(schedule, turns, now, newest, scheduled.policy)
        return [] if found is None else [found]

    def _left(self, lease: Fence) -> list[SyncId]:
        """Syncs with a turn that nobody runs: taken by a daemon that is gone, or by this one without a run."""
        open_turns = {
            sync: seen.turns.taken
            for sync, seen in self._known.items()
            if isinstance(seen.turns, Running) and sync in self._syncs and sync not in self.under_way
        }
        others = {
            taken.lease for taken in open_turns.values() if (taken.lease, taken.epoch) != (lease.name, lease.epoch)
        }
        alive = held_epochs(self._database, self._clock, others) if others else {}
        return [sync for sync, taken in open_turns.items() if alive.get(taken.lease) != taken.epoch]

    def _held(self, syncs: Iterable[SyncId]) -> set[SyncId]:
        """Of these, those that somebody runs now."""
        names = {name: sync for sync in syncs for name in (f"sync:{sync}", turn_lease_name(sync))}
        return {names[name] for name in held_epochs(self._database, self._clock, names)} if names else set()

    def _take_over(self, sync: SyncId, lease: Fence) -> None:
        seen = self._known[sync]
        assert isinstance(seen.turns, Running), "only open turns are left"
        taken = seen.turns.taken
        ended = runs.ended_since(self._database, sync, self._log.begun(taken))
        if ended is not None:
            self._end(taken, ended.run, ended.status)
            return
        if not self._fits(sync):
            return
        found = self._log.take_over(seen, taken, lease)
        if found is not None:
            log.warning("turn_taken_over", sync=sync, due=taken.due, before=taken.lease)
            self._start(sync, found)

    def _take(self, sync: SyncId, found: Turn, lease: Fence) -> None:
        if not self._fits(sync):
            return
        seen = self._log.take(sync, self._known[sync], self._syncs[sync][0].text, found, lease)
        if seen is not None:
            late = round((self._clock.now() - found.at).total_seconds(), 3)
            log.info("turn_taken", sync=sync, due=found.due, version=found.version, missed=found.missed, late=late)
            self._start(sync, seen)

    def _fits(self, sync: SyncId) -> bool:
        under_way = [_needs(one.scheduled) for one in self.under_way.values()]
        return may_begin(_needs(self._syncs[sync][0]), under_way, self._limits)

    def _start(self, sync: SyncId, seen: Seen) -> None:
        self._known[sync] = seen
        self._due.discard(sync)
        assert isinstance(seen.turns, Running), "it was just taken"
        scheduled, _ = self._syncs[sync]
        if self._begin(scheduled, seen.turns.taken):
            self.under_way[sync] = UnderWay(scheduled, seen.turns.taken, self._clock.monotonic())

    def _end(self, taken: TurnTaken, run: str, status: str) -> None:
        sync = taken.sync
        seen = self._known.get(sync, NEVER)
        if not self._log.end(seen, turn_ended(taken, RunId(run) if run else None, status)):
            log.warning("turn_taken_by_another", sync=sync, due=taken.due)
        if sync in self._syncs:
            self._look([sync])
            self._set_alarm(sync)


def _needs(scheduled: Scheduled) -> Needs:
    return Needs(scheduled.destination, scheduled.connections)
