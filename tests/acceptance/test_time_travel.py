"""A ledger that went back in time is recognised and nothing is sent (I21); going on from it is a decision that converges."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import Engine

from engine.bootstrap import open_app
from engine.core.names import Digest, run_stream
from engine.delivery.stop import StopRequest
from engine.errors import LedgerConflict, LedgerError
from engine.failpoints import VARIABLE
from engine.ledger.lease import HeldLease
from engine.segments.files import Storage
from engine.service.ledgers import accept_ledger_regression
from engine.service.runs import run_syncs
from engine.steps.delivery_log import LedgerLog, Work
from tests.acceptance.test_garbage import age, collected
from tests.acceptance.test_resync import resynced
from tests.acceptance.test_retained_runs import ran, rule
from tests.acceptance.test_retention import done
from tests.given import Played
from tests.ledger import facts
from tests.projects import Outcome, TestProject
from tests.receiver import Receiver

SYNC = "people_to_hook"
People = dict[int, tuple[str | None, float | None]]


@pytest.fixture
def project(tmp_path: Path, receiver: Receiver, played: Played[Outcome]) -> TestProject:
    """Its ledger is not checked against what the destination received: it loses events, which is the subject here."""
    made = TestProject(tmp_path, receiver.url)
    made.remember(played, receiver)
    made.people({1: ("Ada", 1.5), 2: ("Bo", None), 3: (None, 0.1)})
    return made


def ledger_file(project: TestProject) -> Path:
    return project.folder / ".tidegate" / "ledger.db"


def copied(project: TestProject) -> Path:
    """A copy of the ledger as it is now, made as a backup makes it."""
    copy = project.folder / "backup.db"
    with closing(sqlite3.connect(ledger_file(project))) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    return copy


def put_back(project: TestProject, copy: Path) -> None:
    """Restore a copy, as another file under the ledger's name."""
    fresh = shutil.copy(copy, project.folder / "restored.db")
    for rest in ("-wal", "-shm"):
        Path(f"{ledger_file(project)}{rest}").unlink(missing_ok=True)
    Path(fresh).replace(ledger_file(project))


def bring(project: TestProject, rows: People) -> dict[str, Any]:
    project.people(rows)
    report = project.report()
    assert report["status"] == "succeeded", report
    return report


def wanted(rows: People) -> dict[str, dict[str, object]]:
    return {str(id): {"name": name, "score": score} for id, (name, score) in rows.items()}


def refused(project: TestProject, receiver: Receiver, why: str, *arguments: str) -> None:
    """A run and a capture end with 1 and the reason, send nothing and write nothing."""
    requests, held = receiver.requests, ledger_file(project).read_bytes()
    report = project.run(*arguments, "--json", "run", SYNC)
    assert report.code == 1
    (told,) = report.json
    assert (told["status"], told["run"], told["requests"]) == ("failed", "", 0)
    assert why in told["reason"]
    capture = project.run(*arguments, "--json", "capture", "people")
    assert capture.code == 1
    assert capture.json["error"]["code"] == "ledger_regressed"
    assert why in capture.json["error"]["what"]
    assert "accept-regression" in capture.json["error"]["next"]
    assert receiver.requests == requests
    if held:
        assert ledger_file(project).read_bytes() == held


def accept(project: TestProject) -> Outcome:
    outcome = project.run("--json", "ledger", "accept-regression", "--reason", "the disk is gone")
    assert outcome.code == 0, outcome
    return outcome


def converges(project: TestProject, receiver: Receiver, rows: People) -> dict[str, Any]:
    report = bring(project, rows)
    assert receiver.records == wanted(rows)
    assert project.report()["status"] == "unchanged"
    assert project.run("ledger", "verify").code == 0
    assert project.run("ledger", "rebuild").code == 0
    return report


