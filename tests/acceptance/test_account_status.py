"""`tidegate status` says what each account allows, and changes nothing by looking (I29)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.core.breaker import COOL_SECONDS, FAILURES_MAX
from tests.projects import TestProject
from tests.receiver import Receiver


def account(project: TestProject) -> Any:
    return project.run("--json", "status", "people_to_hook").json[0]["account"]


def ledger(project: TestProject) -> list[str]:
    with closing(sqlite3.connect(project.folder / ".tidegate" / "ledger.db")) as database:
        return list(database.iterdump())


def test_an_account_that_nobody_called_has_nothing_to_tell(project: TestProject, receiver: Receiver) -> None:
    project.people({1: ("p", None)})

    assert account(project) == {
        "circuit": "closed",
        "probe_in_seconds": 0.0,
        "held_until": "",
        "daily": [],
        "learned_rate": None,
        "declared_rate": None,
    }
    assert "hook (" not in project.run("status").out


def test_what_is_used_of_a_day_is_told_with_its_reset(project: TestProject, receiver: Receiver) -> None:
    project.people({i: (f"p{i}", None) for i in range(8)})
    resets = f"{datetime.now(UTC) + timedelta(hours=12):%H:%M}"
    daily = {"requests": 1_000, "resets": resets, "timezone": "UTC"}
    project.destination("hook", receiver.url, batch={"records": 1}, rate={"daily": daily})
    project.report()
    before = ledger(project)

    (day,) = account(project)["daily"]

    assert (day["unit"], day["used"], day["limit"]) == ("requests", 8, 1_000)
    assert day["resets_at"].endswith(f"T{resets}:00Z")
    assert "hook (people_to_hook): 8 of 1,000 requests used until 20" in project.run("status").out
    assert ledger(project) == before


def test_an_open_circuit_and_a_silence_are_told_with_their_end(project: TestProject, receiver: Receiver) -> None:
    project.people({i: (f"p{i}", None) for i in range(FAILURES_MAX)})
    project.destination("hook", receiver.url, batch={"records": 1})
    receiver.answer = lambda _body: (503, {"retry-after": "900"}, b"")
    project.report()
    before = ledger(project)

    found = account(project)

    assert found["circuit"] == "closed", "the silence came before so many failures"
    until = datetime.fromisoformat(found["held_until"])
    assert timedelta(minutes=10) < until - datetime.now(UTC) <= timedelta(minutes=15, seconds=1)
    assert "no calls until 20" in project.run("status").out
    assert ledger(project) == before
    with closing(sqlite3.connect(project.folder / ".tidegate" / "ledger.db")) as database, database:
        database.execute(
            "UPDATE rate_budget SET opened = 1, probe_at = ?", [datetime.now(UTC).timestamp() + COOL_SECONDS]
        )
    assert 0 < account(project)["probe_in_seconds"] <= COOL_SECONDS
    assert "hook (people_to_hook): circuit open, probe in " in project.run("status").out


def test_a_pace_that_throttled_calls_led_to_is_told_beside_the_declared_one(
    project: TestProject, receiver: Receiver
) -> None:
    project.people({i: (f"p{i}", None) for i in range(4)})
    project.destination("hook", receiver.url, batch={"records": 1}, rate={"requests": 100, "per": "1s"})
    answers = iter([(429, {"retry-after": "0"}, b"")])
    receiver.answer = lambda _body: next(answers, None)
    project.report()

    found = account(project)

    assert found["declared_rate"] == 100
    assert 80 < found["learned_rate"] < 98
    assert "calls per second of 100 declared" in project.run("status").out
