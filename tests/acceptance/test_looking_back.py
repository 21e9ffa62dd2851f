"""What a destination held at a moment, and the whole story of one record, as ledger and segments tell them."""

from __future__ import annotations

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.acceptance.test_rollback import FIRST, SECOND, SYNC
from tests.projects import TestProject
from tests.receiver import Receiver


def now() -> str:
    return datetime.now(UTC).isoformat()


def held_at(project: TestProject, moment: str, tmp_path: Path) -> dict[str, Any]:
    out = tmp_path / f"{moment.replace(':', '')}.parquet"
    report = project.run("--json", "state", SYNC, "--at", moment, "--out", str(out)).json
    rows = pq.read_table(out).to_pylist()
    assert (report["records"], stat.S_IMODE(out.stat().st_mode)) == (len(rows), 0o600)
    return {row["id"]: json.loads(row["fields"]) for row in rows}


def chapters(project: TestProject, key: str, *more: str) -> list[tuple[str, str]]:
    report = project.run("--json", "show", SYNC, "--key", key, *more).json
    return [(one["kind"], one["what"]) for one in report["story"]]


def test_a_state_at_a_moment_is_what_the_destination_held_then(
    project: TestProject, receiver: Receiver, tmp_path: Path
) -> None:
    before = now()
    project.people(FIRST)
    project.report()
    first, then = {key: dict(fields) for key, fields in receiver.records.items()}, now()
    project.people(SECOND)
    project.report()

    assert held_at(project, then, tmp_path) == first
    assert held_at(project, now(), tmp_path) == receiver.records
    refused = project.run("state", SYNC, "--at", before, "--out", str(tmp_path / "none.parquet"))
    assert (refused.code, "Nothing of" in refused.err) == (2, True)
    assert not (tmp_path / "none.parquet").exists()


def test_a_state_in_the_middle_of_a_run_holds_what_had_a_receipt(
    project: TestProject, receiver: Receiver, tmp_path: Path
) -> None:
    """The window that died without one does not count."""
    project.destination("hook", receiver.url, batch={"records": 1}, rate={"concurrency": 1})
    project.people({n: (f"Person {n}", float(n)) for n in range(1, 11)})
    project.run_process("run", SYNC, env={"TIDEGATE_TEST_FAILPOINTS": "window.before_receipt=kill@2"})
    then, arrived = now(), len(receiver.records)
    project.report()

    held = held_at(project, then, tmp_path)

    assert 0 < len(held) < arrived
    assert all(receiver.records[id] == fields for id, fields in held.items())


def test_a_file_that_is_there_is_not_written_over(project: TestProject, tmp_path: Path) -> None:
    project.given.report()
    out = tmp_path / "mine.parquet"
    out.write_text("mine")

    assert project.run("state", SYNC, "--at", now(), "--out", str(out)).code == 2
    assert out.read_text() == "mine"


def test_the_story_of_a_record_tells_versions_plans_batches_and_outcomes(
    project: TestProject, receiver: Receiver
) -> None:
    project.people(FIRST)
    project.given.report()
    receiver.answer = lambda _body: (200, {}, b'{"results": [{"id": "1", "status": "rejected", "code": "too_loud"}]}')
    project.people({**FIRST, 1: ("ADA", 1.5)})
    project.report()
    receiver.answer = lambda _body: None
    project.people({key: row for key, row in FIRST.items() if key != 1})
    project.report()

    told = chapters(project, "1")

    kinds = [kind for kind, _ in told]
    words = [what for kind, what in told if kind in {"version", "plan", "outcome"}]
    assert words == [
        "insert in version 1",
        "insert planned: new",
        "delivered",
        "update in version 2",
        "update planned: changed",
        "rejected (too_loud)",
        "delete in version 3",
        "delete planned: gone",
        "delivered",
    ]
    assert (kinds.count("batch"), kinds.count("run")) == (3, 3)
    assert "rejected (too_loud)" in project.run("show", SYNC, "--key", "1").out


def test_a_record_is_shown_as_it_was(project: TestProject) -> None:
    project.people(FIRST)
    project.given.report()
    then = now()
    project.people(SECOND)
    project.report()

    today = project.run("--json", "show", SYNC, "--key", "2").json
    past = project.run("--json", "show", SYNC, "--key", "2", "--at", then).json
    version = project.run("--json", "show", SYNC, "--key", "2", "--version", "1").json

    assert (today["holds"], today["desired"], today["verdict"]) == (False, False, "absent")
    assert (past["holds"], past["version"], past["delivered"]["name"], past["wanted"]["name"]) == (
        True,
        1,
        '"Bo"',
        '"Bo"',
    )
    assert [one["kind"] for one in past["story"]] == ["version", "plan", "batch", "outcome", "run"]
    assert (version["holds"], version["story"]) == (True, past["story"])
    assert project.run("show", SYNC, "--key", "2", "--at", then, "--version", "1").code == 2
    assert project.run("show", SYNC, "--key", "2", "--version", "9").code == 2
    assert project.run("show", SYNC, "--key", "nobody").code == 2


def test_decisions_of_consent_gates_and_people_are_part_of_the_story(project: TestProject) -> None:
    project.sync(
        SYNC,
        consent={"purpose": "email", "subject": "id"},
        gates={"inserts": {"max": 0, "on_fail": "review"}},
    )
    project.run("consent", "grant", "--subject", "1", "--purpose", "email")
    held = project.report()
    project.run("approve", held["run"])
    project.report()
    project.run("consent", "withdraw", "--subject", "1", "--purpose", "email")
    project.report()

    told = chapters(project, "1")

    assert [what.split(" (")[0] for kind, what in told if kind == "consent"] == ["email granted", "email withdrawn"]
    assert any(kind == "gate" and "delta.inserts" in what for kind, what in told)
    assert any(kind == "decision" and what.startswith("plan approved by") for kind, what in told)
    assert ("plan", "delete planned: consent") in [(kind, what.split(", allowed")[0]) for kind, what in told]


def test_who_was_forgotten_is_shown_as_forgotten_and_in_no_state(
    project: TestProject, receiver: Receiver, tmp_path: Path
) -> None:
    project.people(FIRST)
    project.given.report()
    then = now()
    assert project.run("forget", "2", "--reason", "asked").code == 0

    report = project.run("--json", "show", SYNC, "--key", "2").json

    assert report["verdict"] == "forgotten"
    assert [one["kind"] for one in report["story"]] == ["forgotten"]
    assert set(held_at(project, then, tmp_path)) == {"1", "3"}
    assert "2" not in receiver.records


@pytest.mark.parametrize("option", ["--at", "--since"])
def test_a_moment_that_is_none_is_refused(project: TestProject, option: str) -> None:
    words = ("show", SYNC, "--key", "1", "--at") if option == "--at" else ("resync", SYNC, "--since")

    outcome = project.run(*words, "yesterday")

    assert (outcome.code, "is no moment" in outcome.err) == (2, True)
