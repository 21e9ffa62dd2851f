"""Consent decisions that are taken here count at once: for the next plan, and for a run that is under way."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from tests.projects import TestProject
from tests.receiver import Answer, Receiver

SYNC = "people_to_hook"
COUNT = 60
PEOPLE = {n: (f"Person {n}", float(n)) for n in range(1, COUNT + 1)}


@pytest.fixture(autouse=True)
def asking(project: TestProject, receiver: Receiver) -> None:
    """Everybody is asked, and two records go in a call, eight in a window."""
    project.destination("hook", receiver.url, batch={"records": 2}, rate={"concurrency": 1})
    project.sync(SYNC, mode="upsert", consent={"purpose": "email", "subject": "id"})
    project.people(PEOPLE)


def decisions(project: TestProject, text: str, name: str = "list.csv") -> Path:
    path = project.folder / name
    path.write_text(text, encoding="utf-8")
    return path


def everybody(project: TestProject, status: str = "granted") -> None:
    rows = "".join(f"{n},email,{status},r{n}\n" for n in PEOPLE)
    path = decisions(project, "subject,purpose,status,receipt_id\n" + rows)
    assert project.given.run("consent", "import", str(path)).code == 0


def withdraw(project: TestProject, *subjects: int) -> None:
    for subject in subjects:
        assert project.run("consent", "withdraw", "--subject", str(subject), "--purpose", "email").code == 0


def arrived_after(receiver: Receiver, place: int) -> set[str]:
    """Ids that came in requests behind the first ``place`` ones, removals aside."""
    return {r["id"] for one in receiver.journal[place:] for r in one.records if r["op"] != "delete"}


def test_without_a_decision_nothing_is_sent(project: TestProject, receiver: Receiver) -> None:
    report = project.report()

    assert (report["status"], report["plan"]["withheld"]) == ("unchanged", COUNT)
    assert receiver.journal == []


@pytest.mark.slow
def test_a_decision_of_the_command_line_allows_and_takes_back(project: TestProject, receiver: Receiver) -> None:
    granted = project.run(
        "--json", "consent", "grant", "--subject", "7", "--purpose", "email", "--receipt", "form-7"
    ).json
    assert (granted["granted"], granted["refused"], granted["syncs"]) == (1, 0, [SYNC])
    assert project.report()["delivered"]["inserts"] == 1
    assert list(receiver.records) == ["7"]

    ended = project.run("--json", "consent", "withdraw", "--subject", "7", "--purpose", "email", "--run")

    assert (ended.code, ended.json[0]["status"], ended.json[0]["delivered"]["deletes"]) == (0, "succeeded", 1)
    assert receiver.records == {}


def test_a_list_counts_as_a_whole(project: TestProject, receiver: Receiver) -> None:
    everybody(project)

    assert project.report()["delivered"]["inserts"] == COUNT
    assert project.checked(receiver).acknowledged == COUNT


def test_the_receipt_of_the_decision_is_kept_with_what_was_delivered(project: TestProject) -> None:
    everybody(project)
    project.report()

    (state,) = (project.folder / ".tidegate/segments/syncs" / SYNC / "state").glob("*.parquet")
    kept = pq.read_table(state, columns=["id", "subject", "basis"]).to_pylist()
    receipts = {row["id"]: [decision["receipt"] for decision in json.loads(row["basis"])] for row in kept}
    assert {row["id"]: (row["subject"], *receipts[row["id"]]) for row in kept} == {
        str(n): (str(n), f"r{n}") for n in PEOPLE
    }


@pytest.mark.slow
@pytest.mark.parametrize("subjects", [(60,), (31, 32, 33), tuple(range(1, 61))])
def test_a_withdrawal_during_a_run_counts_from_the_next_window_on(
    project: TestProject, receiver: Receiver, subjects: tuple[int, ...]
) -> None:
    """I2."""
    everybody(project)
    seen: list[int] = []

    def answer(_body: dict[str, Any]) -> Answer | None:
        if len(receiver.journal) == 2:
            withdraw(project, *subjects[:1])
            rest = "".join(f"{n},email,withdrawn\n" for n in subjects[1:])
            if rest:
                project.run("consent", "import", str(decisions(project, "subject,purpose,status\n" + rest)))
            seen.append(len(receiver.journal))
        return None

    receiver.answer = answer
    report = project.report()
    window = 4  # calls

    assert arrived_after(receiver, window).isdisjoint(map(str, subjects))
    early = {r["id"] for one in receiver.journal[:window] for r in one.records}
    late = len(subjects) - len(early & set(map(str, subjects)))
    assert (report["status"], report["withheld"], report["exit"]) == ("succeeded", late, 0)
    assert report["delivered"]["inserts"] == COUNT - late
    project.checked(receiver)

    receiver.answer = lambda _body: None
    project.report()
    assert set(receiver.records) == {str(n) for n in PEOPLE if n not in subjects}
    assert project.report()["status"] == "unchanged"
    project.checked(receiver)


@pytest.mark.slow
def test_removals_of_the_same_plan_are_not_withheld(project: TestProject, receiver: Receiver) -> None:
    everybody(project)
    assert project.given.report()["status"] == "succeeded"
    withdraw(project, *range(1, 21))
    project.people({n: (f"Other {n}", float(n)) for n in PEOPLE})
    before = len(receiver.journal)

    def answer(_body: dict[str, Any]) -> Answer | None:
        if len(receiver.journal) == before + 2:
            withdraw(project, 60)
        return None

    receiver.answer = answer
    report = project.report()

    assert (report["status"], report["withheld"]) == ("succeeded", 1)
    assert report["delivered"] == {"inserts": 0, "updates": 39, "deletes": 20}
    assert project.report()["delivered"]["deletes"] == 1
    assert set(receiver.records) == {str(n) for n in range(21, 60)}
    project.checked(receiver)


@pytest.mark.slow
def test_a_withdrawal_between_a_crash_and_its_resumption_keeps_the_open_window_from_being_sent_again(
    project: TestProject, receiver: Receiver
) -> None:
    everybody(project)
    died = project.run_process("run", SYNC, env={"TIDEGATE_TEST_FAILPOINTS": "window.before_receipt=kill@2"})
    assert died.code == -9
    before = len(receiver.journal)
    last = [r["id"] for one in receiver.journal[-4:] for r in one.records]
    withdraw(project, int(last[0]))

    assert project.run("run", SYNC).code == 0

    assert last[0] not in arrived_after(receiver, before)
    assert last[0] not in receiver.records
    assert len(receiver.records) == COUNT - 1
    assert project.report()["status"] == "unchanged"


@pytest.mark.slow
def test_a_consent_that_ends_during_a_run_is_not_counted_on(project: TestProject, receiver: Receiver) -> None:
    everybody(project)
    began = datetime.now(UTC)
    assert project.run("plan", SYNC).code == 0
    until = datetime.now(UTC) + 3 * (datetime.now(UTC) - began) + timedelta(seconds=1)
    table = pa.table({"subject": ["60"], "purpose": ["email"], "status": ["granted"], "expires_at": [until]})
    pq.write_table(table, project.folder / "ends.parquet")
    assert project.run("consent", "import", str(project.folder / "ends.parquet")).code == 0
    waiting = []

    def answer(_body: dict[str, Any]) -> Answer | None:
        if len(receiver.journal) == 1:
            while datetime.now(UTC) < until:
                waiting.append(1)
                time.sleep(0.01)
        return None

    receiver.answer = answer
    report = project.report()

    assert waiting, "the run began too late to see the consent end"
    assert "60" not in receiver.records
    assert report["withheld"] == 1


BAD = {
    "an empty file": ("", "must be a header"),
    "a header only": ("subject,purpose,status\n", "holds no decision"),
    "no subject column": ("person,purpose,status\n1,email,granted\n", "subject"),
    "a blank subject": ("subject,purpose,status\n1,email,granted\n  ,email,granted\n", "row 2 has no subject"),
    "a wildcard": ("subject,purpose,status\n*,email,withdrawn\n", "row 1 names a wildcard"),
    "a yes": ("subject,purpose,status\n1,email,Y\n", "row 1 has a status other than"),
    "a status in capitals": ("subject,purpose,status\n1,email,GRANTED\n", "row 1 has a status other than"),
    "no status": ("subject,purpose,status\n1,email,\n", "status"),
    "a purpose that is none": ("subject,purpose,status\n1,E mail,granted\n", "row 1 has no purpose"),
    "the future": ("subject,purpose,status,collected_at\n1,email,granted,2999-01-01T00:00:00Z\n", "in the future"),
    "no time": ("subject,purpose,status,collected_at\n1,email,granted,soon\n", "collected_at"),
    "an end before the start": (
        "subject,purpose,status,collected_at,expires_at\n1,email,granted,2026-01-02T00:00:00Z,2026-01-01T00:00:00Z\n",
        "expires before it was collected",
    ),
    "a broken line": ('subject,purpose,status\n1,email,granted\n2,"email,gran', ""),
}


@pytest.mark.parametrize(("text", "why"), BAD.values(), ids=BAD)
def test_a_list_that_holds_anything_else_counts_for_nothing(
    project: TestProject, receiver: Receiver, text: str, why: str
) -> None:
    """X14 and corpus 4.4."""
    ended = project.run("consent", "import", str(decisions(project, text)))

    assert ended.code in {1, 2}, ended
    assert why in " ".join(ended.err.split())
    assert "Traceback" not in ended.err
    assert project.report()["plan"]["withheld"] == COUNT
    assert receiver.journal == []


def test_a_missing_list_is_named(project: TestProject) -> None:
    ended = project.run("consent", "import", str(project.folder / "nowhere.csv"))

    assert (ended.code, "there is no such file" in " ".join(ended.err.split())) == (2, True)


def test_of_opposite_decisions_of_one_moment_the_refusal_counts(project: TestProject) -> None:
    rows = "1,email,granted,2026-01-01T00:00:00Z\n1,email,withdrawn,2026-01-01T00:00:00Z\n"
    project.run("consent", "import", str(decisions(project, "subject,purpose,status,collected_at\n" + rows)))

    assert project.report()["plan"]["withheld"] == COUNT


def test_an_older_list_does_not_undo_a_newer_withdrawal(project: TestProject) -> None:
    withdraw(project, 1)
    rows = "1,email,granted,2026-01-01T00:00:00Z\n"
    project.run("consent", "import", str(decisions(project, "subject,purpose,status,collected_at\n" + rows)))

    assert project.report()["plan"]["withheld"] == COUNT


def test_a_purpose_that_no_sync_asks_for_is_said(project: TestProject) -> None:
    ended = project.run("consent", "grant", "--subject", "1", "--purpose", "emial")

    assert (ended.code, "no sync asks for emial" in ended.out) == (0, True)


def test_no_subject_stands_in_an_event(project: TestProject) -> None:
    """I24 for people: whom a decision is about is in no event."""
    project.run("consent", "withdraw", "--subject", "ada@example.com", "--purpose", "email")

    assert "ada@example.com" not in project.run("--json", "ledger", "tail", "--limit", "100").out


@pytest.mark.slow
def test_many_decisions_are_merged_and_all_kept(project: TestProject) -> None:
    for n in range(1, 21):
        project.run("consent", "grant", "--subject", str(n), "--purpose", "email")

    assert project.report()["delivered"]["inserts"] == 20
    assert len(project.run("--json", "ledger", "tail", "--limit", "1000").json) >= 20


def test_a_ledger_from_before_a_withdrawal_is_refused(project: TestProject, receiver: Receiver) -> None:
    """I21: consent fails closed."""
    everybody(project)
    ledger = project.folder / ".tidegate" / "ledger.db"
    assert project.run("db", "upgrade").code == 0
    kept = {path: path.read_bytes() for path in ledger.parent.glob("ledger.db*")}
    withdraw(project, 1)
    for path in ledger.parent.glob("ledger.db*"):
        path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)

    ended = project.run("run", SYNC)

    assert (ended.code, "went back in time" in " ".join(ended.err.split() + ended.out.split())) == (1, True)
    assert receiver.journal == []


@pytest.mark.slow
@pytest.mark.parametrize(("on_fail", "status", "code"), [("block", "blocked", 3), ("review", "held", 4)])
def test_a_source_that_is_refused_keeps_nobody_who_took_consent_back(
    project: TestProject, receiver: Receiver, on_fail: str, status: str, code: int
) -> None:
    """The version before stays current, and what it owes leaves; nothing of the refused candidate does."""
    everybody(project)
    project.given.report()
    path = project.folder / "datasets/people.yaml"
    gates = {"rows": {"max_change": 0.3, "on_fail": on_fail}}
    project.write("datasets/people.yaml", {**yaml.safe_load(path.read_text(encoding="utf-8")), "gates": gates})
    project.people({n: row for n, row in PEOPLE.items() if n > COUNT // 2})
    withdraw(project, 7, 50)

    report = project.report()

    assert (report["status"], report["exit"], report["delivered"]["deletes"]) == (status, code, 2)
    assert set(receiver.records) == {str(n) for n in PEOPLE if n not in (7, 50)}
    assert (project.report()["status"], len(receiver.records)) == (status, COUNT - 2)
