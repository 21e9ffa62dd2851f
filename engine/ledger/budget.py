"""The pace and the circuit of an account, in one row that every process on every host shares.

A row is read and written in one transaction of its own, and rarely: a caller takes a slice of time and calls within it
without asking again. What a row means is decided in `engine.core.pace` and `engine.core.breaker`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from types import NoneType
from typing import TypeVar

from sqlalchemy import Connection, Engine, extract, func, select, update

from engine.clock import Clock, Entropy
from engine.core.breaker import CLOSED, Circuit, Shut, entered, failed, wait_seconds
from engine.core.pace import Allowance, Pace, Slice, held, sliced, throttled
from engine.ledger.database import insert_missing, patiently, reading, writing
from engine.ledger.recorded import tampered
from engine.ledger.tables import rate_budget as table

REQUESTS = "requests"
T = TypeVar("T")
_KINDS = {False: (int, float), True: (int, float, NoneType)}
"""What a value may be, by whether its column may be null."""


@dataclass(frozen=True, slots=True)
class _Row:
    allowance: Allowance
    circuit: Circuit


class AccountBudget:
    """One account's share of a ledger; ``declared`` is its pace per kind of unit, where there is one."""

    def __init__(
        self, engine: Engine, clock: Clock, entropy: Entropy, account: str, declared: Mapping[str, Pace]
    ) -> None:
        self._engine = engine
        self._clock = clock
        self._entropy = entropy
        self._account = account
        self._declared = declared

    def slice(self, unit: str, units: float) -> Slice | Shut:
        """The next slice of at least ``units``; of requests there is none while the circuit is open."""

        def take(row: _Row, now: float) -> tuple[_Row, Slice | Shut]:
            if unit == REQUESTS and (wait := wait_seconds(row.circuit, now)) > 0:
                return row, Shut(wait)
            allowance, given = sliced(row.allowance, self._declared.get(unit), now, units)
            if row.circuit.is_open:
                given = Slice(given.starts_in, 1.0, given.lasts, given.lasts)
            circuit = entered(row.circuit, now)
            return _Row(allowance, circuit), replace(given, suspect=circuit != CLOSED)

        return self._changed(unit, take)

    def throttled(self, observed: float, wait_seconds: float) -> None:
        """A call was throttled while ``observed`` calls per second were sent; the account wants silence for a while."""
        declared = self._declared.get(REQUESTS)

        def cut(row: _Row, now: float) -> tuple[_Row, None]:
            return _Row(throttled(row.allowance, declared, now, observed, wait_seconds), row.circuit), None

        self._changed(REQUESTS, cut)

    def hold(self, wait_seconds: float) -> None:
        """The account wants silence for a while."""
        self._changed(REQUESTS, lambda row, now: (_Row(held(row.allowance, now, wait_seconds), row.circuit), None))

    def failed(self) -> None:
        """A call was not answered."""
        jitter = self._entropy.uniform(0.0, 1.0)
        self._changed(REQUESTS, lambda row, now: (_Row(row.allowance, failed(row.circuit, now, jitter)), None))

    def answered(self) -> None:
        """A call was answered after others were not."""
        self._changed(REQUESTS, lambda row, _: (_Row(row.allowance, CLOSED), None))

    def circuit_wait(self) -> float:
        """Seconds for which nothing may be sent because the circuit is open; 0 when it is not, or may be probed."""
        with reading(self._engine) as connection:
            return wait_seconds(_read(connection, self._name(REQUESTS)).circuit, _now(connection, self._clock))

    def _name(self, unit: str) -> str:
        return f"{self._account}:{unit}"

    def _changed(self, unit: str, change: Callable[[_Row, float], tuple[_Row, T]]) -> T:
        name = self._name(unit)

        def whole() -> T:
            with writing(self._engine) as connection:
                insert_missing(connection, table, {"name": name, **_values(_Row(Allowance(), CLOSED))})
                row = _read(connection, name, lock=True)
                after, result = change(row, _now(connection, self._clock))
                if after != row:
                    connection.execute(update(table).where(table.c.name == name).values(**_values(after)))
                return result

        return patiently(whole)


def _read(connection: Connection, name: str, *, lock: bool = False) -> _Row:
    query = select(table).where(table.c.name == name)
    row = connection.execute(query.with_for_update() if lock else query).mappings().one_or_none()
    if row is None:
        return _Row(Allowance(), CLOSED)
    if any(
        not isinstance(row[column.name], _KINDS[bool(column.nullable)]) for column in table.c if column.name != "name"
    ):
        raise tampered("The rate budget of an account cannot be read.", name)
    return _Row(
        Allowance(**{name: row[name] for name in Allowance.__dataclass_fields__}),
        Circuit(**{name: row[name] for name in Circuit.__dataclass_fields__}),
    )


def _values(row: _Row) -> dict[str, float | int | None]:
    return {**asdict(row.allowance), **asdict(row.circuit)}


def _now(connection: Connection, clock: Clock) -> float:
    """The database's time on PostgreSQL, this machine's on SQLite, which all its users share."""
    if connection.dialect.name != "postgresql":
        return clock.now().timestamp()
    return float(connection.execute(select(extract("epoch", func.clock_timestamp()))).scalar_one())
