from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import Engine, text

from engine.clock import SystemClock, SystemEntropy
from engine.errors import Busy, LedgerError, StaleEpoch
from engine.ledger.holder import holder_name
from engine.ledger.lease import Fence, HeldLease, acquire, release, renew
from engine.ledger.log import Ledger
from engine.ledger.projection import snapshot
from tests.ledger.facts import STREAM, StillClock, planned, started

NAME = "sync:customers_to_crm"


class Time:
    """Lets a lease run out: by the clock on SQLite, by the row on PostgreSQL, whose time is the database's."""

    def __init__(self, engine: Engine, clock: StillClock) -> None:
        self._engine = engine
        self._clock = clock

    def run_out(self, seconds: float) -> None:
        self._clock.advance(seconds)
        if self._engine.dialect.name == "postgresql":
            with self._engine.begin() as connection:
                connection.execute(text("UPDATE lease SET expires_at = '2026-01-01T00:00:00.000000Z'"))


@pytest.fixture
def passing(engine: Engine, clock: StillClock) -> Time:
    return Time(engine, clock)


def test_a_held_lease_makes_others_busy_and_says_who_holds_it(engine: Engine, clock: StillClock) -> None:
    holder = holder_name(SystemEntropy())
    acquire(engine, clock, NAME, holder, 15)
    with pytest.raises(Busy, match=f"is held by {holder} until 20.. *") as caught:
        acquire(engine, clock, NAME, "second", 15)
    assert caught.value.exit_code == 6


def test_each_acquisition_has_the_next_epoch(engine: Engine, clock: StillClock, passing: Time) -> None:
    first = acquire(engine, clock, NAME, "a", 15)
    release(engine, first)
    second = acquire(engine, clock, NAME, "b", 15)
    passing.run_out(16)
    third = acquire(engine, clock, NAME, "c", 15)
    assert [first.epoch, second.epoch, third.epoch] == [1, 2, 3]
    assert acquire(engine, clock, "sync:another", "a", 15).epoch == 1


def test_a_lease_that_ran_out_is_taken_over_and_cannot_be_renewed(
    engine: Engine, clock: StillClock, passing: Time
) -> None:
    first = acquire(engine, clock, NAME, "a", 15)
    passing.run_out(16)
    with pytest.raises(StaleEpoch):
        renew(engine, clock, first)
    second = acquire(engine, clock, NAME, "b", 15)
    release(engine, first)
    with pytest.raises(Busy):
        acquire(engine, clock, NAME, "c", 15)
    assert renew(engine, clock, second).epoch == second.epoch


def test_a_renewed_lease_outlasts_its_first_end(engine: Engine, clock: StillClock) -> None:
    if engine.dialect.name == "postgresql":
        lease = acquire(engine, clock, NAME, "a", 0.4)
        time.sleep(0.2)
        renewed = renew(engine, clock, lease)
        assert (renewed.expires_at - lease.expires_at).total_seconds() >= 0.2
        return
    lease = acquire(engine, clock, NAME, "a", 15)
    clock.advance(10)
    renew(engine, clock, lease)
    clock.advance(10)
    with pytest.raises(Busy):
        acquire(engine, clock, NAME, "b", 15)


