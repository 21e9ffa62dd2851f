"""P5: a run whose lease was taken ends by itself and says why, whatever it was doing when it noticed."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.steps import sync_lease
from tests.projects import TestProject
from tests.receiver import Receiver, receiving

SYNC = "people_to_hook"
PATIENCE_SECONDS = 20


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver) -> TestProject:
    made = TestProject(tmp_path, receiver.url)
    made.people({1: ("Ada", 1.5), 2: ("Bo", None)})
    return made


def take(project: TestProject) -> None:
    """Another host takes the lease of the sync."""
    with closing(sqlite3.connect(project.folder / ".tidegate" / "ledger.db")) as ledger, ledger:
        ledger.execute(
            "UPDATE lease SET epoch = epoch + 1, holder = 'elsewhere:1:0-0:x' WHERE name = ?", [f"sync:{SYNC}"]
        )


def test_a_run_that_is_replaced_while_it_waits_for_an_answer_fails_and_names_the_lease(
    project: TestProject, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was not the operator who stopped it, so it does not end as if it were (exit 130)."""
    monkeypatch.setattr(sync_lease, "LEASE_SECONDS", 0.3)
    ended = threading.Event()

    def answer(_body: object) -> None:
        take(project)
        ended.wait(PATIENCE_SECONDS)

    receiver.answer = answer
    outcome = project.run("--json", "run", SYNC)
    ended.set()

    (report,) = outcome.json
    assert (report["status"], outcome.code, outcome.err) == ("failed", 1, "")
    assert f"lease sync:{SYNC} (epoch 1) has ended or another process took it" in report["reason"]
    assert "the new holder continues from the ledger" in report["reason"]
    events = project.run("--json", "ledger", "tail").json
    assert [event["type"] for event in events if event["stream"].startswith("run:")][-1] == "run.window_intended"
