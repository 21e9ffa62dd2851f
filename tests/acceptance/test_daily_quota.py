"""A day that is used up parks what is owed until it resets; other destinations are served meanwhile (D21)."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.projects import TestProject
from tests.receiver import Receiver, receiving

UNTIL = r"until \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def rate(**units: int) -> dict[str, object]:
    """A quota that resets in half a day, so that no test meets its reset."""
    return {"daily": {**units, "resets": f"{datetime.now(UTC) + timedelta(hours=12):%H:%M}", "timezone": "UTC"}}


def passes(project: TestProject, change: str) -> None:
    """Time goes by for the account."""
    with closing(sqlite3.connect(project.folder / ".tidegate" / "ledger.db")) as ledger, ledger:
        ledger.execute(f"UPDATE rate_budget SET {change}")


@pytest.mark.slow
def test_a_run_ends_paused_when_the_day_is_used_up_and_the_day_after_goes_on(
    project: TestProject, receiver: Receiver
) -> None:
    project.people({i: (f"p{i}", None) for i in range(8)})
    project.destination("hook", receiver.url, batch={"records": 1}, rate=rate(requests=5))

    first = project.report()
    assert (first["status"], first["exit"], first["requests"]) == ("paused", 1, 5)
    assert re.search(r"daily quota of 5 requests is used up; it resets at \d{4}-.*Z; 3 failed of 8", first["reason"])
    second = project.report()
    assert (second["status"], second["exit"], second["run"]) == ("paused", 1, "")
    assert second["reason"] in first["reason"]
    assert len(receiver.journal) == 5

    passes(project, "day_ends = 1")
    assert project.report()["status"] == "succeeded"
    assert len(receiver.records) == 8
    assert project.report()["status"] == "unchanged"


def test_records_have_a_day_of_their_own_and_no_batch_is_larger_than_it(
    project: TestProject, receiver: Receiver
) -> None:
    project.people({i: (f"p{i}", None) for i in range(25)})
    project.destination("hook", receiver.url, rate=rate(records=10))

    report = project.report()

    assert (report["status"], report["delivered"]["inserts"]) == ("paused", 10)
    assert "10 records is used up" in report["reason"]


@pytest.mark.slow
def test_a_database_has_a_day_of_calls_too(tmp_path: Path) -> None:
    project = TestProject(tmp_path, "http://127.0.0.1:1")
    project.people({i: (f"p{i}", None) for i in range(8)})
    shop = project.folder / "shop.db"
    with closing(sqlite3.connect(shop)) as database, database:
        database.execute("CREATE TABLE contacts (external_id INTEGER PRIMARY KEY, name TEXT, score REAL)")
    file = {"name": "hook", "type": "sql", "config": {"url": f"sqlite:///{shop}"}}
    project.write("destinations/hook.yaml", {**file, "batch": {"records": 1}, "rate": rate(requests=5)})

    report = project.report()

    assert (report["status"], report["delivered"]["inserts"], report["requests"]) == ("paused", 5, 5)
    assert "daily quota of 5 requests is used up" in report["reason"]
    passes(project, "day_ends = 1")
    assert project.report()["status"] == "succeeded"
    assert project.report()["status"] == "unchanged"


def test_a_quota_stops_all_syncs_of_its_account_and_no_other(project: TestProject, receiver: Receiver) -> None:
    project.people({i: (f"p{i}", None) for i in range(4)})
    project.destination("hook", receiver.url, batch={"records": 2}, rate=rate(requests=2))
    project.sync("more_to_hook", object="others")
    with receiving() as other:
        project.destination("mail", other.url)
        project.sync("people_to_mail", destination="mail")

        reports = project.run("--json", "run", "people_to_hook", "more_to_hook", "people_to_mail").json

        assert [report["status"] for report in reports] == ["succeeded", "paused", "succeeded"]
        assert (len(receiver.journal), len(other.records)) == (2, 4)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["throttled for hours", "the last call of a day"])
def test_a_day_that_the_destination_ends_is_kept_by_every_later_run(
    project: TestProject, receiver: Receiver, how: str
) -> None:
    project.people({i: (f"p{i}", None) for i in range(3)})
    project.destination("hook", receiver.url, batch={"records": 1}, rate={"concurrency": 1})
    if how == "throttled for hours":
        receiver.answer = lambda _body: (429, {"retry-after": "7200"}, b"")
    else:
        receiver.headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "7200"}

    first, second = project.report(), project.run_process("--json", "run", "people_to_hook").json[0]

    assert (first["status"], second["status"], len(receiver.journal)) == ("paused", "paused", 1)
    assert re.search(f"asked for no calls {UNTIL}", first["reason"])
    assert second["reason"] in first["reason"]

    receiver.answer, receiver.headers = lambda _body: None, {}
    passes(project, "held_until = 0, free_at = 0")
    assert project.report()["status"] == "succeeded"
