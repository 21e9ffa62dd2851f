"""A decision that falls between the last look and the record of what leaves counts: the window is built anew (I2)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle
from typing import Any

import pytest

from engine.core.events import ConsentDecided, WindowIntended
from engine.delivery import executor
from engine.failpoints import failpoint
from engine.ledger.database import open_database
from engine.ledger.log import Ledger
from tests.ledger.facts import StillClock
from tests.projects import TestProject
from tests.receiver import Receiver

SYNC = "people_to_hook"
COUNT = 12
PEOPLE: dict[int, tuple[str | None, float | None]] = {n: (f"Person {n}", float(n)) for n in range(1, COUNT + 1)}


@pytest.fixture(autouse=True)
def asking(project: TestProject, receiver: Receiver) -> None:
    """Everybody agrees; two records go in a call, eight in a window."""
    project.destination("hook", receiver.url, batch={"records": 2}, rate={"concurrency": 1})
    project.sync(SYNC, mode="upsert", consent={"purpose": "email", "subject": "id"})
    people = {"connection": "lake", "table": "people.parquet"}
    dataset = {"name": "people", "contract": "contracts/people-v1.odcs.yaml", "source": people}
    project.write("datasets/people.yaml", {**dataset, "identifiers": {"id": "id"}})
    project.people(PEOPLE)
    lines = "".join(f"{n},email,granted\n" for n in PEOPLE)
    (project.folder / "list.csv").write_text("subject,purpose,status\n" + lines, encoding="utf-8")
    (project.folder / "suppressed.csv").write_text("id\n3\n", encoding="utf-8")
    done(project.given, "consent", "import", str(project.folder / "list.csv"))


def done(project: TestProject, *arguments: str) -> None:
    ended = project.run(*arguments)
    assert ended.code == 0, ended


def withdraw(project: TestProject, subject: int) -> None:
    done(project, "consent", "withdraw", "--subject", str(subject), "--purpose", "email")


def forget(project: TestProject) -> None:
    """The sync is held by the run under way, which is told in the exit code; the suppression counts at once."""
    project.run("forget", "3", "--reason", "request 17")


def suppress(project: TestProject) -> None:
    done(project, "suppress", "import", str(project.folder / "suppressed.csv"), "--kind", "id")


def in_between(monkeypatch: pytest.MonkeyPatch, *acts: Callable[[], None]) -> list[str]:
    """Have each act happen once, between a look and the record of its window; returns the points that were passed."""
    left, passed = list(acts), list[str]()

    def point(name: str) -> None:
        passed.append(name)
        if name == "window.before_intent" and left:
            left.pop(0)()
        failpoint(name)

    monkeypatch.setattr(executor, "failpoint", point)
    return passed


def events(project: TestProject) -> list[Any]:
    engine = open_database(f"sqlite:///{project.folder / '.tidegate/ledger.db'}")
    try:
        return [recorded.event for recorded in Ledger(engine, StillClock(), "tester").tail(1_000)]
    finally:
        engine.dispose()


@pytest.mark.parametrize("decide", [lambda project: withdraw(project, 3), forget, suppress])
def test_whoever_is_decided_about_between_the_look_and_the_record_does_not_leave(
    project: TestProject,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    decide: Callable[[TestProject], None],
) -> None:
    passed = in_between(monkeypatch, lambda: decide(project))

    report = project.report()

    assert (report["status"], report["withheld"]) == ("succeeded", 1)
    assert passed.count("window.before_intent") == passed.count("window.after_intent") + 1, "it looked once more"
    assert "3" not in {record["id"] for call in receiver.journal for record in call.records}
    assert set(receiver.records) == {str(n) for n in PEOPLE if n != 3}


def test_no_intent_behind_a_decision_lacks_it(
    project: TestProject, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decided about three times under the looks of one window, and once under those of the next."""
    in_between(
        monkeypatch,
        lambda: withdraw(project, 10),
        lambda: withdraw(project, 12),
        lambda: withdraw(project, 3),
        lambda: None,
        lambda: withdraw(project, 7),
    )

    assert project.report()["withheld"] == 4
    log = [event for event in events(project) if isinstance(event, ConsentDecided | WindowIntended)]
    kinds = [type(event).__name__ for event in log]
    assert kinds == ["ConsentDecided"] * 4 + ["WindowIntended", "ConsentDecided", "WindowIntended"]
    first, second = (event for event in log if isinstance(event, WindowIntended))
    assert [len(batch.withheld) for batch in first.batches] == [1, 1, 1, 0]
    assert [len(batch.withheld) for batch in second.batches] == [1, 0]
    project.checked(receiver)


def test_decisions_that_come_faster_than_they_can_be_looked_up_end_the_run_and_nothing_leaves(
    project: TestProject, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = cycle(["withdraw", "grant"])

    def decide() -> None:
        done(project, "consent", next(turns), "--subject", "5", "--purpose", "email")

    monkeypatch.setattr(executor, "LOOKS_MAX", 4)
    in_between(monkeypatch, *[decide] * 4)
    report = project.report()

    assert (report["status"], receiver.journal) == ("failed", [])
    assert "decided_meanwhile" in report["reason"]
    assert project.report()["delivered"]["inserts"] == COUNT
    project.checked(receiver)
