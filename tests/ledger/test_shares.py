"""Calls at once that an account takes, shared in rows by whoever asks, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Engine, select, update

from engine.clock import SystemClock, SystemEntropy
from engine.core.pace import Pace
from engine.core.shares import HOLD_SECONDS
from engine.errors import LedgerTampered
from engine.ledger.budget import AccountBudget
from engine.ledger.holder import holder_name
from engine.ledger.shares import AccountShares
from engine.ledger.tables import call_share


def shares(engine: Engine, holder: str, account: str = "crm") -> AccountShares:
    return AccountShares(engine, SystemClock(), account, 4, holder)


def test_two_holders_share_what_an_account_takes_at_once_and_one_that_leaves_gives_all(engine: Engine) -> None:
    one, other = shares(engine, "one"), shares(engine, "other")
    assert one.ask(4, 0) == 4
    assert other.ask(4, 0) == 0

    assert one.ask(4, 4) == 2
    assert one.ask(4, 2) == 2
    assert other.ask(4, 0) == 2

    one.leave()
    assert other.ask(4, 2) == 4


def test_accounts_do_not_share(engine: Engine) -> None:
    assert shares(engine, "one").ask(4, 0) == 4
    assert shares(engine, "one", account="mail").ask(4, 0) == 4


def test_those_who_ask_at_the_same_moment_never_get_more_than_there_are(engine: Engine) -> None:
    holders = [shares(engine, f"holder {number}") for number in range(8)]
    with ThreadPoolExecutor(8) as together:
        limits = list(together.map(lambda holder: holder.ask(4, 0), holders))

    assert sum(limits) == 4


def test_what_a_process_that_is_seen_to_be_dead_had_is_free_at_once(engine: Engine) -> None:
    host, _, mark, token = holder_name(SystemEntropy()).rsplit(":", 3)
    living = holder_name(SystemEntropy())
    dead = f"{host}:{2**22 + 1}:{mark}:{token}"  # no Linux has so large a pid

    assert shares(engine, f"{living}-people").ask(1, 0) == 1
    assert shares(engine, f"{dead}-people").ask(3, 0) == 3
    assert shares(engine, "later").ask(4, 0) == 3


def test_what_a_silent_holder_had_is_free_when_its_share_has_ended(engine: Engine) -> None:
    assert shares(engine, "elsewhere:1:2-3:4").ask(4, 0) == 4
    later = shares(engine, "here")
    assert later.ask(4, 0) == 0

    ended = SystemClock().now() - timedelta(seconds=1)
    with engine.begin() as connection:  # its time goes by
        mine = call_share.c.holder == "here"
        connection.execute(update(call_share).where(~mine).values(expires_at=ended.timestamp()))

    assert later.ask(4, 0) == 4
    with engine.connect() as connection:
        (row,) = connection.execute(select(call_share)).all()
    assert row.expires_at == pytest.approx(SystemClock().now().timestamp() + HOLD_SECONDS, abs=5)


def test_asking_leaves_the_pace_of_the_account_as_it_is(engine: Engine) -> None:
    budget = AccountBudget(engine, SystemClock(), SystemEntropy(), "crm", {"requests": Pace(10, 1)})
    budget.hold(30.0)
    before = budget.standing().held_until

    shares(engine, "one").ask(4, 0)

    assert budget.standing().held_until == before


def test_a_share_that_is_no_number_is_told_as_damage(engine: Engine) -> None:
    shares(engine, "one").ask(4, 0)
    if engine.dialect.name == "postgresql":
        pytest.skip("PostgreSQL keeps only numbers in the column")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE call_share SET granted = 'many'")

    with pytest.raises(LedgerTampered, match="shares of an account's calls"):
        shares(engine, "other").ask(4, 0)