def test_yesterdays_copy_of_the_ledger_is_refused_until_todays_is_back(
    project: TestProject, receiver: Receiver
) -> None:
    project.given.report()
    yesterday = copied(project)
    bring(project.given, {1: ("Ada L.", 1.5), 4: ("Di", 4.0)})
    today = Path(shutil.copy(ledger_file(project), project.folder / "today.db"))
    put_back(project, yesterday)
    refused(project, receiver, "went back in time")
    refused(project, receiver, "went back in time")
    put_back(project, today)
    assert project.report()["status"] == "unchanged"


@pytest.mark.parametrize(
    "command",
    [
        ("plan", SYNC),
        ("approve", "20260102T030405-9f2c"),
        ("reject", "20260102T030405-9f2c"),
        ("quarantine", "release", SYNC),
        ("quarantine", "drop", SYNC),
        ("retry", SYNC),
    ],
    ids=" ".join,
)
def test_nothing_is_decided_on_a_ledger_that_went_back(
    project: TestProject, receiver: Receiver, command: tuple[str, ...]
) -> None:
    project.given.report()
    yesterday = copied(project)
    bring(project.given, {1: ("Ada L.", 1.5)})
    put_back(project, yesterday)
    outcome = project.run("--json", *command)
    assert (outcome.code, outcome.json["error"]["code"]) == (1, "ledger_regressed")
    refused(project, receiver, "went back in time")


def test_a_copy_from_just_before_a_window_left_is_refused(project: TestProject, receiver: Receiver) -> None:
    died = project.run_process("run", SYNC, env={VARIABLE: "window.before_intent=kill"})
    assert died.code == -signal.SIGKILL
    before = copied(project)
    died = project.run_process("run", SYNC, env={VARIABLE: "window.before_receipt=kill"})
    assert (died.code, receiver.requests) == (-signal.SIGKILL, 1)
    put_back(project, before)
    refused(project, receiver, "went back in time")


def test_a_deleted_ledger_is_refused_though_a_new_one_is_made(project: TestProject, receiver: Receiver) -> None:
    project.given.report()
    ledger_file(project).unlink()
    assert project.run("status").code == 0
    refused(project, receiver, "The ledger is empty")


def test_the_ledger_of_another_environment_is_refused_on_both_sides(project: TestProject, receiver: Receiver) -> None:
    environments = {
        name: {"ledger": f"sqlite:///.tidegate/{ledger}.db", "storage": f".tidegate/{name}"}
        for name, ledger in (("staging", "other"), ("production", "ledger"))
    }
    connections = {"lake": {"type": "files", "path": "data"}}
    settings = {"name": "test", "environment": "production", "connections": connections}
    project.write("tidegate.yaml", {**settings, "environments": environments})
    for name in environments:
        assert project.run("--env", name, "run", SYNC).code == 0
    for environment, other in (("staging", "production"), ("production", "staging")):
        environments[environment]["storage"] = f".tidegate/{other}"
    project.write("tidegate.yaml", {**settings, "environments": environments})
    for name in environments:
        refused(project, receiver, "not the ledger that wrote to this storage", "--env", name)


def test_a_new_ledger_with_a_new_storage_starts_and_one_that_was_never_anchored_goes_on(
    project: TestProject, receiver: Receiver
) -> None:
    assert project.given.report()["status"] == "succeeded"
    shutil.rmtree(project.folder / ".tidegate" / "segments" / "anchors")
    yesterday = copied(project)
    bring(project.given, {1: ("Ada", 2.5)})
    put_back(project, yesterday)
    refused(project, receiver, "went back in time")


