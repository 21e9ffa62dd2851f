"""`tidegate status` is what an operator opens first: how fresh, how far, what is set aside, what is left of the day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from engine.faces.cli.look import status_view
from engine.faces.cli.plain import age
from engine.service.accounts import AccountReport
from engine.service.status import SyncStatus
from tests.acceptance.test_quarantine import refusing
from tests.projects import TestProject
from tests.receiver import Receiver

SYNC = "people_to_hook"
WIDTH = 100


def status(project: TestProject) -> dict[str, Any]:
    (report,) = project.run("--json", "status").json
    return dict(report)


def pass_time(monkeypatch: pytest.MonkeyPatch, **time: float) -> None:
    later = datetime.now(UTC) + timedelta(**time)
    monkeypatch.setattr("engine.clock.SystemClock.now", lambda _clock: later)


def test_before_the_first_run_there_is_nothing_to_be_fresh_or_late(project: TestProject) -> None:
    told = status(project)

    assert (told["freshness_seconds"], told["lag_seconds"], told["ended_seconds"], told["budget_used"]) == (None,) * 4


def test_what_was_delivered_has_no_lag_and_grows_old_until_the_source_is_read_again(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.given.run("run", SYNC)
    pass_time(monkeypatch, hours=3)
    old = status(project)

    assert 3 * 3_600 <= old["freshness_seconds"] < 4 * 3_600
    assert 3 * 3_600 <= old["ended_seconds"] < 4 * 3_600
    assert old["lag_seconds"] == 0

    project.run("capture", "people")
    assert status(project)["freshness_seconds"] < 1, "it holds the same, and that is news"

    pass_time(monkeypatch, hours=5)
    project.people({})
    project.run("capture", "people")
    assert status(project)["freshness_seconds"] > 3_600, "a read that is refused confirms nothing"


def test_a_version_that_waits_to_be_delivered_is_lag_from_the_moment_of_its_acceptance(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.given.run("run", SYNC)
    for score in (2.5, 3.5):
        project.people({1: ("Ada", score)})
        project.run("capture", "people")
        pass_time(monkeypatch, hours=2)

    told = status(project)

    assert (told["delivered_version"], told["latest_version"]) == (1, 3)
    assert 2 * 3_600 <= told["lag_seconds"] < 3 * 3_600, "since version 2"
    assert "  1/3 " in project.run("status").out


def test_a_record_that_is_owed_is_lag_and_one_that_is_set_aside_is_counted(
    project: TestProject, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.sync(SYNC, rejects={"max_attempts": 1, "stop_ratio": 1.0})
    refusing(receiver, "1")
    project.run("run", SYNC)
    pass_time(monkeypatch, hours=1)

    told = status(project)

    assert (told["held"], told["owed"], told["quarantined"]) == (2, 1, 1)
    assert told["lag_seconds"] >= 3_600


def test_a_sync_that_is_pinned_is_not_late(project: TestProject, monkeypatch: pytest.MonkeyPatch) -> None:
    project.given.run("run", SYNC)
    project.people({1: ("Ada", 1.5), 2: ("Bo", None), 3: (None, 0.2)})
    project.run("run", SYNC)
    assert project.run("rollback", SYNC, "--to", "1", "--yes").code == 0
    pass_time(monkeypatch, hours=1)

    assert status(project)["lag_seconds"] is None
    assert "1 pinned" in project.run("status").out


def test_the_share_of_the_day_that_is_used_is_that_of_the_quota_that_is_nearest(
    project: TestProject, receiver: Receiver
) -> None:
    project.destination("hook", receiver.url, rate={"daily": {"requests": 100, "records": 10}})
    project.report()

    assert status(project)["budget_used"] == 0.3
    assert " 30% " in project.run("status").out


def test_a_row_of_many_digits_stays_within_a_hundred_columns() -> None:
    day = AccountReport("open", 1.0, "", (), None, None)
    row = SyncStatus(
        sync="s" * 20,
        dataset="customers@1",
        destination="crm",
        mode="mirror",
        latest_version=1_234,
        delivered_version=1_233,
        held=12_345_678,
        owed=12_345,
        last_run="r",
        last_status="succeeded",
        last_finished_at="",
        reason="",
        account=day,
        freshness_seconds=86_400.0 * 99,
        lag_seconds=86_400.0 * 99,
        quarantined=12_345,
        budget_used=1.0,
        ended_seconds=59.0,
    )

    lines = [line.plain for line in status_view([row, row])][:3]

    assert lines[1].split() == [
        "s" * 20,
        "1233/1234",
        "99d",
        "99d",
        "12,345,678",
        "12,345",
        "12,345",
        "open",
        "succeeded",
        "59s",
    ]
    assert max(map(len, lines)) <= WIDTH


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, ""), (0, "0s"), (59.9, "59s"), (60, "1m"), (3_599, "59m"), (3_600, "1h"), (86_399, "23h"), (86_400, "1d")],
)
def test_an_age_is_one_number_and_a_unit(seconds: float | None, shown: str) -> None:
    assert age(seconds) == shown