def test_of_racing_acquirers_one_wins(engine: Engine, clock: StillClock) -> None:
    gate = threading.Barrier(6)
    won: list[int] = []
    lost: list[str] = []

    def attempt(number: int) -> None:
        gate.wait()
        try:
            won.append(acquire(engine, clock, NAME, f"holder-{number}", 15).epoch)
        except Busy as error:
            lost.append(error.what)

    for round_number in range(1, 6):
        threads = [threading.Thread(target=attempt, args=(n,)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == round_number, "exactly one acquirer wins each round"
        with engine.begin() as connection:
            connection.execute(text("UPDATE lease SET released = :yes"), {"yes": True})
    assert won == [1, 2, 3, 4, 5]
    assert len(lost) == 25


def test_an_append_under_the_current_epoch_is_written(engine: Engine, ledger: Ledger, clock: StillClock) -> None:
    lease = acquire(engine, clock, NAME, "a", 15)
    assert ledger.append(STREAM, started(), fence=Fence(NAME, lease.epoch)) == 1


@pytest.mark.parametrize("reason", ["taken over", "ran out", "released", "unknown"])
def test_a_stale_epoch_writes_nothing(
    engine: Engine, ledger: Ledger, clock: StillClock, passing: Time, reason: str
) -> None:
    lease = acquire(engine, clock, NAME, "zombie", 15)
    fence = Fence(NAME, lease.epoch)
    ledger.append(STREAM, started(), fence=fence)
    before = snapshot(engine)
    match reason:
        case "taken over":
            passing.run_out(16)
            acquire(engine, clock, NAME, "successor", 15)
        case "ran out":
            passing.run_out(16)
        case "released":
            release(engine, lease)
        case _:
            fence = Fence("sync:another", 1)

    with pytest.raises(StaleEpoch):
        ledger.append(STREAM, planned(), fence=fence)
    with pytest.raises(StaleEpoch), ledger.transaction(fence) as transaction:
        transaction.append(STREAM, planned())

    assert ledger.head(STREAM) == 1
    assert snapshot(engine) == before


def test_a_takeover_waits_for_the_append_that_was_let_in(engine: Engine, ledger: Ledger, clock: StillClock) -> None:
    lease = acquire(engine, clock, NAME, "a", 15)
    taken = threading.Event()

    def take_over() -> None:
        release(engine, lease)
        acquire(engine, clock, NAME, "b", 15)
        taken.set()

    thread = threading.Thread(target=take_over)
    with ledger.transaction(Fence(NAME, lease.epoch)) as transaction:
        thread.start()
        assert not taken.wait(0.3), "the lease was taken while an append under it was open"
        transaction.append(STREAM, started())
    thread.join()
    assert taken.is_set()
    assert ledger.head(STREAM) == 1


def test_the_heartbeat_keeps_a_lease_beyond_its_length(engine: Engine) -> None:
    clock = SystemClock()
    with HeldLease(engine, clock, NAME, "a", 0.6) as lease:
        until = time.monotonic() + 1.2
        while time.monotonic() < until:
            with pytest.raises(Busy):
                acquire(engine, clock, NAME, "b", 0.6)
            assert not lease.lost
            time.sleep(0.05)
    assert acquire(engine, clock, NAME, "b", 0.6).epoch == lease.fence.epoch + 1


def test_a_holder_whose_lease_was_taken_knows_at_its_next_beat(engine: Engine) -> None:
    with HeldLease(engine, SystemClock(), NAME, "a", 60) as lease:
        with engine.begin() as connection:
            connection.execute(text("UPDATE lease SET epoch = epoch + 1, holder = 'b'"))
        assert not lease.lost
        lease.renew()
        assert lease.lost
    with pytest.raises(Busy, match="held by b"):
        acquire(engine, SystemClock(), NAME, "c", 60)


def test_a_holder_that_cannot_renew_stops_before_the_lease_ends(engine: Engine, clock: StillClock) -> None:
    with HeldLease(engine, clock, NAME, "a", 60) as lease:
        clock.advance(53)
        assert not lease.lost
        clock.advance(2)
        assert lease.lost
        lease.renew()
        assert lease.lost, "what was lost once is not found again"


def test_a_ledger_that_is_away_for_a_beat_does_not_lose_the_lease(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with HeldLease(engine, SystemClock(), NAME, "a", 60) as lease:
        with monkeypatch.context() as away:

            def unreachable(*_: object) -> None:
                raise LedgerError("The ledger's database failed.")

            away.setattr("engine.ledger.lease.renew", unreachable)
            lease.renew()
        assert not lease.lost
        lease.renew()
        assert not lease.lost
