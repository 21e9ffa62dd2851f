"""Daemons without processes: their decisions on a real ledger, under a clock that moves when it is told to."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import count

from sqlalchemy import Engine

from engine.core.events import TurnEnded, TurnTaken
from engine.core.names import RunId, SyncId, run_stream, schedule_stream
from engine.faces.daemon.duty import Duty
from engine.faces.daemon.nurse import Loaded
from engine.faces.daemon.wire import Bounds
from engine.ledger.lease import Fence, Lease, acquire, release, renew
from engine.ledger.log import Ledger
from engine.service.schedules import Scheduled
from tests.ledger.facts import CUSTOMERS, StillClock, finished, started

BOUNDS = Bounds(4, 4, 4, 10**9, 3600.0, 60.0)
LEASE_SECONDS = 15.0
_runs = count(1)


class Run:
    """A run under way as its process sees it: with the lease of its sync, until it ends; it outlives its daemon."""

    def __init__(self, station: Station, scheduled: Scheduled) -> None:
        self.station = station
        self.sync = scheduled.sync
        self.id = RunId(f"run-{next(_runs)}")
        name = f"sync:{self.sync}"
        self._lease = acquire(station.engine, station.clock, name, f"elsewhere:{self.id}", 10_000_000.0)
        station.ledger.append(run_stream(self.id), started(self.id, self.sync))

    def end(self, status: str = "succeeded") -> None:
        """Everything went well, but for the destination perhaps."""
        self.station.ledger.append(run_stream(self.id), finished(self.id, self.sync, status))
        self._leave({"status": status, "run": self.id, "reason": ""})

    def break_off(self) -> None:
        """It died without a word."""
        self._leave(None)

    def break_off_with(self, daemon: Station) -> None:
        """It and its daemon died together."""
        daemon.die()
        self._leave(None)

    def stopped(self) -> None:
        """Somebody asked it to stop, and it did."""
        self._leave({"status": "stopped", "run": "", "reason": ""})

    def _leave(self, report: dict[str, str] | None) -> None:
        release(self.station.engine, self._lease)
        duty, sync = self.station.duty, self.sync
        if self.station.lives and sync in duty.under_way:
            duty.under_way[sync].report = report
            duty.ended(sync, 0)


class Station:
    """One daemon."""

    def __init__(self, engine: Engine, clock: StillClock, name: str, runs: list[Run]) -> None:
        self.engine, self.clock = engine, clock
        self.ledger = Ledger(engine, clock, name)
        self.lives = True
        self._runs = runs
        self._alarms: dict[SyncId, datetime] = {}
        self.lease: Lease = acquire(engine, clock, f"daemon:{name}", f"elsewhere:{name}", LEASE_SECONDS)
        self.duty = Duty(engine, self.ledger, clock, self._begin, self._set)

    def load(self, *scheduled: Scheduled, bounds: Bounds = BOUNDS) -> Station:
        self.duty.load(Loaded(scheduled, bounds, "sqlite://"))
        return self

    def tick(self, *, may_take: bool = True) -> None:
        """One look, with a lease that lasts."""
        self.lease = renew(self.engine, self.clock, self.lease)
        for sync in [sync for sync, moment in self._alarms.items() if moment <= self.clock.now()]:
            del self._alarms[sync]
            self.duty.due(sync)
        self.duty.wake(self.fence, may_take=may_take)

    @property
    def fence(self) -> Fence:
        return Fence(self.lease.name, self.lease.epoch)

    def die(self) -> None:
        """Its runs go on."""
        self.lives = False

    def leave(self) -> None:
        """As at the end of a drain."""
        self.lives = False
        release(self.engine, self.lease)

    def _begin(self, scheduled: Scheduled, _taken: TurnTaken) -> bool:
        assert all(run.sync != scheduled.sync for run in self._runs), "a sync runs twice at once"
        self._runs.append(Run(self, scheduled))
        return True

    def _set(self, sync: SyncId, moment: datetime | None) -> None:
        if moment is None:
            self._alarms.pop(sync, None)
        else:
            self._alarms[sync] = moment


def minutely(name: str = "s", overlap: str = "coalesce", destination: str = "crm", lake: str = "lake") -> Scheduled:
    return Scheduled(SyncId(name), CUSTOMERS, destination, (lake,), overlap, cron="* * * * *")


def following(name: str = "s") -> Scheduled:
    return Scheduled(SyncId(name), CUSTOMERS, "crm", ("lake",), "coalesce", after=CUSTOMERS)


def turns(ledger: Ledger, name: str = "s") -> list[tuple[str, int, str]]:
    """Each turn that ended: what it was due for, what it stood for besides, and its status."""
    missed, found = {}, []
    for recorded in ledger.read(schedule_stream(SyncId(name))):
        match recorded.event:
            case TurnTaken():
                missed[recorded.event.due] = recorded.event.missed
            case TurnEnded():
                found.append((recorded.event.due, missed[recorded.event.due], recorded.event.status))
            case _:
                pass
    return found


def moments(found: Iterable[tuple[str, int, str]]) -> list[datetime]:
    """All that turns of a `minutely` sync stand for."""
    return [
        datetime.fromisoformat(due) - n * timedelta(minutes=1)
        for due, missed, _ in found
        for n in reversed(range(missed + 1))
    ]
