"""What a destination really holds is compared with what it was sent, and what differs is made right by the one plan (I31)."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from destinations.base import Batch, ReadBack, Stop, Transport, Unavailable
from destinations.sql.adapter import SqlTable
from engine.failpoints import VARIABLE
from engine.service.samples import MASK
from tests.destinations.sql.places import KINDS, Place, duckdb_place, postgres_place, sqlite_place
from tests.projects import CONTRACT, TestProject

SYNC = "people_to_hook"
FIRST = {n: (f"n{n}", n + 0.5) for n in range(1, 7)}
SECOND = {n: pair for n, pair in FIRST.items() if n != 6}
"""Number 6 was delivered, and removed."""
READ = "sync.destination_read"


Reading = ReadBack | Unavailable | Stop
FILE = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
"""What is the same in every database is seen in one."""


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    match request.param:
        case "sqlite":
            return sqlite_place(tmp_path)
        case "duckdb":
            return duckdb_place(tmp_path)
        case _:
            return postgres_place(request.getfixturevalue("postgres_database").replace("+psycopg", ""))


@pytest.fixture
def project(tmp_path: Path, place: Place) -> TestProject:
    """A project whose sync delivered two versions into a table, in which another tool has a row as well."""
    project = TestProject(tmp_path / "project", "http://127.0.0.1:9/")
    config = place.config()
    project.write("destinations/hook.yaml", {"name": "hook", "type": "sql", "config": config, "batch": {"records": 2}})
    project.sync(SYNC, match={"id": "id"})
    place.execute("INSERT INTO contacts (id, name, note) VALUES (77, 'theirs', 'keep')")
    for version in (FIRST, SECOND):
        project.people(version)
        assert project.report()["status"] == "succeeded"
    return project


def rows(place: Place) -> dict[int, tuple[Any, ...]]:
    return {row[0]: tuple(row[1:]) for row in place.rows()}


WANTED = {**{n: (*pair, "none") for n, pair in SECOND.items()}, 77: ("theirs", None, "keep")}


def reconciled(project: TestProject) -> dict[str, Any]:
    outcome = project.run("--json", "resync", SYNC, "--reconcile", "--yes")
    assert isinstance(outcome.json, list), outcome
    (report,) = outcome.json
    return {**report, "exit": outcome.code}


def drift(project: TestProject) -> dict[str, Any]:
    outcome = project.run("--json", "resync", SYNC, "--reconcile")
    assert outcome.code == 0, outcome.err
    found: dict[str, Any] = outcome.json["drift"]
    return found


def counts(found: dict[str, Any]) -> tuple[int, ...]:
    return tuple(found[name] for name in ("compared", "missing", "changed", "present", "left_out"))


def events(project: TestProject, kind: str) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(project.folder / ".tidegate" / "ledger.db")) as ledger:
        found = ledger.execute("SELECT data FROM event WHERE type = ? ORDER BY seq", [kind]).fetchall()
    return [json.loads(data) for (data,) in found]


def everything(project: TestProject) -> str:
    return project.run("--json", "ledger", "tail", "--limit", "500").out


def meddle(place: Place) -> None:
    """A row is deleted, one is changed in one field, one in two, one that was removed is back, and a stranger's is changed."""
    place.execute("DELETE FROM contacts WHERE id = 1")
    place.execute("UPDATE contacts SET name = 'N2' WHERE id = 2")
    place.execute("UPDATE contacts SET name = NULL, score = 9 WHERE id = 3")
    place.execute("UPDATE contacts SET note = 'a note of theirs' WHERE id = 4")
    place.execute("INSERT INTO contacts (id, name) VALUES (6, 'back again')")
    place.execute("UPDATE contacts SET name = 'still theirs' WHERE id = 77")


def test_a_destination_that_was_changed_behind_our_back_is_told_exactly_and_made_right(
    project: TestProject, place: Place
) -> None:
    assert counts(drift(project)) == (6, 0, 0, 0, 0)
    meddle(place)

    found = drift(project)

    assert counts(found) == (6, 1, 2, 1, 0)
    assert found["fields"] == {"name": 2, "score": 1}
    assert {(one["difference"], one["id"]) for one in found["samples"]} == {
        ("missing", "1"),
        ("changed", "2"),
        ("changed", "3"),
        ("present", "6"),
    }
    assert events(project, READ) == []
    report = reconciled(project)
    assert (report["status"], report["exit"]) == ("succeeded", 0)
    assert report["delivered"] == {"inserts": 0, "updates": 3, "deletes": 1}
    assert rows(place) == {**WANTED, 4: ("n4", 4.5, "a note of theirs"), 77: ("still theirs", None, "keep")}
    assert counts(drift(project)) == (6, 0, 0, 0, 0)
    assert project.report()["status"] == "unchanged"
    (read,) = events(project, READ)
    assert (read["missing"], read["changed"], read["present"], read["fields"]) == (1, 2, 1, {"name": 2, "score": 1})


