"""Somebody who is to be forgotten is not sent any more, is removed everywhere, and leaves no trace in what is kept."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from engine.bootstrap import open_app
from engine.core.names import DatasetId, SyncId
from engine.ledger.projections import versions
from engine.steps.forget import suppress
from engine.steps.snapshots import snapshot_table
from engine.steps.sync_lease import sync_lease
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


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["upsert", "update", "insert", "mirror"])
def test_a_suppressed_subject_is_removed_by_the_next_run_in_every_mode_and_never_comes_back(
    mode: str, project: TestProject, receiver: Receiver
) -> None:
    project.sync(SYNC, mode=mode)
    project.report()

    suppressed(project, "2")
    project.report()
    held = set(receiver.records)
    project.people({1: ("Ada", 1.5), 2: ("Bo again", 7.0), 3: (None, 0.2)})
    later = project.report()

    assert held == {"1", "3"}
    assert later["delivered"]["deletes"] == 0
    assert set(receiver.records) == {"1", "3"}
    assert project.report()["status"] == "unchanged"


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_lost_or_changed_key_stops_everything(project: TestProject, receiver: Receiver) -> None:
    project.given.report()
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
    project.report()
    assert set(receiver.records) == {"1", "3"}


def test_no_name_stands_in_the_ledger(project: TestProject) -> None:
    project.people({1: ("Ada", 1.5), 2: ("Bo", None)})
    project.report()

    suppressed(project, "ada.canary@example.org")

    for name in ("ledger.db", "ledger.db-wal"):
        file = project.folder / ".tidegate" / name
        assert not file.exists() or b"ada.canary" not in file.read_bytes()


CANARY = "canary-4711@example.org"


def forgotten(project: TestProject, *subjects: str) -> dict[str, Any]:
    outcome = project.run("--json", "forget", *subjects, "--reason", "request 17")
    report: dict[str, Any] = outcome.json
    assert "status" in report, outcome
    return {**report, "exit": outcome.code}


def holding(project: TestProject, value: str) -> list[str]:
    """Files of the project's state in which a value stands: in a column of a segment, or in plain bytes."""
    found = []
    for path in sorted((project.folder / ".tidegate").rglob("*")):
        if not path.is_file():
            continue
        held = str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else path.read_bytes().decode("latin1")
        if value in held:
            found.append(path.name)
    return found


def told(project: TestProject) -> None:
    """Three people in several versions and two syncs, one of them with a value that nobody else has."""
    project.write(
        "datasets/people.yaml",
        {
            "name": "people",
            "contract": "contracts/people-v1.odcs.yaml",
            "source": {"connection": "lake", "table": "people.parquet"},
            "identifiers": ["name"],
        },
    )
    project.sync("other", mode="mirror", object="others", match={"external_id": "id"})
    for score in (1.0, 2.0, 3.0):
        project.people({1: ("Ada", 1.5), 2: (CANARY, score), 3: (None, 0.1), 10 + int(score): ("more", score)})
        for sync in (SYNC, "other"):
            project.report(sync)


@pytest.mark.slow
def test_after_forget_no_segment_and_no_file_holds_the_subject_and_the_ledger_verifies(
    project: TestProject, receiver: Receiver
) -> None:
    told(project.given)
    assert holding(project, CANARY)

    report = forgotten(project, "2")

    assert (report["status"], report["exit"], report["owed"]) == ("complete", 0, 0), report
    assert [sync["removed"] for sync in report["syncs"]] == [1, 1]
    assert [dataset["rows_left"] for dataset in report["datasets"]] == [0]
    assert report["search"]["values"] == 1
    assert holding(project, CANARY) == []
    assert "2" not in receiver.records
    assert project.run("ledger", "verify").code == 0
    assert project.run("ledger", "rebuild").code == 0
    assert project.run("ledger", "verify").code == 0
    assert holding(project, CANARY) == []
    assert [project.report(sync)["status"] for sync in (SYNC, "other")] == ["unchanged", "unchanged"]
    assert holding(project, CANARY) == [], "the source still has the subject, and no version takes it in"


