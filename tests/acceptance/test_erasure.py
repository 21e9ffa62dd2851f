"""Somebody who is to be forgotten is not sent any more, is removed everywhere, and leaves no trace in what is kept."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.bootstrap import open_app
from engine.steps.forget import suppress
from tests.projects import TestProject
from tests.receiver import Answer, Receiver

SYNC = "people_to_hook"


def suppressed(project: TestProject, *subjects: str) -> None:
    """Only the first thing that `forget` does: from here on nobody of these may be sent."""
    app = open_app(project.folder, environment=None)
    try:
        suppress(app.tools, subjects, "asked for it", timedelta(days=30))
    finally:
        app.close()


@pytest.mark.parametrize("mode", ["upsert", "update", "insert", "mirror"])
def test_a_suppressed_subject_is_removed_by_the_next_run_in_every_mode_and_never_comes_back(
    mode: str, project: TestProject, receiver: Receiver
) -> None:
    project.sync(SYNC, mode=mode)
    project.report()

    suppressed(project, "2")
    report = project.report()
    project.people({1: ("Ada", 1.5), 2: ("Bo again", 7.0), 3: (None, 0.2)})
    later = project.report()

    assert report["plan"]["deletes"] == 1, report
    assert later["delivered"]["deletes"] == 0
    assert set(receiver.records) == {"1", "3"}
    assert project.report()["status"] == "unchanged"


def test_a_run_under_way_sends_nothing_about_a_suppressed_subject_from_the_next_window_on(
    project: TestProject, receiver: Receiver
) -> None:
    project.destination("hook", receiver.url, batch={"records": 2}, rate={"concurrency": 1})
    project.people({n: (f"Person {n}", float(n)) for n in range(1, 41)})
    places: list[int] = []

    def answer(_body: dict[str, object]) -> Answer | None:
        if not places:
            places.append(len(receiver.journal))
            suppressed(project, "30", "40")
        return None

    receiver.answer = answer
    project.report()

    sent = {record["id"] for one in receiver.journal for record in one.records}
    assert not {"30", "40"} & sent
    assert len(receiver.records) == 38


def test_a_lost_or_changed_key_stops_everything(project: TestProject, receiver: Receiver) -> None:
    project.report()
    suppressed(project, "2")
    key = project.folder / ".tidegate/segments/erasure/tombstones.key"
    assert key.stat().st_mode & 0o077 == 0
    kept = key.read_bytes()
    calls = len(receiver.journal)

    key.unlink()
    missing = project.report()
    key.write_bytes(b"another" + kept)
    changed = project.report()

    assert (missing["status"], changed["status"]) == ("failed", "failed")
    assert "key of the tombstones" in missing["reason"]
    assert len(receiver.journal) == calls
    key.write_bytes(kept)
    assert project.report()["delivered"]["deletes"] == 1


def test_no_name_stands_in_the_ledger(project: TestProject) -> None:
    project.people({1: ("Ada", 1.5), 2: ("Bo", None)})
    project.report()

    suppressed(project, "ada.canary@example.org")

    for name in ("ledger.db", "ledger.db-wal"):
        file = project.folder / ".tidegate" / name
        assert not file.exists() or b"ada.canary" not in file.read_bytes()
