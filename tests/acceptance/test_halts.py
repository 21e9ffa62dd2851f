"""A paused sync does nothing, a run that is given up ends where it is, and neither forgets what is owed (I28)."""

from __future__ import annotations

import json
import signal
import threading
import time
from typing import Any

import pytest

from engine import failpoints
from engine.delivery import executor
from engine.failpoints import VARIABLE
from engine.steps import sync_lease
from tests.acceptance.test_consent import REGISTER, decide, granted, withdrawn
from tests.acceptance.test_decided_in_between import done, in_between
from tests.projects import TestProject
from tests.receiver import Answer, Receiver

pytestmark = pytest.mark.slow
SYNC = "people_to_hook"
WINDOW = 16
"""Batches between two looks: four for each of the four calls that a webhook makes at once."""


@pytest.fixture
def many(project: TestProject, receiver: Receiver) -> dict[str, dict[str, Any]]:
    """Rows for three windows of batches of one record; what the destination is to hold in the end."""
    project.destination("hook", receiver.url, batch={"records": 1}, rate={"concurrency": 4})
    project.people({n: (f"person {n}", None) for n in range(3 * WINDOW)})
    return {str(n): {"name": f"person {n}", "score": None} for n in range(3 * WINDOW)}


def during(project: TestProject, receiver: Receiver, *command: str, at: int = 5) -> list[int]:
    """Let ``command`` be given while call number ``at`` is under way; returns the exit codes of it, for it was given once."""
    codes: list[int] = []

    def answer(_body: object) -> Answer | None:
        if len(receiver.journal) == at - 1 and not codes:
            codes.append(-1)
            codes[0] = project.run_process(*command).code
        return None

    receiver.answer = answer
    return codes


def status(project: TestProject) -> dict[str, Any]:
    (found,) = project.run("--json", "status").json
    return dict(found)


