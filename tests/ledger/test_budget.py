"""One budget per account: whoever asks, in whatever process, gets slices that follow one another, on both databases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from time import monotonic
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, update

from engine.clock import Clock, SystemClock, SystemEntropy
from engine.core.breaker import COOL_SECONDS, FAILURES_MAX, Shut
from engine.core.pace import HEADROOM, Pace, Slice
from engine.core.quota import Quota, Unused, UsedUp, next_reset
from engine.ledger.budget import AccountBudget
from engine.ledger.tables import rate_budget

PACE = Pace(100, 1.0)


def budget(engine: Engine, clock: Clock, account: str = "crm", **declared: Pace) -> AccountBudget:
    return AccountBudget(engine, clock, SystemEntropy(), account, declared)


def daily(engine: Engine, quota: Quota, declared: Mapping[str, Pace] = MappingProxyType({})) -> AccountBudget:
    return AccountBudget(engine, SystemClock(), SystemEntropy(), "crm", declared, {"requests": quota})


def given(found: Slice | Shut | UsedUp) -> Slice:
    assert isinstance(found, Slice)
    return found


def test_two_users_of_an_account_get_slices_one_after_the_other(engine: Engine) -> None:
    one, other = (budget(engine, SystemClock(), requests=PACE) for _ in range(2))

    began = monotonic()
    slices = [given(user.slice("requests", 1)) for user in (one, other, one, other)]
    asked_seconds = monotonic() - began

    together = sum(part.units for part in slices[:-1]) / (PACE.rate * HEADROOM)
    assert slices[0].starts_in == 0.0
    assert together - asked_seconds <= slices[-1].starts_in <= together + 0.01


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
    shut = later.slice("requests", 1)
    assert isinstance(shut, Shut)
    assert 0.0 < shut.wait_seconds <= 1.2 * COOL_SECONDS
    assert "did not answer" in later.silence(600.0)

    one.answered()
    assert later.silence(600.0) == ""
    assert not given(later.slice("requests", 1)).suspect


def a_second_passes(engine: Engine) -> None:
    """What was written is a second older than it was, as if the clock of whoever reads it had gone on."""
    with engine.begin() as connection:
        connection.execute(
            update(rate_budget).values(
                learned_at=rate_budget.c.learned_at - 1.0,
                held_until=rate_budget.c.held_until - 1.0,
                free_at=rate_budget.c.free_at - 1.0,
                seen_at=rate_budget.c.seen_at - 1.0,
            )
        )


def test_throttling_without_a_single_answer_between_opens_the_circuit_and_leaves_the_pace(
    engine: Engine,
) -> None:
    one, other = (budget(engine, SystemClock(), requests=PACE) for _ in range(2))
    for _ in range(4):
        one.throttled(observed=90.0, wait_seconds=0.0)
        a_second_passes(engine)

    assert isinstance(other.slice("requests", 1), Shut)
    one.answered()
    assert given(other.slice("requests", 1)).interval < 1 / (0.85 * PACE.rate)


def test_throttling_with_answers_between_leaves_the_circuit_closed_and_cuts_the_pace(engine: Engine) -> None:
    one = budget(engine, SystemClock(), requests=PACE)
    for _ in range(8):
        one.throttled(observed=90.0, wait_seconds=0.0)
        one.answered()
        a_second_passes(engine)

    assert given(one.slice("requests", 1)).interval > 2 / PACE.rate


def test_a_slice_that_was_given_before_another_user_was_asked_for_silence_is_good_no_more(engine: Engine) -> None:
    one, other = (budget(engine, SystemClock(), requests=PACE) for _ in range(2))
    later = given(other.slice("requests", 1))
    assert other.is_still_good(later)

    one.hold(30.0)

    assert not other.is_still_good(later)


def test_a_slice_that_was_given_before_the_circuit_opened_is_good_no_more_but_a_probe_is(engine: Engine) -> None:
    one, other = (budget(engine, SystemClock(), requests=PACE) for _ in range(2))
    later = given(other.slice("requests", 1))
    for _ in range(FAILURES_MAX):
        one.failed()
    assert not other.is_still_good(later)

    with engine.begin() as connection:  # the pause passes
        connection.execute(update(rate_budget).values(probe_at=1.0))
    probe = given(other.slice("requests", 1))

    assert other.is_still_good(probe)


def test_a_failure_makes_the_next_slice_suspect_so_that_an_answer_is_told(engine: Engine) -> None:
    budget(engine, SystemClock()).failed()

    assert given(budget(engine, SystemClock()).slice("requests", 1)).suspect


def used(found: Slice | Shut | UsedUp) -> float:
    return found.units if isinstance(found, Slice) else 0.0


@pytest.mark.parametrize("declared", [{}, {"requests": PACE}], ids=["without a pace", "with a pace"])
def test_the_users_of_an_account_lease_all_of_its_day_together_and_no_unit_more(
    engine: Engine, declared: dict[str, Pace]
) -> None:
    quota = Quota(500, time(0), ZoneInfo("Europe/Paris"))
    users = [daily(engine, quota, declared) for _ in range(3)]

    total = 0.0
    for number in range(1_000):
        found = users[number % 3].slice("requests", 1)
        total += used(found)
        if isinstance(found, UsedUp):
            break

    assert total == 500
    assert {type(user.slice("requests", 1)) for user in users} == {UsedUp}
    assert "daily quota of 500 requests is used up; it resets at" in users[0].silence(600.0)


def test_a_day_that_is_used_up_is_over_at_the_reset_and_not_before(engine: Engine) -> None:
    quota = Quota(1, time(0), ZoneInfo("UTC"))
    assert given(daily(engine, quota).slice("requests", 1)).units == 1
    spent = daily(engine, quota).slice("requests", 1)
    assert isinstance(spent, UsedUp)
    assert spent.resets_at == next_reset(quota, SystemClock().now().timestamp())

    with engine.begin() as connection:  # the reset passes
        connection.execute(update(rate_budget).values(day_ends=1.0))
    assert given(daily(engine, quota).slice("requests", 1)).units == 1


def test_what_one_user_does_not_use_is_everybodys_again(engine: Engine) -> None:
    quota = Quota(100, time(0), ZoneInfo("UTC"))
    one, other = (daily(engine, quota, {"requests": PACE}) for _ in range(2))
    taken = given(one.slice("requests", 60))
    assert isinstance(other.slice("requests", 60), UsedUp)

    one.give_back("requests", Unused(taken.units - 10, taken.day))

    assert given(other.slice("requests", 60)).units >= 60
