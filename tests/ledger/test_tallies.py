"""Sums and courses as folds of the log: what metrics and alerts are made of."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import Engine

from engine.core.events import PlanMade
from engine.core.names import RunId, SyncId, dataset_stream, run_stream, sync_stream
from engine.ledger.log import Ledger
from engine.ledger.projection import rebuild, snapshot
from engine.ledger.projections import courses, tallies
from engine.ledger.projections.courses import Course
from engine.ledger.projections.tallies import DETAILS_MAX, OTHER, Counted
from engine.ledger.recorded import newest_told
from tests.ledger.facts import (
    CRM,
    CUSTOMERS,
    accepted,
    blocked,
    dropped,
    finished,
    held,
    intended,
    planned,
    received,
    released,
    started,
    unchanged,
)


def sums(engine: Engine, counted: Counted) -> dict[tuple[str, str], int]:
    return {(t.subject, t.detail): t.amount for t in tallies.listing(engine) if t.counted is counted}


def run(ledger: Ledger, name: str, status: str, *, failed: int = 0, comparison: str | None = None) -> None:
    """A run with one window, from start to end."""
    id = RunId(name)
    plan: PlanMade = planned(id)
    window = received(0, id)
    (batch,) = window.batches
    events = [
        started(id),
        plan if comparison is None else replace(plan, comparison=comparison),
        intended(0, id),
        replace(window, batches=(replace(batch, failed=failed),)),
        finished(id, status=status),
    ]
    ledger.append(run_stream(id), *events)


def test_runs_records_and_effort_are_summed_over_the_whole_log(engine: Engine, ledger: Ledger) -> None:
    run(ledger, "a", "succeeded")
    run(ledger, "b", "failed", failed=2)
    run(ledger, "c", "failed", failed=1)

    assert sums(engine, Counted.RUNS) == {(CRM, "succeeded"): 1, (CRM, "failed"): 2}
    assert sums(engine, Counted.DELIVERED) == {(CRM, "insert"): 3, (CRM, "update"): 3}
    assert sums(engine, Counted.UNDELIVERED) == {(CRM, "failed"): 3}
    assert sums(engine, Counted.EFFORT) == {(CRM, "batches"): 3, (CRM, "requests"): 3, (CRM, "bytes"): 150}
    assert sums(engine, Counted.MILLISECONDS) == {(CRM, "plan"): 1_500, (CRM, "deliver"): 6_000}


def test_captures_and_what_their_checks_found_are_summed(engine: Engine, ledger: Ledger) -> None:
    ledger.append(dataset_stream(CUSTOMERS), accepted(), unchanged(), unchanged(), blocked(), held())

    ends = {(CUSTOMERS, "accepted"): 1, (CUSTOMERS, "unchanged"): 2, (CUSTOMERS, "blocked"): 1, (CUSTOMERS, "held"): 1}
    assert sums(engine, Counted.CAPTURES) == ends
    assert sums(engine, Counted.FINDINGS) == {(CUSTOMERS, "rows/block"): 1, (CUSTOMERS, "rows/hold"): 1}


def test_codes_that_a_destination_makes_up_without_end_are_counted_together(engine: Engine, ledger: Ledger) -> None:
    id, windows = RunId("a"), DETAILS_MAX + 7
    ledger.append(run_stream(id), started(id), planned(id))
    for number in range(windows):
        window = replace(received(number, id), codes={f"code_{number}": 1})
        ledger.append(run_stream(id), intended(number, id), window)

    found = sums(engine, Counted.CODES)

    assert len(found) == DETAILS_MAX + 1
    assert found[CRM, OTHER] == 7
    assert sum(found.values()) == windows


@pytest.mark.parametrize("bad", [blocked, held])
def test_a_dataset_is_bad_since_the_first_refusal_and_until_the_next_good_read(
    engine: Engine, ledger: Ledger, bad: object
) -> None:
    assert callable(bad)
    stream = dataset_stream(CUSTOMERS)
    ledger.append(stream, accepted(), bad(), bad())
    assert courses.all_courses(engine) == {stream: Course(good=1, bad=2)}

    ledger.append(stream, unchanged())

    assert courses.all_courses(engine) == {stream: Course(good=4, bad=None)}


@pytest.mark.parametrize(
    ("status", "failed", "is_level"),
    [
        ("succeeded", 0, True),
        ("unchanged", 0, True),
        ("partial", 0, True),
        ("partial", 1, False),
        ("held", 0, False),
        ("blocked", 0, False),
        ("paused", 0, False),
        ("cancelled", 0, False),
        ("failed", 0, False),
    ],
)
def test_a_sync_is_level_from_the_start_of_the_last_run_that_left_nothing_owed(
    engine: Engine, ledger: Ledger, status: str, failed: int, is_level: bool
) -> None:
    run(ledger, "a", status, failed=failed)

    assert courses.all_courses(engine) == {sync_stream(CRM): Course(1, None) if is_level else Course(None, 5)}


def test_a_run_that_only_removed_people_says_nothing_of_the_rest(engine: Engine, ledger: Ledger) -> None:
    run(ledger, "a", "failed")
    run(ledger, "b", "succeeded", comparison="erasure")
    run(ledger, "c", "blocked")

    assert courses.all_courses(engine) == {sync_stream(CRM): Course(None, 5)}


def test_sums_and_courses_are_the_same_when_they_are_folded_again(engine: Engine, ledger: Ledger) -> None:
    ledger.append(dataset_stream(CUSTOMERS), accepted(), held())
    for number, status in enumerate(("succeeded", "failed", "partial")):
        run(ledger, f"run-{number}", status, failed=number)
    grown = snapshot(engine)

    rebuild(engine)

    assert snapshot(engine) == grown
    assert grown["tally"]
    assert grown["course"]


def test_the_newest_event_of_some_kinds_is_found_in_each_of_many_streams(engine: Engine, ledger: Ledger) -> None:
    streams = [sync_stream(SyncId(f"s{n}")) for n in range(1_200)]
    for stream in streams[:3]:
        ledger.append(stream, released(), dropped(), released())

    found = newest_told(engine, streams, type(dropped()))

    assert {stream: fact.position for stream, fact in found.items()} == dict.fromkeys(streams[:3], 2)