def test_an_object_store_remembers_as_a_folder_does(project: TestProject, receiver: Receiver) -> None:
    opened = open_app(project.folder, environment=None)
    storage = Storage(f"memory://{project.folder.name}", scratch=opened.scratch, entropy=opened.tools.entropy)
    app = replace(opened, tools=replace(opened.tools, storage=storage))
    rows: People = {1: ("Ada L.", 1.5)}
    try:
        run_syncs(app, [SYNC], StopRequest())
        yesterday = copied(project)
        project.people(rows)
        (report,) = run_syncs(app, [SYNC], StopRequest())
        assert report.status == "succeeded"
        put_back(project, yesterday)
        (report,) = run_syncs(app, [SYNC], StopRequest())
        assert (report.status, report.requests) == ("failed", 0)
        assert "went back in time" in report.reason
        assert [doubt.records for doubt in accept_ledger_regression(app, "the disk is gone").doubted] == [3]
        (report,) = run_syncs(app, [SYNC], StopRequest())
        assert (report.status, receiver.records) == ("succeeded", wanted(rows))
    finally:
        app.close()


def test_an_approval_from_before_an_acceptance_allows_nothing_after_it(
    project: TestProject, receiver: Receiver
) -> None:
    project.sync(SYNC, gates={"deletes": {"max": 0, "on_fail": "review"}})
    project.report()
    project.people({1: ("Ada", 1.5), 2: ("Bo", None)})
    held = project.report()
    assert project.run("approve", held["run"]).code == 0
    yesterday = copied(project)
    assert project.report()["status"] == "succeeded"
    put_back(project, yesterday)
    accept(project)
    requests, again = receiver.requests, project.report()
    assert (again["status"], receiver.requests) == ("held", requests)
    assert again["plan"]["digest"] != held["plan"]["digest"]


def test_an_anchor_that_cannot_be_read_is_not_taken_for_none(project: TestProject, receiver: Receiver) -> None:
    project.given.report()
    (project.folder / ".tidegate" / "segments" / "anchors" / f"sync.{SYNC}.json").write_bytes(b"{")
    refused(project, receiver, "cannot be read")
    assert accept(project).json["doubted"] == [{"sync": SYNC, "records": 3}]
    converges(project, receiver, {1: ("Ada", 1.5), 2: ("Bo", None), 3: (None, 0.1)})


@pytest.mark.crash
@pytest.mark.parametrize(
    "point",
    [
        "anchor.before_write=kill@1",
        "anchor.before_write=kill@2",
        "window.after_intent=kill",
        "anchor.before_write=kill@3",
    ],
    ids=["before the version's", "before the window's", "after the window's", "before the state's"],
)
def test_a_kill_around_an_anchor_is_no_regression(project: TestProject, receiver: Receiver, point: str) -> None:
    rows: People = {1: ("Ada", 1.5), 2: ("Bo", None), 3: (None, 0.1)}
    for rest in ({}, {4: ("Di", 4.0)}):
        project.people({**rows, **rest})
        died = project.run_process("run", SYNC, env={VARIABLE: point})
        assert died.code == -signal.SIGKILL, died
        assert project.report()["status"] in {"succeeded", "unchanged"}
        assert receiver.records == wanted({**rows, **rest})
        assert project.report()["status"] == "unchanged"
    assert receiver.duplicate_effects == 0
    project.checked(receiver)


def test_after_acceptance_the_next_run_sends_again_all_that_may_have_changed(
    project: TestProject, receiver: Receiver
) -> None:
    at_first: People = {1: ("Ada", 1.5), 2: ("Bo", None), 3: (None, 0.1)}
    bring(project, at_first)
    yesterday = copied(project)
    bring(project, {1: ("other", 9.0), 2: ("Bo", None), 4: ("Di", 4.0)})
    put_back(project, yesterday)
    refused(project, receiver, "went back in time")

    accepted = accept(project).json
    assert accepted["doubted"] == [{"sync": SYNC, "records": 3}]
    assert {lost["anchor"] for lost in accepted["lost"]} == {f"sync.{SYNC}", "dataset.people@1"}
    # The source says again what the older ledger believes delivered, and the destination holds something else.
    report = converges(project, receiver, {**at_first, 4: ("Di", 4.0)})
    assert report["plan"]["comparison"] == "full"
    assert report["delivered"] == {"inserts": 1, "updates": 3, "deletes": 0}
    (event,) = [
        e for e in project.run("--json", "ledger", "tail", "--stream", "ledger").json if e["stream"] == "ledger"
    ]
    assert (event["type"], event["actor"] != "") == ("ledger.regression_accepted", True)
    assert "the disk is gone" in event["summary"]