@pytest.mark.slow
def test_who_was_deleted_before_the_request_is_forgotten_in_every_layer_of_the_state(
    project: TestProject, receiver: Receiver
) -> None:
    told(project.given)
    many = {n: (f"Person {n}", 1.0) for n in range(1, 12)}
    for people in (many | {2: (CANARY, 1.0)}, {n: row for n, row in many.items() if n != 2}):
        project.people(people)
        reports = [project.report(sync) for sync in (SYNC, "other")]
    assert [report["delivered"]["deletes"] for report in reports] == [1, 1]

    report = forgotten(project, "2")

    assert (report["status"], report["exit"], report["open"]) == ("complete", 0, []), report
    assert holding(project, CANARY) == []


@pytest.mark.slow
def test_a_version_is_rebuilt_from_changes_without_the_subject(project: TestProject) -> None:
    told(project.given)
    app = open_app(project.folder, environment=None)
    forgotten(project, "2")
    with app.tools.compute.session() as session:
        rows = versions.listing(app.tools.database, DatasetId("people@1"))

        def all_rows() -> list[pa.Table]:
            tables = (snapshot_table(app.tools, session, row.dataset, row.version) for row in rows)
            return [session.stream(table.order_by("id")).read_all() for table in tables]

        before = all_rows()
        whole = [row for row in rows[1:] if app.tools.storage.exists(row.snapshot)]
        for row in whole:
            app.tools.storage.remove(row.snapshot)
        rebuilt = all_rows()
    app.close()

    assert whole, "some version is read from its snapshot, and then from changes"
    assert [table.to_pylist() for table in before] == [table.to_pylist() for table in rebuilt]
    assert all(2 not in table["id"].to_pylist() for table in rebuilt)


@pytest.mark.slow
def test_a_removal_that_the_destination_refuses_stays_open_until_it_takes_it(
    project: TestProject, receiver: Receiver
) -> None:
    project.given.report()
    refusing = True

    def answer(body: dict[str, Any]) -> Answer | None:
        if refusing and any(record["op"] == "delete" for record in body["records"]):
            results = [
                {"id": r["id"], "status": "rejected", "code": "no", "message": f"{CANARY} stays"}
                for r in body["records"]
            ]
            return 200, {}, json.dumps({"results": results}).encode()
        return None

    receiver.answer = answer
    first = forgotten(project, "2")
    listed = project.run("--json", "erasures", "list")
    status = project.run("--json", "status").json[0]
    refusing = False
    project.report()
    last = project.run("--json", "erasures", "list")

    assert (first["status"], first["exit"], first["owed"]) == ("open", 5, 1)
    assert (listed.code, listed.json[0]["status"], listed.json[0]["owed"]) == (5, "open", 1)
    assert status["erasures_owed"] == 1
    assert (last.code, last.json[0]["status"]) == (0, "complete")
    assert set(receiver.records) == {"1", "3"}
    assert holding(project, CANARY) == []


@pytest.mark.slow
def test_removals_wait_for_no_gate_no_approval_and_no_source(project: TestProject, receiver: Receiver) -> None:
    project.given.report()
    settings = yaml.safe_load((project.folder / "tidegate.yaml").read_text(encoding="utf-8"))
    settings["environments"]["development"]["require_approval"] = True
    project.write("tidegate.yaml", settings)
    (project.folder / "data/people.parquet").unlink()

    report = forgotten(project, "2")

    assert report["status"] == "complete"
    assert set(receiver.records) == {"1", "3"}


