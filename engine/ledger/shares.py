"""Who has how many calls at once under way of an account, in rows that every process on every host shares.

The row of the account's budget is the mutex. What the rows mean is decided in `engine.core.shares`.
"""

from __future__ import annotations

from dataclasses import asdict

from sqlalchemy import Connection, Engine, delete, insert, select

from engine.clock import Clock
from engine.core.shares import Ask, Share, answer
from engine.ledger.budget import REQUESTS, locked, seconds_now
from engine.ledger.database import patiently, writing
from engine.ledger.holder import is_dead
from engine.ledger.recorded import tampered
from engine.ledger.tables import call_share as table


class AccountShares:
    """One holder's share of the ``slots`` calls that an account takes at once."""

    def __init__(self, engine: Engine, clock: Clock, account: str, slots: int, holder: str) -> None:
        self._engine = engine
        self._clock = clock
        self._account = account
        self._slots = slots
        self._holder = holder

    def ask(self, wanted: int, in_flight: int) -> int:
        """Up to how many calls may be started, while no more than ``in_flight`` are under way."""

        def whole() -> int:
            with writing(self._engine) as connection:
                locked(connection, f"{self._account}:{REQUESTS}")
                before = _read(connection, self._account)
                now = seconds_now(connection, self._clock)
                # The lease of a process that is seen to be dead is free at once, and so are its calls.
                living = [share for share in before if not is_dead(share.holder)]
                found = answer(living, Ask(self._holder, wanted, in_flight), self._slots, now)
                connection.execute(delete(table).where(table.c.account == self._account))
                rows = [{"account": self._account, **asdict(share)} for share in found.shares]
                connection.execute(insert(table), rows)
                return found.limit

        return patiently(whole)

    def leave(self) -> None:
        """Let others have the share; only for a holder with no call under way."""
        mine = (table.c.account == self._account) & (table.c.holder == self._holder)

        def whole() -> None:
            with writing(self._engine) as connection:
                connection.execute(delete(table).where(mine))

        patiently(whole)


def _read(connection: Connection, account: str) -> list[Share]:
    columns = [column for column in table.c if column.name != "account"]
    rows = connection.execute(select(*columns).where(table.c.account == account)).mappings().all()
    for row in rows:
        if not all(isinstance(row[column.name], column.type.python_type | int) for column in columns):
            raise tampered("The shares of an account's calls cannot be read.", account)
    return [Share(**row) for row in rows]