@FILE
def test_a_text_for_people_says_what_differs_and_what_comes_next(project: TestProject, place: Place) -> None:
    meddle(place)

    shown = project.run("resync", SYNC, "--reconcile").out

    assert "6 records compared: 1 missing there, 2 changed there, 1 present though removed" in shown
    assert "name (2), score (1)" in shown
    assert '"n2" there is "N2"' in shown
    assert "--yes" in shown


@FILE
def test_a_row_that_is_marked_as_deleted_is_missing_and_comes_back(project: TestProject, place: Place) -> None:
    place.execute("ALTER TABLE contacts ADD COLUMN deleted_at timestamp")
    config = {**place.config(), "deletes": {"column": "deleted_at"}}
    project.write("destinations/hook.yaml", {"name": "hook", "type": "sql", "config": config})
    project.people({n: pair for n, pair in SECOND.items() if n != 5})
    assert project.report()["delivered"]["deletes"] == 1
    assert counts(drift(project)) == (6, 0, 0, 0, 0)
    place.execute("UPDATE contacts SET deleted_at = CURRENT_TIMESTAMP WHERE id = 2")
    place.execute("UPDATE contacts SET deleted_at = NULL WHERE id = 5")

    assert counts(drift(project)) == (6, 1, 0, 1, 0)

    reconciled(project)
    gone = place.execute("SELECT id FROM contacts WHERE deleted_at IS NOT NULL")
    assert gone == [(5,)]
    assert counts(drift(project)) == (6, 0, 0, 0, 0)


@FILE
def test_an_adapter_that_cannot_be_read_back_is_refused_by_name(project: TestProject, place: Place) -> None:
    project.destination("other", "http://127.0.0.1:9/")
    project.sync("people_to_other", destination="other")

    for more in ((), ("--yes",)):
        outcome = project.run("resync", "people_to_other", "--reconcile", *more)

        assert outcome.code == 2
        assert "`other` cannot be read back" in outcome.err
        assert "these have one: sql" in outcome.err