def test_a_paused_sync_reads_and_sends_nothing_and_says_who_paused_it_and_why(
    project: TestProject, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDEGATE_ACTOR", "ada")
    paused = project.run("--json", "pause", SYNC, "--reason", "the CRM is migrated")
    assert (paused.code, paused.json["changed"], paused.json["paused"]["by"]) == (0, True, "ada")
    (project.folder / "data" / "people.parquet").unlink()
    monkeypatch.setenv("TIDEGATE_ACTOR", "cron")

    report = project.report()

    assert (report["status"], report["exit"], report["paused_by"], report["run"]) == ("paused", 1, "ada", "")
    assert report["reason"].startswith("paused by ada since 20")
    assert report["reason"].endswith(" UTC: the CRM is migrated")
    assert report["next"] == f"tidegate resume {SYNC}"
    assert project.run("--json", "run", "--all").json[0]["status"] == "paused"
    assert (receiver.journal, project.run("--json", "runs", SYNC).json) == ([], [])
    shown = status(project)["paused"]
    assert (shown["by"], shown["reason"], shown["since"]) == (
        "ada",
        "the CRM is migrated",
        paused.json["paused"]["since"],
    )
    assert "paused by ada since" in project.run("status").out


def test_pausing_twice_keeps_the_first_and_resuming_twice_does_no_harm(
    project: TestProject, receiver: Receiver
) -> None:
    assert project.run("--json", "pause", SYNC, "--reason", "one").json["changed"]
    again = project.run("--json", "pause", SYNC, "--reason", "two")
    assert (again.code, again.json["changed"], again.json["paused"]["reason"]) == (0, False, "one")

    assert project.run("--json", "resume", SYNC).json["changed"]
    assert not project.run("--json", "resume", SYNC).json["changed"]
    assert project.report()["status"] == "succeeded"
    assert status(project)["paused"] is None


def test_the_reason_of_a_pause_names_nobody(project: TestProject) -> None:
    outcome = project.run("pause", SYNC, "--reason", "ada@example.com complained")

    assert (outcome.code, "names somebody" in outcome.err) == (2, True)
    assert status(project)["paused"] is None


@pytest.mark.parametrize(
    "command",
    [
        ("rollback", SYNC, "--to", "1", "--yes"),
        ("resync", SYNC, "--yes"),
        ("resync", SYNC, "--adopt", "--yes"),
        ("retry", SYNC),
    ],
    ids=lambda command: command[0] + ("-adopt" if "--adopt" in command else ""),
)
def test_a_command_that_would_send_through_a_paused_sync_is_refused_with_the_next_step(
    project: TestProject, receiver: Receiver, command: tuple[str, ...]
) -> None:
    project.given.report()
    project.people({1: ("ADA", 1.5)})
    project.given.report()
    project.given.run("pause", SYNC)
    before = (len(receiver.journal), len(project.run("--json", "ledger", "tail").json))

    outcome = project.run(*command)

    assert (outcome.code, f"tidegate resume {SYNC}" in outcome.err) == (2, True)
    assert (len(receiver.journal), len(project.run("--json", "ledger", "tail").json)) == before


def test_a_version_is_withdrawn_although_a_sync_is_paused_and_leaves_when_it_is_resumed(
    project: TestProject, receiver: Receiver
) -> None:
    project.given.report()
    good = {key: dict(fields) for key, fields in receiver.records.items()}
    project.people({1: ("ADA", 1.5)})
    project.given.report()
    project.given.run("pause", SYNC)

    (report,) = project.run("--json", "dataset", "withdraw", "people@2", "--reason", "bad", "--yes").json
    assert (report["status"], receiver.records != good) == ("paused", True)

    project.run("resume", SYNC)
    (project.folder / "data" / "people.parquet").unlink()
    project.people({1: ("Ada", 1.5), 2: ("Bo", None), 3: (None, 0.1)})
    project.report()
    assert receiver.records == good


def test_a_run_that_is_paused_on_its_way_stops_at_the_edge_of_its_window_and_the_next_goes_on_with_it(
    project: TestProject, receiver: Receiver, many: dict[str, dict[str, Any]]
) -> None:
    codes = during(project, receiver, "pause", SYNC, "--reason", "too fast")

    report = project.report()

    assert (codes, report["status"], report["exit"]) == ([0], "paused", 1)
    assert report["delivered"]["inserts"] == len(receiver.records) == WINDOW
    assert status(project)["paused"]["reason"] == "too fast"
    assert project.report()["run"] == report["run"], "the paused run is named by those that do nothing"
    assert len(receiver.journal) == WINDOW

    assert project.run("--json", "resume", SYNC).json["run"] == report["run"]
    went_on = project.report()
    assert (went_on["status"], went_on["resumed"], receiver.records) == ("succeeded", report["run"], many)
    assert set(receiver.sent.values()) == {1}
    assert project.report()["status"] == "unchanged"


def test_a_run_that_is_cancelled_on_its_way_ends_there_and_the_next_sends_only_what_is_owed(
    project: TestProject, receiver: Receiver, many: dict[str, dict[str, Any]]
) -> None:
    codes = during(project, receiver, "cancel", SYNC, "--reason", "the wrong file")

    report = project.report()

    assert (codes, report["status"], report["exit"]) == ([0], "cancelled", 1)
    assert "the wrong file" in report["reason"]
    assert f"{2 * WINDOW} not sent of {3 * WINDOW} records" in report["reason"]
    assert report["delivered"]["inserts"] == len(receiver.records) == WINDOW
    next_report = project.report()
    assert (next_report["status"], next_report["resumed"]) == ("succeeded", "")
    assert (next_report["delivered"]["inserts"], receiver.records) == (2 * WINDOW, many)
    assert set(receiver.sent.values()) == {1}


def test_a_run_that_waits_because_of_a_pause_can_be_cancelled_by_its_id_and_ends_at_once(
    project: TestProject, receiver: Receiver, many: dict[str, dict[str, Any]]
) -> None:
    during(project, receiver, "pause", SYNC)
    run = project.report()["run"]
    calls = len(receiver.journal)

    outcome = project.run("--json", "cancel", run)

    assert (outcome.code, outcome.json["ended"]["status"]) == (0, "cancelled")
    assert (len(receiver.journal), status(project)["last_status"]) == (calls, "cancelled")
    assert project.report()["status"] == "paused"
    project.run("resume", SYNC)
    assert (project.report()["delivered"]["inserts"], receiver.records) == (2 * WINDOW, many)


def test_a_run_that_died_in_a_window_and_is_cancelled_does_not_send_that_window_again(
    project: TestProject, receiver: Receiver, many: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows what became of it, and the next plan sends those records anew."""
    monkeypatch.setitem(failpoints._points.armed, "window.before_receipt", failpoints._Armed("raise", "", 2))
    project.run("run", SYNC)
    monkeypatch.undo()
    calls = len(receiver.journal)

    ended = project.run("--json", "cancel", SYNC).json["ended"]

    assert (ended["status"], len(receiver.journal), calls) == ("cancelled", calls, 2 * WINDOW)
    assert (ended["delivered"]["inserts"], ended["unknown"]) == (WINDOW, WINDOW)
    assert project.report()["status"] == "succeeded"
    assert (len(receiver.journal), receiver.records) == (calls + 2 * WINDOW, many)


@pytest.mark.parametrize(
    ("name", "said"), [(SYNC, "No run of"), ("nobody", "neither a sync nor a run"), ("", "has ended")]
)
def test_only_a_run_that_has_not_ended_is_cancelled(project: TestProject, name: str, said: str) -> None:
    run = project.given.report()["run"]

    outcome = project.run("cancel", name or run)

    assert (outcome.code, said in outcome.err) == (2, True)


def test_no_intent_stands_behind_a_pause(
    project: TestProject, receiver: Receiver, many: dict[str, dict[str, Any]]
) -> None:
    """Wherever it comes in a run: the ledger itself says that no window began after it."""
    during(project, receiver, "pause", SYNC, at=WINDOW + 3)
    project.report()

    types = [event["type"] for event in project.run("--json", "ledger", "tail", "--limit", "100").json]
    behind = types[types.index("sync.paused") :]
    assert "run.window_intended" not in behind
    assert types.count("run.window_intended") == types.count("run.window_received") == 2


def test_what_is_owed_to_forgotten_people_by_a_paused_sync_is_open_because_of_the_pause(
    project: TestProject, receiver: Receiver
) -> None:
    project.write("contracts/register-v1.odcs.yaml", REGISTER)
    register = {"connection": "lake", "table": "register.parquet"}
    files = {"name": "register", "kind": "consent", "contract": "contracts/register-v1.odcs.yaml", "source": register}
    project.write("datasets/register.yaml", files)
    project.sync(SYNC, consent={"purpose": "email", "subject": "id"})
    decide(project, *(granted(str(n)) for n in (1, 2, 3)))
    project.report()
    project.run("pause", SYNC, "--reason", "the CRM is migrated")
    decide(project, granted("1"), granted("2"), withdrawn("3"))

    report = project.run("--json", "forget", "1", "--reason", "asked for it")

    assert (report.code, report.json["status"], report.json["owed"]) == (5, "open", 1)
    assert any("paused by" in line and "the CRM is migrated" in line for line in report.json["open"])
    (sync,) = report.json["syncs"]
    assert f"tidegate resume {SYNC}" in sync["why"]
    assert set(receiver.records) == {"1", "2", "3"}

    project.run("resume", SYNC)
    project.report()
    assert set(receiver.records) == {"2"}
    assert project.run("erasures", "list").code == 0


def test_a_pause_that_comes_between_a_look_and_the_intent_keeps_the_window_back(
    project: TestProject, receiver: Receiver, many: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    passed = in_between(monkeypatch, lambda: None, lambda: done(project, "pause", SYNC))

    report = project.report()

    assert (report["status"], len(receiver.records)) == ("paused", WINDOW)
    assert passed.count("window.before_intent") == 2, "the second window was looked up, and its intent refused"


def test_a_pause_is_seen_while_a_call_does_not_come_back(
    project: TestProject, receiver: Receiver, many: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a heartbeat of the lease, as where a job is waited for; the window is sent again under its keys."""
    monkeypatch.setattr(sync_lease, "LEASE_SECONDS", 0.9)
    monkeypatch.setattr(executor, "GRACE_SECONDS", 0.1)
    ended, came_back = threading.Event(), list[bool]()

    def answer(_body: object) -> Answer | None:
        if len(receiver.journal) == 1:
            done(project, "pause", SYNC)
            came_back.append(ended.wait(20))
        return None

    receiver.answer = answer
    report = project.report()
    waited_for_the_call = bool(came_back)
    ended.set()

    assert not waited_for_the_call
    assert (report["status"], status(project)["last_status"]) == ("paused", "running")
    receiver.answer = lambda _body: None
    done(project, "resume", SYNC)
    assert project.report()["status"] == "succeeded"
    assert receiver.records == many
    assert len({key for key, _ in receiver.log}) == len(many), "nothing came under a second key"


@pytest.mark.crash
@pytest.mark.parametrize("point", ["anchor.before_write", "window.before_intent", "fold.before_commit"])
def test_a_process_that_dies_where_it_is_told_to_stop_leaves_the_pause_and_what_is_owed(
    project: TestProject, receiver: Receiver, many: dict[str, dict[str, Any]], point: str
) -> None:
    """The command that pauses or cancels, or the run that obeys."""
    during(project, receiver, "pause", SYNC)
    project.report()
    receiver.answer = lambda _body: None
    died = project.run_process("cancel", SYNC, env={VARIABLE: f"{point}=kill"})
    assert died.code == (0 if point == "window.before_intent" else -signal.SIGKILL)
    died = project.run_process("resume", SYNC, env={VARIABLE: f"{point}=kill"})
    assert died.code in {0, -signal.SIGKILL}
    done(project, "resume", SYNC)

    project.run_process("run", SYNC, env={VARIABLE: f"{point}=kill"})
    statuses = [project.report()["status"] for _ in range(3)]

    assert (statuses[-1], receiver.records) == ("unchanged", many)
    done(project, "ledger", "verify")


@pytest.mark.crash
def test_a_process_is_paused_by_another_while_it_delivers(project: TestProject, receiver: Receiver) -> None:
    project.destination("hook", receiver.url, batch={"records": 10})
    project.people({n: (f"person {n}", None) for n in range(20_000)})
    process = project.start("--json", "run", SYNC)
    while receiver.requests < 100:
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)

    done(project, "pause", SYNC, "--reason", "now")
    at_the_pause = receiver.requests
    out, err = process.communicate(timeout=60)

    (report,) = json.loads(out)
    assert (report["status"], process.returncode) == ("paused", 1), err
    assert report["delivered"]["inserts"] == len(receiver.records) < 20_000
    assert receiver.requests <= at_the_pause + 2 * WINDOW
    done(project, "resume", SYNC)
    assert project.report()["delivered"]["inserts"] == len(receiver.records) == 20_000
    assert set(receiver.sent.values()) == {1}
