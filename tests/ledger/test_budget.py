"""One budget per account: whoever asks, in whatever process, gets slices that follow one another, on both databases."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from engine.clock import Clock, SystemClock, SystemEntropy
from engine.core.breaker import COOL_SECONDS, FAILURES_MAX, Shut
from engine.core.pace import HEADROOM, Pace, Slice
from engine.ledger.budget import AccountBudget

PACE = Pace(100, 1.0)


def budget(engine: Engine, clock: Clock, account: str = "crm", **declared: Pace) -> AccountBudget:
    return AccountBudget(engine, clock, SystemEntropy(), account, declared)


def given(found: Slice | Shut) -> Slice:
    assert isinstance(found, Slice)
    return found


def test_two_users_of_an_account_get_slices_one_after_the_other(engine: Engine) -> None:
    one, other = (budget(engine, SystemClock(), requests=PACE) for _ in range(2))

    slices = [given(user.slice("requests", 1)) for user in (one, other, one, other)]

    together = sum(part.units for part in slices[:-1]) / (PACE.rate * HEADROOM)
    assert slices[0].starts_in == 0.0
    assert slices[-1].starts_in == pytest.approx(together, abs=0.3)
    assert [part.starts_in for part in slices] == sorted(part.starts_in for part in slices)


def test_accounts_and_units_do_not_share(engine: Engine) -> None:
    crm = budget(engine, SystemClock(), requests=PACE, records=PACE)
    other = budget(engine, SystemClock(), account="mail", requests=PACE)
    crm.slice("requests", 1_000)

    assert given(crm.slice("records", 1)).starts_in == 0.0
    assert given(other.slice("requests", 1)).starts_in == 0.0


def test_silence_that_one_user_was_asked_for_holds_for_all(engine: Engine) -> None:
    budget(engine, SystemClock()).hold(30.0)

    assert given(budget(engine, SystemClock()).slice("requests", 1)).starts_in == pytest.approx(30.0, abs=1.0)


def test_a_pace_that_one_user_learned_is_everybodys(engine: Engine) -> None:
    budget(engine, SystemClock()).throttled(observed=40.0, wait_seconds=0.0)

    assert given(budget(engine, SystemClock()).slice("requests", 1)).interval == pytest.approx(1 / 20, rel=0.3)


def test_failures_of_several_users_open_the_circuit_for_all_and_an_answer_closes_it(engine: Engine) -> None:
    one, other = (budget(engine, SystemClock()) for _ in range(2))
    for number in range(FAILURES_MAX):
        (one if number % 2 else other).failed()

    later = budget(engine, SystemClock())
    assert 0.0 < later.circuit_wait() <= 1.2 * COOL_SECONDS
    assert isinstance(later.slice("requests", 1), Shut)

    one.answered()
    assert later.circuit_wait() == 0.0
    assert not given(later.slice("requests", 1)).suspect


def test_a_failure_makes_the_next_slice_suspect_so_that_an_answer_is_told(engine: Engine) -> None:
    budget(engine, SystemClock()).failed()

    assert given(budget(engine, SystemClock()).slice("requests", 1)).suspect
