"""Leases: who may write for a name, until when, and under which epoch.

A lease is a row whose epoch grows by one with every acquisition; a holder that lost it is recognised by its old epoch
inside the transaction in which it writes. The lease of a process of this machine that is seen to be dead is free at
once; any other lasts to its end. Times are the database's on PostgreSQL and the process's on SQLite, where
all processes share one machine.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import Connection, Engine, func, literal, or_, select, update

from engine.clock import Clock
from engine.errors import Busy, LedgerError, StaleEpoch
from engine.failpoints import failpoint
from engine.ledger.database import Database, insert_missing, patiently, reading, writing
from engine.ledger.holder import is_dead
from engine.ledger.tables import lease as table

BEATS_PER_LEASE = 3
MARGIN = 0.1
"""Share of a lease at whose end the holder stops by itself, to be done before another may begin."""


@dataclass(frozen=True, slots=True)
class Fence:
    """What an append must prove: that ``epoch`` is still the current one of the lease ``name``."""

    name: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Lease:
    """A lease as it was acquired or last renewed."""

    name: str
    holder: str
    epoch: int
    acquired_at: datetime
    expires_at: datetime
    seconds: float


def acquire(engine: Engine, clock: Clock, name: str, holder: str, seconds: float) -> Lease:
    """Take the lease ``name`` for ``seconds``; raises `Busy` with its holder while another one lasts."""
    return patiently(lambda: _acquire(engine, clock, name, holder, seconds))


def renew(engine: Engine, clock: Clock, lease: Lease) -> Lease:
    """Let ``lease`` last for its seconds from now; raises `StaleEpoch` when it ended or another took it."""
    return patiently(lambda: _renew(engine, clock, lease))


def release(engine: Engine, lease: Lease) -> None:
    """Let others take the name at once; nothing when ``lease`` was lost already, since it is not ours to give."""
    mine = (table.c.name == lease.name) & (table.c.epoch == lease.epoch)

    def give() -> None:
        with writing(engine) as connection:
            connection.execute(update(table).where(mine).values(released=True))

    patiently(give)


@dataclass(frozen=True, slots=True)
class Standing:
    """A lease that nobody gave back: ``is_over`` once its time has ended, ``is_orphaned`` when its holder is seen to be dead."""

    name: str
    holder: str
    acquired_at: datetime
    expires_at: datetime
    is_over: bool
    is_orphaned: bool


def standing(database: Database, clock: Clock) -> list[Standing]:
    """Every lease that was taken and not given back, by name."""
    with reading(database) as connection:
        now = _now(connection, clock)
        rows = connection.execute(select(table).where(~table.c.released).order_by(table.c.name)).all()
    return [
        Standing(r.name, r.holder, r.acquired_at, r.expires_at, r.expires_at <= now, is_dead(r.holder)) for r in rows
    ]


def held_epochs(engine: Engine, clock: Clock, names: Collection[str]) -> dict[str, int]:
    """Of these leases, those that somebody holds who is not known to be dead, with their epoch."""
    with reading(engine) as connection:
        now = _now(connection, clock)
        held = select(table).where(table.c.name.in_(names), ~table.c.released, table.c.expires_at > now)
        return {row.name: row.epoch for row in connection.execute(held) if not is_dead(row.holder)}


def check_fence(connection: Connection, clock: Clock, fence: Fence) -> None:
    """Raise `StaleEpoch` unless the fence's epoch is current; it then stays so until this transaction ends."""
    row = connection.execute(
        select(table.c.epoch, table.c.expires_at, table.c.released)
        .where(table.c.name == fence.name)
        .with_for_update(read=True)  # a takeover waits for this transaction, other appends do not
    ).one_or_none()
    if row is None or row.epoch != fence.epoch or row.released or row.expires_at <= _now(connection, clock):
        raise _stale(fence.name, fence.epoch)