def test_after_acceptance_what_left_the_source_is_deleted_if_the_older_ledger_knows_it(
    project: TestProject, receiver: Receiver
) -> None:
    project.given.report()
    yesterday = copied(project)
    bring(project, {1: ("Ada", 1.5), 4: ("new", 4.0)})
    put_back(project, yesterday)
    accept(project)
    project.people({1: ("Ada", 1.5)})
    report = project.report()
    assert report["delivered"] == {"inserts": 0, "updates": 1, "deletes": 2}
    # What was first delivered in the lost time is the limit that the command and the documents name.
    assert set(receiver.records) == {"1", "4"}


def test_a_plan_after_acceptance_never_has_the_key_of_a_lost_one(project: TestProject, receiver: Receiver) -> None:
    bring(project, {1: ("a", 1.0)})
    yesterday = copied(project)
    for rows in ({1: ("x", 7.0)}, {1: ("b", 2.0)}, {1: ("c", 3.0)}):
        bring(project, rows)
    put_back(project, yesterday)
    accept(project)
    # The lost run that sent just this had as many folds before it as this one has.
    converges(project, receiver, {1: ("b", 2.0)})
    keys = [entry.key for entry in receiver.journal]
    assert len(keys) == len(set(keys))


def test_acceptance_is_asked_for_a_reason_and_does_nothing_when_nothing_was_lost(
    project: TestProject, receiver: Receiver
) -> None:
    project.given.report()
    assert project.run("ledger", "accept-regression").code == 2
    events = len(project.run("--json", "ledger", "tail").json)
    assert accept(project).json == {"lost": [], "doubted": []}
    assert "nothing to accept" in project.run("ledger", "accept-regression", "--reason", "x").out
    assert len(project.run("--json", "ledger", "tail").json) == events
    assert project.report()["status"] == "unchanged"


def test_a_sync_that_lost_nothing_is_not_doubted(project: TestProject, receiver: Receiver) -> None:
    project.sync("other", object="others")
    assert project.run("run", "other").code == 0
    project.report()
    yesterday = copied(project)
    bring(project, {1: ("Ada", 2.5)})
    put_back(project, yesterday)
    assert [doubt["sync"] for doubt in accept(project).json["doubted"]] == [SYNC]
    assert project.report("other")["delivered"] == {"inserts": 0, "updates": 1, "deletes": 2}


@pytest.mark.crash
def test_a_run_that_the_older_ledger_left_open_is_not_resumed_with_the_consent_of_then(
    project: TestProject, receiver: Receiver
) -> None:
    _with_consent(project)
    _consent(project, {"1": "granted", "2": "granted", "3": "granted"})
    died = project.run_process("run", SYNC, env={VARIABLE: "window.after_intent=kill"})
    assert (died.code, receiver.requests) == (-signal.SIGKILL, 0)
    yesterday = copied(project)
    assert project.report()["status"] == "succeeded"
    _consent(project, {"1": "granted", "2": "withdrawn", "3": "granted"})
    assert project.report()["delivered"]["deletes"] == 1
    put_back(project, yesterday)
    refused(project, receiver, "went back in time")
    accept(project)
    (left,) = project.run("--json", "runs", SYNC).json
    assert left["status"] == "failed"
    assert "not resumed" in left["reason"]

    received = len(receiver.journal)
    report = project.report()
    assert report["status"] == "succeeded", report
    sent = [(r["op"], r["id"]) for entry in receiver.journal[received:] for r in entry.records]
    assert sorted(sent) == [("delete", "2"), ("upsert", "1"), ("upsert", "3")]
    assert set(receiver.records) == {"1", "3"}
    assert project.report()["status"] == "unchanged"


