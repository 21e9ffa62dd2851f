"""What a daemon decides when it wakes: turns are taken once, within limits, and those that were left are gone on with."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Engine, event

from engine.core.events import TurnTaken
from engine.core.names import SyncId, VersionNumber, dataset_stream, run_stream, schedule_stream
from engine.core.turns import AHEAD_MAX, Turn
from engine.errors import StaleEpoch
from engine.faces.daemon.duty import AGAIN_SECONDS, ATTEMPTS_MAX
from engine.ledger.database import open_database
from engine.ledger.lease import acquire, release
from engine.ledger.log import Ledger
from engine.service.turn_log import TurnLog
from engine.service.turn_run import had_its_run
from tests.daemon.stations import BOUNDS, LEASE_SECONDS, Run, Station, following, minutely, moments, turns
from tests.ledger.facts import CUSTOMERS, StillClock, accepted, finished, unchanged


@pytest.fixture
def engine(migrated: Path, tmp_path: Path) -> Iterator[Engine]:
    shutil.copyfile(migrated, tmp_path / "ledger.db")
    opened = open_database(f"sqlite:///{tmp_path / 'ledger.db'}")
    opened.dispose()
    # What a crash of the machine would lose no test can see, and tests need not wait for the disk.
    event.listen(opened, "connect", lambda connection, _: connection.execute("PRAGMA synchronous=OFF"))
    yield opened
    opened.dispose()


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def runs() -> list[Run]:
    return []


@pytest.fixture
def here(engine: Engine, clock: StillClock, runs: list[Run]) -> Station:
    return Station(engine, clock, "here", runs)


@pytest.fixture
def there(engine: Engine, clock: StillClock, runs: list[Run]) -> Station:
    return Station(engine, clock, "there", runs)


def end(runs: list[Run], status: str = "succeeded") -> None:
    runs.pop(0).end(status)


def test_of_two_daemons_one_takes_a_turn_and_it_ends_once(
    here: Station, there: Station, clock: StillClock, runs: list[Run]
) -> None:
    here.load(minutely())
    there.load(minutely())
    clock.advance(5)
    for station in (here, there):
        station.tick()
    assert runs == []

    clock.advance(LEASE_SECONDS - 6)
    for station in (here, there):
        station.tick()
    for _ in range(5):
        clock.advance(10)
        for station in (here, there):
            station.tick()
    assert len(runs) == 1

    end(runs, "partial")
    for station in (there, here):
        station.tick()
    assert turns(here.ledger) == [("2026-01-02T03:05:00+00:00", 0, "partial")]
    assert len(list(here.ledger.read(schedule_stream(SyncId("s"))))) == 3


def test_of_two_daemons_that_saw_the_same_one_takes_the_turn(here: Station, there: Station, clock: StillClock) -> None:
    here.load(minutely())
    ours, theirs = TurnLog(here.ledger), TurnLog(there.ledger)
    seen = ours.changed({}, [SyncId("s")])[SyncId("s")]
    found = Turn(clock.now(), None, 0)

    assert ours.take(SyncId("s"), seen, "cron", found, here.fence) is not None
    assert theirs.take(SyncId("s"), seen, "cron", found, there.fence) is None
    assert len(here.ledger.tail(5, schedule_stream(SyncId("s")), TurnTaken)) == 1


def test_what_a_daemon_left_another_goes_on_with_when_its_lease_ends(
    here: Station, there: Station, clock: StillClock, runs: list[Run]
) -> None:
    here.load(minutely())
    there.load(minutely())
    _advanced(clock, 56, here, there)
    assert [run.station for run in runs] == [here]
    runs.pop().break_off_with(here)

    _advanced(clock, LEASE_SECONDS - 2, there)
    assert runs == []
    _advanced(clock, 3, there)
    assert [run.station for run in runs] == [there]

    end(runs)
    newest = here.ledger.tail(1, schedule_stream(SyncId("s")), TurnTaken)[0].event
    assert isinstance(newest, TurnTaken)
    assert newest.again
    assert [status for _, _, status in turns(here.ledger)] == ["succeeded"]


def test_a_run_that_outlives_its_daemon_is_waited_for_and_not_run_again(
    here: Station, there: Station, clock: StillClock, runs: list[Run]
) -> None:
    here.load(minutely())
    there.load(minutely())
    _advanced(clock, 56, here, there)
    here.die()
    _advanced(clock, 40, there)
    (run,) = runs
    assert run.station is here

    end(runs, "partial")
    _advanced(clock, 1, there)

    assert turns(there.ledger) == [("2026-01-02T03:05:00+00:00", 0, "partial")]
    assert [run.station for run in runs] == []


def test_a_run_that_starts_late_sees_that_its_turn_was_taken_over_or_had_its_run(
    here: Station, there: Station, clock: StillClock, runs: list[Run]
) -> None:
    tools: Any = SimpleNamespace(ledger=here.ledger, database=here.engine)
    here.load(minutely())
    there.load(minutely())
    _advanced(clock, 56, here, there)
    assert had_its_run(tools, SyncId("s"), here.fence) is None

    runs.pop().break_off_with(here)
    _advanced(clock, LEASE_SECONDS + 5, there)
    with pytest.raises(StaleEpoch):
        had_its_run(tools, SyncId("s"), here.fence)
    assert had_its_run(tools, SyncId("s"), there.fence) is None

    (run,) = runs
    here.ledger.append(run_stream(run.id), finished(run.id, run.sync))
    had = had_its_run(tools, SyncId("s"), there.fence)
    assert had is not None
    assert had.run == run.id


def test_a_daemon_that_drained_hands_its_open_turn_over_at_once(
    here: Station, there: Station, clock: StillClock, runs: list[Run]
) -> None:
    here.load(minutely())
    there.load(minutely())
    _advanced(clock, 56, here, there)
    here.tick(may_take=False)
    here.duty.under_way[SyncId("s")].asked = 1
    runs.pop().stopped()
    here.leave()

    there.tick(may_take=False)
    assert there.duty.waits
    there.tick()

    assert [run.station for run in runs] == [there]


def test_a_run_that_breaks_is_begun_again_a_few_times_with_pauses_and_then_ended(
    here: Station, clock: StillClock, runs: list[Run]
) -> None:
    here.load(minutely())
    _advanced(clock, 56, here)
    for attempt in range(1, ATTEMPTS_MAX):
        runs.pop().break_off()
        here.tick()
        assert runs == []
        _advanced(clock, AGAIN_SECONDS * attempt + 1, here)
        assert len(runs) == 1
    runs.pop().break_off()

    assert [status for _, _, status in turns(here.ledger)] == ["crashed"]


def test_a_sync_that_somebody_else_runs_is_left_alone_until_then(
    here: Station, clock: StillClock, runs: list[Run]
) -> None:
    here.load(minutely())
    by_hand = acquire(here.engine, clock, "sync:s", "elsewhere:a person", 10_000.0)
    _advanced(clock, 200, here)
    assert runs == []

    release(here.engine, by_hand)
    here.tick()

    assert len(runs) == 1
    end(runs)
    assert turns(here.ledger) == [("2026-01-02T03:07:00+00:00", 2, "succeeded")]


def test_limits_hold_overall_and_per_destination_and_per_connection(
    here: Station, clock: StillClock, runs: list[Run]
) -> None:
    tight = replace(BOUNDS, concurrency=3, per_destination=1, per_connection=2)
    here.load(
        minutely("a", destination="x", lake="one"),
        minutely("b", destination="x", lake="two"),
        minutely("c", destination="y", lake="one"),
        minutely("d", destination="z", lake="one"),
        minutely("e", destination="v", lake="two"),
        minutely("f", destination="w", lake="three"),
        bounds=tight,
    )
    _advanced(clock, 56, here)
    assert {run.sync for run in runs} == {"a", "c", "e"}

    end(runs)
    here.tick()
    assert {run.sync for run in runs} == {"c", "e", "b"}


def test_a_sync_that_follows_a_dataset_runs_for_each_new_version_once(
    here: Station, there: Station, clock: StillClock, runs: list[Run]
) -> None:
    here.load(following())
    there.load(following())
    _advanced(clock, 3, here, there)
    assert runs == []

    here.ledger.append(dataset_stream(CUSTOMERS), accepted(1), accepted(2))
    _advanced(clock, 1, here, there)
    assert len(runs) == 1
    end(runs)
    here.ledger.append(dataset_stream(CUSTOMERS), unchanged(2))
    _advanced(clock, 3, here, there)

    assert runs == []
    (taken,) = here.ledger.tail(5, schedule_stream(SyncId("s")), TurnTaken)
    assert isinstance(taken.event, TurnTaken)
    assert taken.event.version == VersionNumber(2)


@pytest.mark.parametrize("step", [timedelta(hours=1), timedelta(hours=-1)])
def test_a_step_of_the_clock_runs_no_moment_twice_and_leaves_none_out(
    here: Station, clock: StillClock, runs: list[Run], step: timedelta
) -> None:
    here.load(minutely())
    for _ in range(5):
        _advanced(clock, 30, here)
        if runs:
            end(runs)
    clock.advance(step.total_seconds())
    here.lease = acquire(here.engine, clock, "daemon:after the step", "elsewhere:here", LEASE_SECONDS)
    for _ in range(3 * 65):
        _advanced(clock, 20, here)
        if runs:
            end(runs)

    found = moments(turns(here.ledger))
    assert found == sorted(set(found))
    assert {later - earlier for earlier, later in pairwise(found)} == {timedelta(minutes=1)}
    assert found[-1] + timedelta(minutes=1) > clock.now()


def test_a_clock_that_ran_years_ahead_does_not_stop_a_sync(here: Station, clock: StillClock, runs: list[Run]) -> None:
    here.load(minutely())
    clock.advance(AHEAD_MAX.total_seconds() * 400)
    here.lease = acquire(here.engine, clock, "daemon:ahead", "elsewhere:here", LEASE_SECONDS)
    here.tick()
    end(runs)
    clock.advance(-AHEAD_MAX.total_seconds() * 400)
    here.lease = acquire(here.engine, clock, "daemon:back", "elsewhere:here", LEASE_SECONDS)
    here.duty.due(SyncId("s"))
    _advanced(clock, 130, here)

    assert len(runs) == 1


@pytest.mark.parametrize("seed", range(4))
def test_whatever_dies_when_every_moment_is_run_exactly_once_and_nothing_twice_at_once(
    engine: Engine, clock: StillClock, runs: list[Run], seed: int
) -> None:
    dice, syncs = random.Random(seed), [minutely("s"), minutely("t")]
    stations = [Station(engine, clock, f"{n}", runs).load(*syncs) for n in range(2)]
    named = 2
    for _ in range(250):
        clock.advance(dice.uniform(0, 8))
        for n, station in enumerate(stations):
            if dice.random() < 0.05:
                station.die()
                stations[n], named = Station(engine, clock, f"{named}", runs).load(*syncs), named + 1
            else:
                station.tick()
        for run in [run for run in runs if dice.random() < 0.15]:
            runs.remove(run)
            if dice.random() < 0.8:
                run.end(dice.choice(["succeeded", "unchanged", "failed"]))
            else:
                run.break_off()
    for _ in range(20):
        _advanced(clock, 5, *stations)
        for run in list(runs):
            runs.remove(run)
            run.end()

    ledger = Ledger(engine, clock, "judge")
    for name in ("s", "t"):
        found = moments(turns(ledger, name))
        assert len(found) > 15, f"seed {seed}"
        assert found == sorted(set(found)), f"seed {seed}"
        assert {b - a for a, b in pairwise(found)} == {timedelta(minutes=1)}, f"seed {seed}"


def _advanced(clock: StillClock, seconds: float, *stations: Station) -> None:
    """Let time pass, with a look of each every few seconds, so that leases last."""
    while seconds > 0:
        clock.advance(min(seconds, 10))
        seconds -= 10
        for station in stations:
            station.tick()
