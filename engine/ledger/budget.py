"""The pace, the circuit and the day's use of an account, in one row that every process on every host shares.

A row is read and written in one transaction of its own, and rarely: a caller takes a slice of time and calls within it
without asking again. Of a daily quota it leases the units of the slice with it, and returns what it did not use with
its next question; a process that dies returns nothing, so that at most a slice of the day is lost. What a row means is
decided in `engine.core.pace`, `engine.core.breaker` and `engine.core.quota`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from types import MappingProxyType, NoneType
from typing import TypeVar

from sqlalchemy import Connection, Engine, extract, func, select, update

from engine.clock import Clock, Entropy
from engine.core.breaker import CLOSED, THROTTLED_WEIGHT, Circuit, Shut, entered, failed, wait_seconds
from engine.core.pace import IDLE, Allowance, Pace, Slice, held, learned_rate, next_start, sliced, tells, throttled
from engine.core.quota import (
    NOTHING_UNUSED,
    NOTHING_USED,
    Quota,
    Unused,
    Use,
    UsedUp,
    current,
    lease,
    moment,
    returned,
    used_up,
)
from engine.ledger.database import insert_missing, patiently, reading, writing
from engine.ledger.recorded import tampered
from engine.ledger.tables import rate_budget as table

REQUESTS = "requests"
NO_QUOTAS: Mapping[str, Quota] = MappingProxyType({})
T = TypeVar("T")
_TINY = 0.001
"""Below it, in seconds, lies what sums of times since 1970 lose."""
_KINDS = {False: (int, float), True: (int, float, NoneType)}
"""What a value may be, by whether its column may be null."""


@dataclass(frozen=True, slots=True)
class _Row:
    allowance: Allowance = IDLE
    circuit: Circuit = CLOSED
    use: Use = NOTHING_USED


@dataclass(frozen=True, slots=True)
class Day:
    """What was ``used`` of a unit's quota until now, and whether no call can be made of the rest."""

    quota: Quota
    used: float
    resets_at: float
    is_over: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """What an account allows ``at`` a moment: its circuit, the silence that it asked for, its days and its pace."""

    at: float
    is_open: bool
    probe_in: float
    held_until: float
    days: Mapping[str, Day]
    learned_rate: float | None
    """Calls per second, where throttled ones led to fewer than are declared."""