@pytest.mark.slow
def test_an_older_ledger_does_not_bring_a_subject_back(project: TestProject, receiver: Receiver) -> None:
    told(project.given)
    ledger = project.folder / ".tidegate/ledger.db"
    older = ledger.read_bytes()
    forgotten(project, "2")

    ledger.write_bytes(older)
    for more in ("ledger.db-wal", "ledger.db-shm"):
        (project.folder / ".tidegate" / more).unlink(missing_ok=True)
    refused = project.report()
    accepted = project.run("ledger", "accept-regression", "--reason", "the newer one is lost")
    reports = [project.report(sync) for sync in (SYNC, "other", SYNC)]
    project.people({1: ("Ada", 9.0), 2: (CANARY, 9.0), 3: (None, 0.1), 13: ("more", 3.0)})
    reports += [project.report(sync) for sync in (SYNC, "other")]

    assert refused["status"] == "failed"
    assert accepted.code == 0, accepted
    assert {report["status"] for report in reports} <= {"succeeded", "unchanged"}, reports
    assert "2" not in receiver.records
    assert holding(project, CANARY) == []


@pytest.mark.slow
def test_a_report_is_verified_and_an_edited_one_is_not(project: TestProject, tmp_path: Path) -> None:
    project.given.report()
    request = forgotten(project, "2")["request"]
    file = tmp_path / "report.json"
    file.write_text(project.run("--json", "erasures", "report", request).out, encoding="utf-8")
    told = project.run("erasures", "report", request).out

    assert all(word in told for word in (f"{request}: complete", "request 17", "people_to_hook", "signature"))
    assert project.run("erasures", "verify", str(file), "--subject", "2").code == 0
    assert project.run("erasures", "verify", str(file), "--subject", "3").code == 1
    file.write_text(file.read_text(encoding="utf-8").replace('"owed": 0', '"owed": 1', 1), encoding="utf-8")
    assert project.run("erasures", "verify", str(file)).code == 1


@pytest.mark.slow
def test_decisions_about_a_forgotten_subject_are_taken_out_and_not_taken_in_again(project: TestProject) -> None:
    project.sync(SYNC, mode="upsert", consent={"purpose": "email", "subject": "name"})
    project.people({1: ("Ada", 1.5), 2: (CANARY, None)})
    for subject in ("Ada", CANARY):
        project.run("consent", "grant", "--subject", subject, "--purpose", "email")
    project.report()

    report = forgotten(project, CANARY)
    project.run("consent", "grant", "--subject", CANARY, "--purpose", "email")

    assert report["status"] == "complete", report
    assert project.report()["status"] == "unchanged"
    assert holding(project, CANARY) == []


@pytest.mark.slow
def test_a_sync_that_another_process_holds_is_done_by_the_next_run(project: TestProject, receiver: Receiver) -> None:
    project.given.report()
    app = open_app(project.folder, environment=None)
    with sync_lease(app.tools, SyncId(SYNC)):
        report = forgotten(project, "2")
    app.close()

    assert report["status"] == "open"
    assert any("busy" in sentence for sentence in report["open"])
    assert "2" in receiver.records
    project.report()
    assert "2" not in receiver.records
    assert project.run("erasures", "list").code == 0


def test_a_reason_may_not_name_the_subject(project: TestProject) -> None:
    outcome = project.run("forget", CANARY, "--reason", f"{CANARY} asked")

    assert outcome.code == 2
    assert CANARY not in outcome.err


def test_what_was_recorded_instead_of_sent_is_written_again_too(project: TestProject, receiver: Receiver) -> None:
    settings = yaml.safe_load((project.folder / "tidegate.yaml").read_text(encoding="utf-8"))
    settings["environments"]["development"]["deliver"] = "record"
    project.write("tidegate.yaml", settings)
    project.people({1: ("Ada", 1.5), 2: (CANARY, 0.5)})
    project.report()

    report = forgotten(project, "2")

    assert report["status"] == "complete", report
    assert holding(project, CANARY) == []
    assert list((project.folder / ".tidegate/segments/syncs" / SYNC / "recorded").glob("*.parquet"))
    assert receiver.journal == []
