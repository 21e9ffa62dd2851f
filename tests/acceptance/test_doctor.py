"""`tidegate doctor` finds what is wrong, says what to do, stops at nothing and makes nothing."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from engine.core.breaker import FAILURES_MAX
from engine.service import doctor_storage, doctor_work
from tests.acceptance.test_quarantine import refusing
from tests.projects import TestProject
from tests.receiver import Receiver

SYNC = "people_to_hook"
SECRET = "kept-to-itself-and-long-enough"
PEOPLE = {
    "name": "people",
    "contract": "contracts/people-v1.odcs.yaml",
    "source": {"connection": "lake", "table": "people.parquet"},
}
ALL = {
    "python",
    "dependencies",
    "files",
    "secrets",
    "ledger",
    "schema",
    "ledger settings",
    "clock",
    "anchors",
    "storage",
    "permissions",
    "disk",
    "leases",
    "runs",
    "accounts",
    "decisions",
    "erasures",
    "quarantine",
}
WITHOUT_LEDGER = {"python", "dependencies", "files", "secrets", "ledger", "storage", "permissions", "disk"}


def doctor(project: TestProject, *options: str) -> dict[str, Any]:
    outcome = project.run("--json", "doctor", *options)
    assert outcome.code == (0 if outcome.json["ok"] else 1)
    assert all(finding["next"] for finding in outcome.json["findings"] if finding["level"] != "ok")
    return dict(outcome.json)


def bad(report: dict[str, Any]) -> dict[str, str]:
    """What is not well: the check, and how it was told."""
    return {f["check"]: f"{f['level']}: {f['what']}" for f in report["findings"] if f["level"] != "ok"}


def made(report: dict[str, Any]) -> set[str]:
    return {finding["check"] for finding in report["findings"]}


def tree(project: TestProject) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in project.folder.rglob("*")}


def killed(project: TestProject, point: str) -> None:
    project.run_process("run", SYNC, env={"TIDEGATE_TEST_FAILPOINTS": f"{point}=kill"})


def test_of_a_project_that_is_well_every_check_says_so_and_nothing_is_changed(project: TestProject) -> None:
    project.given.run("run", SYNC)
    before = tree(project)

    report = doctor(project)

    assert bad(report) == {}
    assert report["ok"] is True
    assert made(report) == ALL
    assert tree(project) == before
    assert project.run("doctor").out.endswith("0 problems, 0 warnings.\n")


def test_before_the_first_run_nothing_is_made(project: TestProject) -> None:
    before = tree(project)

    assert bad(doctor(project)) == {}

    assert tree(project) == before


def test_a_folder_without_a_project_is_a_problem_and_no_end(project: TestProject) -> None:
    (project.folder / "tidegate.yaml").unlink()

    report = doctor(project)

    assert set(bad(report)) == {"files"}
    assert made(report) == {"python", "dependencies", "files"}


def test_files_that_are_wrong_hide_neither_the_ledger_nor_the_storage(project: TestProject) -> None:
    project.given.run("run", SYNC)
    project.sync(SYNC, mode="sideways")
    project.sync("other", match={"external_id": "nowhere"})

    report = doctor(project)

    assert set(bad(report)) == {"files"}
    assert made(report) >= (WITHOUT_LEDGER | {"schema", "clock", "anchors"}) - {"secrets"}


def test_a_file_that_is_no_ledger_is_told_and_the_rest_is_looked_at(project: TestProject) -> None:
    project.given.run("run", SYNC)
    (project.folder / ".tidegate" / "ledger.db").write_bytes(b"not a database at all" * 500)

    report = doctor(project)

    assert set(bad(report)) == {"ledger"}
    assert made(report) == WITHOUT_LEDGER
    (project.folder / ".tidegate" / "ledger.db").unlink()  # nothing of it can be compared with what was sent


def test_a_ledger_that_is_gone_is_missed_by_the_storage_and_not_made_anew(project: TestProject) -> None:
    project.given.run("run", SYNC)
    (project.folder / ".tidegate" / "ledger.db").unlink()

    assert "restore the ledger" in str(doctor(project)["findings"])

    assert not (project.folder / ".tidegate" / "ledger.db").exists()


def test_an_older_copy_of_the_ledger_is_recognised(project: TestProject, receiver: Receiver) -> None:
    project.given.run("run", SYNC)
    ledger = project.folder / ".tidegate" / "ledger.db"
    older = ledger.read_bytes()
    project.people({1: ("Ada", 2.5)})
    project.run("run", SYNC)
    newer = ledger.read_bytes()
    ledger.write_bytes(older)

    assert bad(doctor(project))["anchors"].startswith("problem: the ledger lacks")

    ledger.write_bytes(newer)


def test_a_schema_of_another_release_is_told(project: TestProject) -> None:
    project.given.run("run", SYNC)
    with closing(sqlite3.connect(project.folder / ".tidegate" / "ledger.db")) as database:
        (found,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
        assert "newer than this code" in bad(doctor(project))["schema"]
        database.execute("UPDATE alembic_version SET version_num = ?", (found,))
        database.commit()


def test_secrets_that_are_missing_or_empty_are_named_and_none_is_shown(
    project: TestProject, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_SECRET", "")
    monkeypatch.setenv("HOOK_OTHER", SECRET)
    config = {"url": receiver.url, "secret": "${env:HOOK_SECRET}"}
    project.write("destinations/hook.yaml", {"name": "hook", "type": "webhook", "config": config})
    assert bad(doctor(project))["secrets"].endswith("`${env:HOOK_SECRET}` is empty")

    monkeypatch.delenv("HOOK_SECRET")
    assert "`HOOK_SECRET` is not set" in bad(doctor(project))["secrets"]

    config["secret"] = "${env:HOOK_OTHER}"
    project.write("destinations/hook.yaml", {"name": "hook", "type": "webhook", "config": config})
    shown = project.run("doctor")
    assert shown.code == 0, shown
    assert SECRET not in shown.out + shown.err


def test_a_storage_that_cannot_be_used_is_told(project: TestProject) -> None:
    project.run("validate")
    (project.folder / ".tidegate").mkdir()
    (project.folder / ".tidegate" / "segments").write_bytes(b"a file where a folder should be")

    assert set(bad(doctor(project))) == {"storage"}


def test_what_others_may_read_is_told_with_the_command_that_ends_it(project: TestProject) -> None:
    project.given.run("run", SYNC)
    (project.folder / ".tidegate" / "ledger.db").chmod(0o644)
    segments = project.folder / ".tidegate" / "segments"
    segments.chmod(0o755)
    assert set(bad(doctor(project))) == {"ledger settings"}, "each file is still its owner's"

    next(path for path in segments.rglob("*.parquet")).chmod(0o604)

    found = doctor(project)
    assert bad(found)["permissions"].startswith("warning: 1 files")
    assert f"chmod -R go= {segments}" in [finding["next"] for finding in found["findings"]]


def test_a_disk_without_room_for_the_next_versions_is_told(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.given.run("run", SYNC)
    monkeypatch.setattr(doctor_storage, "BYTES_MIN", 10**18)
    assert bad(doctor(project))["disk"].startswith("problem: ")

    monkeypatch.setattr(doctor_storage, "COPIES", 10**12)
    assert bad(doctor(project))["disk"].startswith("warning: ")


@pytest.mark.slow
def test_a_run_that_died_is_found_with_its_lease_and_the_command_that_goes_on(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed(project, "window.before_receipt")

    report = doctor(project)

    assert "which is dead" in bad(report)["leases"]
    assert bad(report)["runs"].startswith("warning: run ")
    assert report["ok"] is True
    monkeypatch.setattr(doctor_work, "STUCK_AFTER", timedelta(0))
    assert bad(doctor(project))["runs"].startswith("problem: run ")
    assert [f["next"] for f in report["findings"] if f["check"] == "runs"] == [f"tidegate run {SYNC}"]

    assert project.report()["status"] == "succeeded"
    assert bad(doctor(project)) == {}


def test_a_lease_that_somebody_holds_is_no_complaint_until_its_time_is_over(project: TestProject) -> None:
    project.given.run("run", SYNC)
    with closing(sqlite3.connect(project.folder / ".tidegate" / "ledger.db")) as database:

        def until(moment: datetime) -> None:
            database.execute(
                "UPDATE lease SET released = 0, holder = 'elsewhere:1:0-1:ab', expires_at = ? WHERE name = ?",
                (f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}", f"sync:{SYNC}"),
            )
            database.commit()

        until(datetime.now(UTC) + timedelta(hours=1))
        assert bad(doctor(project)) == {}

        until(datetime.now(UTC) - timedelta(hours=1))
        assert "was left by elsewhere:1" in bad(doctor(project))["leases"]


def test_a_destination_that_is_down_is_told_by_its_circuit_and_by_a_call(
    project: TestProject, receiver: Receiver
) -> None:
    project.given.run("run", SYNC)
    with closing(sqlite3.connect(project.folder / ".tidegate" / "ledger.db")) as database:
        probe = datetime.now(UTC).timestamp() + 60
        changed = database.execute(
            "UPDATE rate_budget SET failures = ?, opened = 1, probe_at = ?", (FAILURES_MAX, probe)
        )
        assert changed.rowcount == 1
        database.commit()
    calls = len(receiver.journal)

    assert bad(doctor(project))["accounts"].startswith("problem: hook did not answer")
    assert len(receiver.journal) == calls, "without --connect nobody is called"

    project.destination("hook", "http://127.0.0.1:9/batch")
    assert "destinations" in bad(doctor(project, "--connect"))


def test_what_waits_for_a_person_is_a_problem_once_it_waits_long(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.sync(SYNC, gates={"updates": {"max": 0, "on_fail": "review"}, "inserts": {"max": 1, "on_fail": "review"}})
    held = project.report()
    assert held["status"] == "held"

    report = doctor(project)

    assert bad(report)["decisions"].startswith(f"warning: a plan of {SYNC}")
    assert f"tidegate approve {held['run']}" in [finding["next"] for finding in report["findings"]]
    monkeypatch.setattr(doctor_work, "WAITS_LONG", timedelta(0))
    assert bad(doctor(project))["decisions"].startswith("problem: ")


def test_records_that_are_set_aside_are_counted(project: TestProject, receiver: Receiver) -> None:
    project.sync(SYNC, rejects={"max_attempts": 1, "stop_ratio": 1.0})
    refusing(receiver, "1")
    project.run("run", SYNC)

    assert bad(doctor(project))["quarantine"] == f"warning: {SYNC}: 1 records set aside, 0 in doubt"


def test_people_who_are_not_forgotten_in_time_are_a_problem(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("datasets/people.yaml", {**PEOPLE, "identifiers": ["name"]})
    project.run("run", SYNC)
    project.run("pause", SYNC)
    project.run("forget", "2", "--reason", "request 17")
    assert bad(doctor(project))["erasures"].startswith("warning: ")

    late = datetime.now(UTC) + timedelta(days=31)
    monkeypatch.setattr("engine.clock.SystemClock.now", lambda _clock: late)
    assert "is overdue" in bad(doctor(project))["erasures"]


def test_a_clock_that_was_set_back_is_told_by_the_newest_event(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.given.run("run", SYNC)
    early = datetime.now(UTC) - timedelta(days=1)
    monkeypatch.setattr("engine.clock.SystemClock.now", lambda _clock: early)

    assert "the clock was set back" in bad(doctor(project))["clock"]


def test_packages_of_another_version_and_missing_ones_are_told(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = metadata.version

    def version(name: str) -> str:
        if name == "tenacity":
            raise metadata.PackageNotFoundError(name)
        return "1.0" if name == "duckdb" else real(name)

    monkeypatch.setattr(metadata, "version", version)

    told = [finding for finding in doctor(project)["findings"] if finding["check"] == "dependencies"]

    assert [finding["what"] for finding in told] == ["duckdb 1.0 is not of <3,>=2.0", "tenacity is not installed"]


def test_a_check_that_fails_in_an_unforeseen_way_hides_no_other(
    project: TestProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.given.run("run", SYNC)

    def broken(*_: object) -> None:
        raise ZeroDivisionError("with a value: 4711")

    monkeypatch.setattr(doctor_work, "standing", broken)

    report = doctor(project)

    assert bad(report)["leases"] == "problem: cannot be looked at: ZeroDivisionError"
    assert made(report) == ALL


@pytest.mark.slow
def test_a_ledger_in_postgresql_is_looked_at_too(tmp_path: Path, receiver: Receiver, postgres_database: str) -> None:
    project = TestProject(tmp_path, receiver.url, ledger=postgres_database)
    project.people({1: ("Ada", 1.5)})
    assert bad(doctor(project))["schema"].startswith("problem: The ledger has no schema yet")
    assert made(doctor(project)) >= WITHOUT_LEDGER - {"permissions"}

    assert project.run("db", "upgrade").code == 0
    report = doctor(project)
    assert set(bad(report)) <= {"ledger settings"}, "the server of the tests may have given up durability for speed"
    assert made(report) >= ALL - {"permissions"}
    assert os.environ.get("PGPASSWORD", "no password") not in str(report)