def _acquire(engine: Engine, clock: Clock, name: str, holder: str, seconds: float) -> Lease:
    with writing(engine) as connection:
        unborn = datetime.fromtimestamp(0, UTC)
        never = {"holder": "", "epoch": 0, "acquired_at": unborn, "expires_at": unborn, "released": True}
        insert_missing(connection, table, {"name": name, **never})
        row = connection.execute(select(table).where(table.c.name == name).with_for_update()).one()
        now = _now(connection, clock)
        lease = Lease(name, holder, row.epoch + 1, now, now + timedelta(seconds=seconds), seconds)
        free = or_(table.c.released, table.c.expires_at <= now, literal(is_dead(row.holder)))
        taken = connection.execute(
            update(table)
            .where(table.c.name == name, table.c.epoch == row.epoch, free)
            .values(holder=holder, epoch=lease.epoch, acquired_at=now, expires_at=lease.expires_at, released=False)
        )
        if taken.rowcount != 1:
            raise Busy(
                f"{name} is held by {row.holder} until {row.expires_at:%Y-%m-%d %H:%M:%S} UTC.",
                safe="Nothing was started.",
                next="wait for it to end; a holder that died is replaced after that time.",
            )
        return lease


def _renew(engine: Engine, clock: Clock, lease: Lease) -> Lease:
    with writing(engine) as connection:
        # The time must be read once the row is ours: a wait for it may outlast the lease.
        connection.execute(select(table.c.name).where(table.c.name == lease.name).with_for_update())
        now = _now(connection, clock)
        until = now + timedelta(seconds=lease.seconds)
        mine = (table.c.name == lease.name) & (table.c.epoch == lease.epoch)
        lasting = ~table.c.released & (table.c.expires_at > now)
        if connection.execute(update(table).where(mine, lasting).values(expires_at=until)).rowcount != 1:
            raise _stale(lease.name, lease.epoch)
        return replace(lease, expires_at=until)


def _now(connection: Connection, clock: Clock) -> datetime:
    if connection.dialect.name != "postgresql":
        return clock.now()
    now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return now.astimezone(UTC)


def _stale(name: str, epoch: int) -> StaleEpoch:
    return StaleEpoch(
        f"The lease {name} (epoch {epoch}) has ended or another process took it.",
        safe="Nothing more was written.",
        next="this process stops; the new holder continues from the ledger.",
    )


class HeldLease:
    """A lease for the time of a ``with`` block, renewed by a thread; raises `Busy` on entry.

    The block must look at `lost` before each act on the outside and stop when it is true. Appends made with `fence`
    are refused by the ledger itself once another process took the lease. ``beside`` is called after each renewal, in the
    thread that renews; that it cannot reach the ledger is no loss of the lease.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        name: str,
        holder: str,
        seconds: float,
        beside: Callable[[], None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._name = name
        self._holder = holder
        self._seconds = seconds
        self._beside = beside
        self._lease: Lease | None = None
        self._ends = 0.0
        self._taken = threading.Event()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"lease {name}", daemon=True)

    def __enter__(self) -> Self:
        asked = self._clock.monotonic()
        self._lease = acquire(self._engine, self._clock, self._name, self._holder, self._seconds)
        self._ends = self._end_of(asked)
        failpoint("lease.after_acquire")
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        try:
            release(self._engine, self._held)
        except LedgerError:
            # The lease then ends by itself; what the block returned or raised matters more.
            return

    @property
    def fence(self) -> Fence:
        """What appends of this holder must prove."""
        return Fence(self._name, self._held.epoch)

    @property
    def lost(self) -> bool:
        """Whether another process may hold the name now, or soon; never false again once true."""
        if self._clock.monotonic() >= self._ends:
            self._taken.set()
        return self._taken.is_set()

    def ended(self) -> StaleEpoch:
        """What to raise, instead of what came of it, once the lease is lost."""
        return _stale(self._name, self._held.epoch)

    def renew(self) -> None:
        """Renew once. A failure to reach the ledger is not yet a loss: the next beat tries again until the end."""
        failpoint("lease.before_renew")
        asked = self._clock.monotonic()
        try:
            self._lease = renew(self._engine, self._clock, self._held)
            self._ends = self._end_of(asked)
            self._beside()
        except StaleEpoch:
            self._taken.set()
        except LedgerError:
            return

    @property
    def _held(self) -> Lease:
        assert self._lease is not None, "the lease is used inside its with block"
        return self._lease

    def _end_of(self, asked: float) -> float:
        """When to stop, counted from before the request, so that the database's own end comes later."""
        return asked + self._seconds * (1 - MARGIN)

    def _beat(self) -> None:
        while not self._done.wait(self._seconds / BEATS_PER_LEASE) and not self.lost:
            self.renew()