@FILE
@pytest.mark.parametrize("more", [(), ("--yes",)])
def test_a_destination_that_fails_half_way_changes_nothing(
    project: TestProject, place: Place, more: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    meddle(place)
    there, before, asked = rows(place), everything(project), []

    async def failing(adapter: SqlTable, batch: Batch, transport: Transport) -> Reading:
        asked.append(batch)
        return await honest(adapter, batch, transport) if len(asked) < 3 else Stop("gone", "the table went away")

    honest = SqlTable.read_back
    monkeypatch.setattr(SqlTable, "read_back", failing)

    outcome = project.run("resync", SYNC, "--reconcile", *more)

    assert (outcome.code, "cannot be read back whole: the table went away (gone)" in outcome.err) == (1, True)
    assert (rows(place), everything(project), len(asked)) == (there, before, 3)


@FILE
def test_a_run_that_delivers_meanwhile_is_no_drift(
    project: TestProject, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.people({**SECOND, 1: ("another", 1.5)})

    async def overtaken(adapter: SqlTable, batch: Batch, transport: Transport) -> Reading:
        monkeypatch.setattr(SqlTable, "read_back", honest)
        done = await asyncio.to_thread(project.run_process, "run", SYNC)
        assert done.code == 0, done
        return await honest(adapter, batch, transport)

    honest = SqlTable.read_back
    monkeypatch.setattr(SqlTable, "read_back", overtaken)

    outcome = project.run("resync", SYNC, "--reconcile")

    assert (outcome.code, "was under way while its destination was read" in outcome.err) == (6, True)


@FILE
def test_what_no_person_may_see_is_masked_and_stands_in_no_event(project: TestProject, place: Place) -> None:
    contract = json.loads(json.dumps(CONTRACT))
    contract["schema"][0]["properties"][1]["classification"] = "confidential"
    project.write("contracts/people-v1.odcs.yaml", contract)
    project.write(
        "destinations/hook.yaml",
        {"name": "hook", "type": "sql", "config": place.config(), "clearance": "confidential"},
    )
    place.execute("UPDATE contacts SET name = 'a secret of theirs', score = 9 WHERE id = 2")

    (sample,) = drift(project)["samples"]

    assert (sample["delivered"], sample["there"]) == ({"name": MASK, "score": "2.5"}, {"name": MASK, "score": "9.0"})
    assert reconciled(project)["status"] == "succeeded"
    assert "secret" not in everything(project)
    assert "secret" not in json.dumps(events(project, READ))


@FILE
def test_consent_stands_above_what_is_made_right(
    project: TestProject, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who took consent back is not sent again, and only their key leaves to look for them."""
    project.sync(SYNC, match={"id": "id"}, consent={"purpose": "email", "subject": "id"})
    decided = project.folder / "list.csv"
    decided.write_text("subject,purpose,status\n" + "".join(f"{n},email,granted\n" for n in range(1, 7)))
    project.run("consent", "import", str(decided))
    assert project.report()["status"] in {"succeeded", "unchanged"}
    project.run("consent", "withdraw", "--subject", "2", "--purpose", "email")
    project.run("consent", "withdraw", "--subject", "3", "--purpose", "email")
    place.execute("DELETE FROM contacts WHERE id IN (1, 2)")
    place.execute("UPDATE contacts SET name = 'changed' WHERE id = 3")
    asked: dict[str, Any] = {}

    async def watched(adapter: SqlTable, batch: Batch, transport: Transport) -> Reading:
        asked.update({record.id: record.fields for record in batch.records})
        return await honest(adapter, batch, transport)

    honest = SqlTable.read_back
    monkeypatch.setattr(SqlTable, "read_back", watched)

    report = reconciled(project)

    assert (report["status"], set(rows(place))) == ("succeeded", {1, 4, 5, 77})
    assert [id for id, fields in sorted(asked.items()) if not fields] == ["2", "3", "6"]
    assert counts(drift(project))[1:] == (0, 0, 0, 0)


@FILE
def test_gates_and_approvals_count_and_asking_again_voids_nothing(project: TestProject, place: Place) -> None:
    project.sync(SYNC, match={"id": "id"}, gates={"updates": {"max": 2, "on_fail": "review"}})
    meddle(place)
    there = rows(place)
    report = reconciled(project)
    assert (report["status"], report["exit"], rows(place)) == ("held", 4, there)
    assert reconciled(project)["plan"]["digest"] == report["plan"]["digest"]

    assert project.run("approve", report["run"]).code == 0
    again = reconciled(project)

    assert (again["status"], again["delivered"]) == ("succeeded", {"inserts": 0, "updates": 3, "deletes": 1})
    assert counts(drift(project)) == (6, 0, 0, 0, 0)


@FILE
def test_a_pinned_sync_is_compared_with_and_brought_back_to_its_version(project: TestProject, place: Place) -> None:
    project.people({1: ("new", 1.0)})
    assert project.report()["version"] == 3
    assert project.run("rollback", SYNC, "--to", "1", "--yes").code == 0
    place.execute("DELETE FROM contacts WHERE id = 6")

    assert counts(drift(project)) == (6, 1, 0, 0, 0)
    assert reconciled(project)["version"] == 1
    assert rows(place)[6] == (*FIRST[6], "none")


@FILE
def test_a_mode_that_never_changes_or_deletes_is_not_blamed_for_it(project: TestProject, place: Place) -> None:
    """An insert leaves a row of others as it is; what a sync leaves behind is told, and left as it is."""
    project.sync("inserting", match={"id": "id"}, mode="insert")
    place.execute("INSERT INTO contacts (id, name) VALUES (9, 'ours first')")
    project.people({**SECOND, 9: ("nine", 9.5)})
    assert project.report("inserting")["status"] == "succeeded"

    found = project.run("--json", "resync", "inserting", "--reconcile").json

    assert counts(found["drift"]) == (6, 0, 0, 0, 0)
    place.execute("DELETE FROM contacts WHERE id IN (5, 9)")
    project.people({n: pair for n, pair in SECOND.items() if n != 5})
    project.run("capture", "people")
    found = project.run("--json", "resync", "inserting", "--reconcile").json
    assert (counts(found["drift"]), found["again"]) == ((6, 2, 0, 0, 0), 0)


@FILE
@pytest.mark.parametrize(
    ("point", "more"),
    [
        ("fold.before_commit=kill", "window.after_intent=kill@2"),
        ("fold.after_commit=kill", "fold.before_commit=kill"),
        ("plan.after_commit=kill", "window.before_receipt=kill"),
    ],
)
@pytest.mark.crash
def test_a_repair_that_dies_is_finished_by_asking_again(
    project: TestProject, place: Place, point: str, more: str
) -> None:
    meddle(place)

    for dying in (point, more):
        project.run_process("resync", SYNC, "--reconcile", "--yes", env={VARIABLE: dying})
    report = reconciled(project)

    assert report["status"] in {"succeeded", "unchanged"}
    assert rows(place) == {**WANTED, 4: ("n4", 4.5, "a note of theirs"), 77: ("still theirs", None, "keep")}
    assert counts(drift(project)) == (6, 0, 0, 0, 0)