def _with_consent(project: TestProject) -> None:
    properties = [
        {"name": name, "logicalType": "string", "primaryKey": name != "status", "primaryKeyPosition": place}
        if name != "status"
        else {"name": name, "logicalType": "string"}
        for place, name in enumerate(("subject", "purpose", "status"), start=1)
    ]
    contract = {"apiVersion": "v3.0.2", "kind": "DataContract", "id": "consent", "name": "consent", "version": "1.0.0"}
    schema = [{"name": "consent", "properties": properties}]
    project.write("contracts/consent-v1.odcs.yaml", {**contract, "status": "active", "schema": schema})
    source = {"connection": "lake", "table": "consent.parquet"}
    dataset = {"name": "consent", "contract": "contracts/consent-v1.odcs.yaml", "source": source, "kind": "consent"}
    project.write("datasets/consent.yaml", dataset)
    project.sync(SYNC, consent={"purpose": "mail", "subject": "id"})


def _consent(project: TestProject, decisions: dict[str, str]) -> None:
    columns = {"subject": list(decisions), "purpose": ["mail"] * len(decisions), "status": list(decisions.values())}
    pq.write_table(pa.table(columns), project.folder / "data" / "consent.parquet")


def test_a_ledger_file_that_is_replaced_under_a_process_is_the_one_that_its_next_run_reads(
    project: TestProject, receiver: Receiver
) -> None:
    project.given.report()
    yesterday = copied(project)
    app = open_app(project.folder, environment=None)
    try:
        project.people({1: ("Ada", 2.5)})
        (report,) = run_syncs(app, [SYNC], StopRequest())
        assert report.status == "succeeded"
        put_back(project, yesterday)
        requests = receiver.requests
        (report,) = run_syncs(app, [SYNC], StopRequest())
        assert report.status == "failed"
        assert "went back in time" in report.reason
        ledger_file(project).unlink()
        with pytest.raises(LedgerError, match="was removed while it was in use"):
            run_syncs(app, [SYNC], StopRequest())
        assert not ledger_file(project).exists()
        assert receiver.requests == requests
    finally:
        app.close()


def test_a_ledger_that_goes_back_in_the_middle_of_a_run_stops_it_before_another_window(
    project: TestProject, receiver: Receiver
) -> None:
    project.destination("hook", receiver.url, batch={"records": 1})
    project.people({n: (f"person {n}", 0.5) for n in range(400)})
    died = project.run_process("run", SYNC, env={VARIABLE: "window.before_intent=kill"})
    assert died.code == -signal.SIGKILL
    before = copied(project)
    windows = 0

    def swap(_body: object) -> None:
        nonlocal windows
        windows += 1
        if windows == 100:
            put_back(project, before)

    receiver.answer = swap
    report = project.report()
    assert (report["status"], report["exit"]) == ("failed", 1)
    assert 100 <= receiver.requests < 200
    refused(project, receiver, "went back in time")


def test_a_tail_that_is_lost_between_two_windows_is_noticed_by_the_next_intent(
    project: TestProject, receiver: Receiver
) -> None:
    app = open_app(project.folder, environment=None)
    tools, stream = app.tools, run_stream(facts.RUN)
    try:
        with HeldLease(tools.database, tools.clock, "sync:x", "tester", 60) as lease:
            tools.ledger.append(stream, facts.started(), facts.planned())
            work = Work(facts.RUN, "p", Digest("d" * 64), facts.segment("p"), lease.fence, lambda _rows: None)
            log = LedgerLog(tools, facts.CRM, work)
            asyncio.run(log.intend(1, facts.intended(1).batches))
            asyncio.run(log.receive(1, facts.received(1).batches, []))
            _lose_after(tools.database, stream, 2)
            with pytest.raises(LedgerConflict):
                asyncio.run(log.intend(2, facts.intended(2).batches))
    finally:
        app.close()


