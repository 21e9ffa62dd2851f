"""Open alerts, what channels know of them, and how runs ended, as folds of the log on both databases."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from engine.core.events import AlertClosed, AlertOpened, AlertsTold, AlertsUntold
from engine.core.names import ALERT_STREAM, RunId, run_stream
from engine.core.objectives import Ran
from engine.errors import LedgerConflict
from engine.ledger.log import Ledger
from engine.ledger.projection import rebuild, snapshot
from engine.ledger.projections import alerts, courses
from engine.ledger.projections.alerts import Telling
from tests.ledger.facts import CRM, StillClock, finished, started

ID = "sync.failing:customers_to_crm"


def opening(alert: str = ID) -> AlertOpened:
    kind, _, subject = alert.partition(":")
    nothing: tuple[str, ...] = ()
    return AlertOpened(
        alert, kind, subject, "ticket", "2026-01-02T03:04:05+00:00", "w", "", "auth", nothing, nothing, nothing, nothing, nothing
    )  # fmt: skip


def test_an_alert_opens_closes_and_opens_anew_with_nobody_told(
    engine: Engine, ledger: Ledger, clock: StillClock
) -> None:
    began = clock.now()
    ledger.append(ALERT_STREAM, opening(), AlertsTold("oncall", (1,), ()))
    clock.advance(60)
    ledger.append(ALERT_STREAM, AlertClosed(ID), AlertsTold("oncall", (), (1,)))

    (row,) = alerts.listing(engine)
    assert (row.event, row.opening, row.opened_at, row.closed_at) == (opening(), 1, began, clock.now())
    assert row.told == {"oncall": Telling(opened=True, closed=True, failures=0, failed_at=None, why="")}

    ledger.append(ALERT_STREAM, opening())

    (row,) = alerts.listing(engine)
    assert (row.opening, row.closed_at, row.told) == (5, None, {})


def test_failures_of_a_channel_are_counted_until_it_takes_a_message(
    engine: Engine, ledger: Ledger, clock: StillClock
) -> None:
    ledger.append(ALERT_STREAM, opening(), AlertsUntold("oncall", (1,), (), "first"))
    clock.advance(60)
    ledger.append(ALERT_STREAM, AlertsUntold("oncall", (1,), (), "second"))

    assert alerts.listing(engine)[0].told == {"oncall": Telling(False, False, 2, clock.now(), "second")}
    ledger.append(ALERT_STREAM, AlertsTold("oncall", (1,), ()))
    assert alerts.listing(engine)[0].told == {"oncall": Telling(True, False, 0, None, "")}


def test_an_open_alert_does_not_open_and_a_closed_one_does_not_close(engine: Engine, ledger: Ledger) -> None:
    with pytest.raises(LedgerConflict, match="is not open"):
        ledger.append(ALERT_STREAM, AlertClosed(ID))
    ledger.append(ALERT_STREAM, opening())
    with pytest.raises(LedgerConflict, match="is open"):
        ledger.append(ALERT_STREAM, opening())
    ledger.append(ALERT_STREAM, AlertClosed(ID))
    with pytest.raises(LedgerConflict, match="is not open"):
        ledger.append(ALERT_STREAM, AlertClosed(ID))
    assert ledger.head(ALERT_STREAM) == 2


def test_how_runs_ended_is_told_with_the_last_level_one_before(
    engine: Engine, ledger: Ledger, clock: StillClock
) -> None:
    begun = clock.now()
    for number, status in enumerate(("succeeded", "failed", "succeeded", "held", "blocked")):
        run = RunId(f"run-{number}")
        ledger.append(run_stream(run), started(run))
        clock.advance(60)
        ledger.append(run_stream(run), finished(run, status=status))

    found = courses.ends(engine, CRM, begun + timedelta(minutes=3))

    def ran(minute: int, *, is_level: bool = False, is_failure: bool = False) -> Ran:
        ended = begun + timedelta(minutes=minute + 1)
        return Ran(ended - timedelta(minutes=1), ended, is_level, is_failure)

    assert found == [ran(2, is_level=True), ran(3), ran(4, is_failure=True)]


def test_alerts_are_the_same_when_they_are_folded_again(engine: Engine, ledger: Ledger) -> None:
    ledger.append(
        ALERT_STREAM, opening(), opening("a:b"), AlertsUntold("c", (1, 2), (), "why"), AlertsTold("c", (2,), ())
    )
    ledger.append(ALERT_STREAM, AlertClosed("a:b"), AlertClosed(ID), opening())
    ledger.append(run_stream(RunId("r")), started(RunId("r")), finished(RunId("r")))
    grown = snapshot(engine)

    rebuild(engine)

    assert snapshot(engine) == grown
    assert all(grown[table] for table in ("alert", "alert_told", "run_end"))