class AccountBudget:
    """One account's share of a ledger; ``declared`` and ``quotas`` are its pace and its day per kind of unit."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        entropy: Entropy,
        account: str,
        declared: Mapping[str, Pace],
        quotas: Mapping[str, Quota] = NO_QUOTAS,
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._entropy = entropy
        self._account = account
        self._declared = declared
        self._quotas = quotas

    def slice(self, unit: str, units: float, unused: Unused = NOTHING_UNUSED) -> Slice | Shut | UsedUp:
        """The next slice of at least ``units``, once ``unused`` ones of an earlier slice are returned.

        Of requests there is none while the circuit is open, and of a unit whose day is used up there is none.
        """
        quota = self._quotas.get(unit)

        def take(row: _Row, now: float) -> tuple[_Row, Slice | Shut | UsedUp]:
            most, use = math.inf, row.use
            if quota is not None:
                use = returned(current(use, quota, next_start(row.allowance, now)), unused)
                most = lease(use, quota, units)
            kept = replace(row, use=use)
            if unit == REQUESTS and (wait := wait_seconds(row.circuit, now)) > 0:
                return kept, Shut(wait)
            if quota is not None and not most:
                return kept, UsedUp(quota, use.ends)
            most = units if row.circuit.is_open else most
            allowance, given = sliced(row.allowance, self._declared.get(unit), now, units, most)
            if row.circuit.is_open:
                given = replace(given, units=units, interval=given.lasts, is_probe=True)
            if quota is not None:
                use = replace(use, used=use.used + given.units)
            circuit = entered(row.circuit, now)
            return _Row(allowance, circuit, use), replace(given, suspect=circuit != CLOSED, day=use.ends)

        return self._changed(unit, take)

    def is_still_good(self, given: Slice) -> bool:
        """Whether a slice whose turn comes may be used: nobody was asked for silence, or refused, since it was given."""
        with reading(self._engine) as connection:
            row = _read(connection, self._name(REQUESTS))
        is_silent = row.allowance.held_until > given.at + given.starts_in + _TINY
        return not is_silent and (given.is_probe or not row.circuit.is_open)

    def give_back(self, unit: str, unused: Unused) -> None:
        """Units of a slice that will not be sent."""
        self._changed(unit, lambda row, _: (replace(row, use=returned(row.use, unused)), None))

    def throttled(self, observed: float, wait_seconds: float) -> None:
        """A call was throttled while ``observed`` calls per second were sent; the account wants silence for a while."""
        declared = self._declared.get(REQUESTS)
        jitter = self._entropy.uniform(0.0, 1.0)

        def cut(row: _Row, now: float) -> tuple[_Row, None]:
            refuses_all, allowance, circuit = row.circuit != CLOSED, row.allowance, row.circuit
            if circuit.is_open or tells(allowance, now):
                circuit = failed(circuit, now, jitter, THROTTLED_WEIGHT)
            allowance = throttled(allowance, declared, now, observed, wait_seconds, refuses_all=refuses_all)
            return replace(row, allowance=allowance, circuit=circuit), None

        self._changed(REQUESTS, cut)

    def hold(self, wait_seconds: float) -> None:
        """The account wants silence for a while."""
        self._changed(REQUESTS, lambda row, now: (replace(row, allowance=held(row.allowance, now, wait_seconds)), None))

    def failed(self) -> None:
        """A call was not answered."""
        jitter = self._entropy.uniform(0.0, 1.0)
        self._changed(REQUESTS, lambda row, now: (replace(row, circuit=failed(row.circuit, now, jitter)), None))

    def answered(self) -> None:
        """A call was answered after others were not."""
        self._changed(REQUESTS, lambda row, _: (replace(row, circuit=CLOSED), None))

    def silence(self, wait_seconds_max: float) -> str:
        """Why no call may leave for longer than that, for a sentence that begins with the account; empty when one may."""
        now = self.standing()
        if now.probe_in > 0:
            return f"did not answer, or throttled, call after call; it is left alone for another {now.probe_in:,.0f} s"
        if now.held_until - now.at > wait_seconds_max:
            return f"asked for no calls until {moment(now.held_until)}"
        for unit, day in now.days.items():
            if day.is_over and day.resets_at - now.at > wait_seconds_max:
                return f"may not be called: {used_up(unit, UsedUp(day.quota, day.resets_at))}"
        return ""

    def standing(self) -> Standing:
        """What the account allows now; nothing is changed by looking."""
        with reading(self._engine) as connection:
            now = seconds_now(connection, self._clock)
            rows = {unit: _read(connection, self._name(unit)) for unit in {REQUESTS, *self._quotas}}
        row = rows[REQUESTS]
        return Standing(
            at=now,
            is_open=row.circuit.is_open,
            probe_in=wait_seconds(row.circuit, now),
            held_until=row.allowance.held_until,
            days={unit: _day(rows[unit], quota, now) for unit, quota in self._quotas.items()},
            learned_rate=learned_rate(row.allowance, self._declared.get(REQUESTS), now),
        )

    def _name(self, unit: str) -> str:
        return f"{self._account}:{unit}"

    def _changed(self, unit: str, change: Callable[[_Row, float], tuple[_Row, T]]) -> T:
        name = self._name(unit)

        def whole() -> T:
            with writing(self._engine) as connection:
                row = locked(connection, name)
                after, result = change(row, seconds_now(connection, self._clock))
                if after != row:
                    connection.execute(update(table).where(table.c.name == name).values(**_values(after)))
                return result

        return patiently(whole)


def locked(connection: Connection, name: str) -> _Row:
    """The row of an account and unit, which is there and nobody else's until the transaction ends."""
    insert_missing(connection, table, {"name": name, **_values(_Row())})
    return _read(connection, name, lock=True)


def _day(row: _Row, quota: Quota, now: float) -> Day:
    use = current(row.use, quota, next_start(row.allowance, now))
    return Day(quota, use.used, use.ends, is_over=not lease(use, quota, 1))


def _read(connection: Connection, name: str, *, lock: bool = False) -> _Row:
    query = select(table).where(table.c.name == name)
    row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        return _Row()
    if any(
        not isinstance(row[column.name], _KINDS[bool(column.nullable)]) for column in table.c if column.name != "name"
    ):
        raise tampered("The rate budget of an account cannot be read.", name)
    return _Row(
        Allowance(**{name: row[name] for name in Allowance.__dataclass_fields__}),
        Circuit(**{name: row[name] for name in Circuit.__dataclass_fields__}),
        Use(row["day_used"], row["day_ends"]),
    )


def _values(row: _Row) -> dict[str, float | int | None]:
    return {
        **asdict(row.allowance),
        **asdict(row.circuit),
        "day_used": row.use.used,
        "day_ends": row.use.ends,
    }


def seconds_now(connection: Connection, clock: Clock) -> float:
    """The database's time on PostgreSQL, this machine's on SQLite, which all its users share."""
    if connection.dialect.name != "postgresql":
        return clock.now().timestamp()
    return float(connection.execute(select(extract("epoch", func.clock_timestamp()))).scalar_one())