def _lose_after(database: Engine, stream: str, position: int) -> None:
    """As a standby does that had not yet received the newest events, and has the lease."""
    last = f"(SELECT hash FROM event WHERE stream = '{stream}' AND position = {position})"
    facts.as_intruder(
        database,
        "DELETE FROM run_window",
        f"DELETE FROM event WHERE stream = '{stream}' AND position > {position}",
        f"UPDATE stream_head SET position = {position}, hash = {last} WHERE stream = '{stream}'",
    )


def test_a_standby_that_lags_is_refused_after_a_failover(
    tmp_path: Path, receiver: Receiver, postgres_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEST_LEDGER", postgres_database)
    project = TestProject(tmp_path, receiver.url, ledger="${env:TEST_LEDGER}")
    project.people({1: ("Ada", 1.5), 2: ("Bo", None)})
    assert project.run("db", "upgrade").code == 0
    assert project.report()["status"] == "succeeded"
    server, _, name = postgres_database.replace("+psycopg", "").rpartition("/")
    database, _, options = name.partition("?")
    standby = f"{database}_standby"
    with psycopg.connect(f"{server}/postgres?{options}", autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {standby}")
        connection.execute(f"CREATE DATABASE {standby} TEMPLATE {database}")
    bring(project, {1: ("Ada L.", 1.5), 3: ("Cy", 3.0)})
    requests = receiver.requests
    monkeypatch.setenv("TEST_LEDGER", postgres_database.replace(database, standby))
    report = project.report()
    assert (report["status"], report["exit"], receiver.requests) == ("failed", 1, requests)
    assert "went back in time" in report["reason"]
    assert accept(project).json["doubted"] == [{"sync": SYNC, "records": 2}]
    converges(project, receiver, {1: ("Ada L.", 1.5), 3: ("Cy", 3.0)})


def test_a_storage_that_fails_after_a_window_left_loses_no_receipt(project: TestProject, receiver: Receiver) -> None:
    state = project.folder / ".tidegate" / "segments" / "syncs" / SYNC / "state"
    state.parent.mkdir(parents=True)
    state.symlink_to("nowhere")
    report = project.report()
    assert (report["status"], receiver.requests) == ("failed", 1)
    state.unlink()
    rows: People = {1: ("Ada", 1.5)}
    project.people(rows)
    report = project.report()
    assert report["delivered"]["deletes"] == 2, report
    assert receiver.records == wanted(rows)
    assert receiver.requests == 2
    project.checked(receiver)


@pytest.mark.slow
@pytest.mark.parametrize("is_interrupted", [False, True], ids=["ended", "interrupted"])
def test_a_ledger_from_before_plans_were_dropped_is_gone_on_from(
    project: TestProject, receiver: Receiver, *, is_interrupted: bool
) -> None:
    """It believes in a state that is no more, or in a run whose plan is: what was ever sent is known beside the segments."""
    rule(project, 1)
    ran(project, 2, 3)
    if is_interrupted:
        project.people({1: ("Ada", 3.5), 3: ("Somebody", 3.0)})
        died = project.run_process("run", SYNC, env={VARIABLE: "window.before_receipt=kill"})
        assert died.code == -signal.SIGKILL, died
    backup = copied(project)
    ran(project, 4, 12, 13)
    receiver.records |= {key: {"name": "brought back"} for key in ("2", "3", "12")}
    put_back(project, backup)
    assert project.report()["status"] == "failed"

    done(project, "ledger", "accept-regression", "--reason", "the newer one is lost")
    project.people({1: ("Ada", 9.0), 13: ("Dee", 4.0)})
    report = project.report()

    assert report["status"] == "succeeded", report
    assert receiver.records == {"1": {"name": "Ada", "score": 9.0}, "13": {"name": "Dee", "score": 4.0}}
    assert project.report()["status"] == "unchanged"
    assert project.run("ledger", "verify").code == 0
    age(project)
    collected(project)
    assert project.run("show", SYNC, "--key", "2").code == 0
    assert resynced(project)["status"] == "succeeded"
