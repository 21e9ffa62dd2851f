"""Who may let a held plan be sent, for how long, and what voids it; there is no path around it (I17, O2, Z4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from engine.clock import SystemClock
from engine.failpoints import VARIABLE
from engine.ledger.database import open_database
from engine.ledger.lease import acquire, release
from tests.acceptance.test_consent import REGISTER, decide, granted, withdrawn
from tests.projects import Outcome, TestProject
from tests.receiver import Receiver

SYNC = "people_to_hook"
FULL: dict[int, tuple[str | None, float | None]] = {n: (f"p{n}", float(n)) for n in range(1, 11)}
REVIEWED = {"deletes": {"max": 2, "on_fail": "review"}}
As = Callable[[str], None]


@pytest.fixture
def acting(monkeypatch: pytest.MonkeyPatch) -> As:
    """Who runs the commands that follow."""

    def act(actor: str) -> None:
        monkeypatch.setenv("TIDEGATE_ACTOR", actor)

    act("scheduler")
    return act


def rules(project: TestProject, top: dict[str, Any] | None = None, **environment: Any) -> None:
    """Give the environment these keys and no other rules of approvals; ``top`` goes to the file's top level."""
    path = project.folder / "tidegate.yaml"
    content = yaml.safe_load(path.read_text())
    content.pop("approvers", None)
    kept = {name: content["environments"]["development"][name] for name in ("ledger", "storage")}
    content["environments"]["development"] = {**kept, **environment}
    project.write("tidegate.yaml", {**content, **(top or {})})


def keep(project: TestProject, kept: int) -> None:
    project.people({n: row for n, row in FULL.items() if n <= kept})


def held(project: TestProject, kept: int = 5) -> str:
    """The run that is held because only ``kept`` of the ten delivered people are left."""
    project.sync(SYNC, gates=REVIEWED)
    project.people(FULL)
    assert project.given.report()["status"] in {"succeeded", "unchanged"}
    keep(project, kept)
    report = project.given.report()
    assert report["status"] == "held", report
    return str(report["run"])


def approve(project: TestProject, run: str) -> Outcome:
    return project.run("approve", run, "--comment", "looked at")


def is_held(project: TestProject, receiver: Receiver, why: str = "") -> bool:
    """Whether a run is held for ``why`` and sends nothing."""
    requests, report = receiver.requests, project.report()
    return (report["status"], why in report["reason"], receiver.requests) == ("held", True, requests)


def is_sent(project: TestProject, receiver: Receiver, kept: int = 5) -> bool:
    return (project.report()["status"], len(receiver.records)) == ("succeeded", kept)


@pytest.mark.slow
def test_where_every_plan_needs_approval_the_one_who_asked_cannot_give_it(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    rules(project, require_approval=True)
    acting("ada@laptop")
    run = project.report()["run"]
    for actor in ("ada@laptop", "ada@server", "Ada"):
        acting(actor)
        refused = approve(project, run)
        assert (refused.code, "who asked for it may not approve it" in refused.err) == (2, True)
    assert is_held(project, receiver)

    acting("bo@laptop")
    assert approve(project, run).code == 0
    acting("ada@laptop")
    assert is_sent(project, receiver, 3)


@pytest.mark.slow
def test_who_asked_first_stays_the_one_who_asked_whoever_runs_it_again(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    rules(project, require_approval=True)
    acting("ada")
    first = project.report()
    acting("bo")
    again = project.report()
    assert first["plan"]["digest"] == again["plan"]["digest"]

    acting("ada")
    assert approve(project, again["run"]).code == approve(project, first["run"]).code == 2
    acting("bo")
    assert approve(project, again["run"]).code == 0
    assert is_sent(project, receiver, 3)


@pytest.mark.slow
def test_four_eyes_are_asked_for_or_waived_by_the_environment(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    run = held(project)
    rules(project, approval={"four_eyes": True})
    assert approve(project, run).code == 2
    rules(project, require_approval=True, approval={"four_eyes": False})
    assert approve(project, run).code == 0
    assert is_sent(project, receiver)


@pytest.mark.slow
def test_an_approval_given_while_four_eyes_were_waived_counts_for_nothing_once_they_are_not(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    run = held(project)
    assert approve(project.given, run).code == 0
    rules(project, require_approval=True)
    assert is_held(project, receiver, "who asked for it may not approve it")


@pytest.mark.slow
def test_only_approvers_decide_and_an_environment_names_its_own(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    run = held(project)
    rules(project, {"approvers": ["ada"]})
    for actor in ("bo", "scheduler"):
        acting(actor)
        refused = [approve(project, run), project.run("reject", run)]
        assert [(r.code, "only those whom `approvers` names" in r.err) for r in refused] == [(2, True)] * 2
    rules(project, {"approvers": ["ada"]}, approvers=["bo"])
    acting("ada")
    assert approve(project, run).code == 2
    assert is_held(project, receiver)
    acting("bo")
    assert approve(project, run).code == 0
    assert is_sent(project, receiver)


@pytest.mark.slow
def test_an_approval_is_void_once_the_approver_is_none_any_more(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    run = held(project)
    acting("bo")
    assert approve(project, run).code == 0
    rules(project, approvers=["ada"])
    assert is_held(project, receiver, "only those whom `approvers` names may decide")


@pytest.mark.slow
def test_an_approval_expires_and_a_shorter_time_holds_for_those_given_before(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    run = held(project)
    assert approve(project.given, run).code == 0
    rules(project, approval={"expires": "1ms"})
    assert is_held(project, receiver, "the newest approval does not count: it expired at")
    assert approve(project, run).code == 0, "it may be given again"
    assert is_held(project, receiver, "it expired at")
    rules(project, approval={"expires": "1h"})
    assert approve(project, run).code == 0
    assert is_sent(project, receiver)


@pytest.mark.slow
def test_a_later_decision_counts_and_not_an_earlier_one(project: TestProject, receiver: Receiver, acting: As) -> None:
    run = held(project)
    assert [approve(project, run).code, approve(project, run).code] == [0, 0]
    assert project.run("reject", run).code == 0
    assert is_held(project, receiver)
    assert approve(project, run).code == 0
    assert is_sent(project, receiver)


def test_nobody_names_another_as_the_one_who_decides(project: TestProject, acting: As) -> None:
    run = held(project)
    assert project.run("approve", run, "--actor", "ada").code == 2


def other_source(project: TestProject) -> None:
    keep(project, 4)


def other_mapping(project: TestProject) -> None:
    project.sync(SYNC, gates=REVIEWED, fields={"name": "name"})


@pytest.mark.slow
@pytest.mark.parametrize("change", [other_source, other_mapping])
def test_whatever_changes_the_plan_voids_its_approval(
    project: TestProject, receiver: Receiver, acting: As, change: Callable[[TestProject], None]
) -> None:
    held(project)
    project.people({**{n: FULL[n] for n in range(1, 6)}, 1: ("another", 1.5)})
    run = project.report()["run"]
    assert approve(project, run).code == 0
    change(project)
    assert is_held(project, receiver)


@pytest.mark.slow
def test_a_consent_that_is_withdrawn_voids_the_approval_of_the_plan_before(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    project.write("contracts/register-v1.odcs.yaml", REGISTER)
    source = {"connection": "lake", "table": "register.parquet"}
    register = {"name": "register", "kind": "consent", "contract": "contracts/register-v1.odcs.yaml", "source": source}
    project.write("datasets/register.yaml", register)
    everybody = [granted(str(id)) for id in FULL]
    decide(project, *everybody)
    rule = {"purpose": "email", "subject": "id", "on_withdrawal": "delete"}
    project.sync(SYNC, gates=REVIEWED, consent=rule)
    project.people(FULL)
    project.report()
    keep(project, 5)
    assert approve(project, project.report()["run"]).code == 0
    decide(project, *everybody, withdrawn("1"))
    assert project.report()["status"] == "held"
    assert set(receiver.records) == set(map(str, FULL)) - {"1"}, "the removal is owed, and the rest waits anew"
    assert is_held(project, receiver)


@pytest.mark.slow
def test_a_fold_between_approval_and_run_voids_the_approval(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    receiver.answer = lambda body: (400, {}, b"no") if any(r["id"] == "1" for r in body["records"]) else None
    project.sync(SYNC, gates=REVIEWED, rejects={"max_attempts": 1, "stop_ratio": 0.9})
    project.people(FULL)
    assert project.report()["status"] == "partial"
    keep(project, 5)
    run = project.report()["run"]
    assert approve(project, run).code == 0

    receiver.answer = lambda _: None
    assert project.run("quarantine", "release", SYNC).code == 0
    assert project.run("--json", "approvals").json == [], "no run can make that plan any more"
    for command in ("approve", "reject"):
        assert "waits for a decision" in project.run(command, run).err
    assert is_held(project, receiver)


@pytest.mark.slow
def test_a_decision_on_a_plan_that_is_not_the_newest_is_refused(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    stale = held(project)
    keep(project, 4)
    newest = project.report()["run"]
    for command in ("approve", "reject"):
        refused = project.run(command, stale)
        assert (refused.code, "waits for a decision" in refused.err) == (2, True)
    assert approve(project, newest).code == 0
    assert is_sent(project, receiver, 4)


@pytest.mark.slow
def test_an_approval_is_of_one_sync_although_another_would_send_the_same(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    project.sync("twin", gates=REVIEWED)
    project.people(FULL)
    project.report("twin")
    run = held(project)
    assert project.report("twin")["status"] == "held"
    assert approve(project, run).code == 0
    assert project.report("twin")["status"] == "held"
    assert project.report()["status"] == "succeeded"
    (project.folder / "syncs/twin.yaml").unlink()


def test_nobody_decides_while_a_run_holds_the_sync(project: TestProject, acting: As) -> None:
    run = held(project)
    database = open_database(f"sqlite:///{project.folder / '.tidegate/ledger.db'}")
    lease = acquire(database, SystemClock(), f"sync:{SYNC}", "another run", 60)
    refused = [project.run(command, run).code for command in ("approve", "reject")]
    release(database, lease)
    database.dispose()
    assert refused == [6, 6]
    assert project.run("--json", "approvals").json[0]["decision"] == "open"


@pytest.mark.slow
def test_a_run_that_began_to_send_goes_on_although_its_approval_expired(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    run = held(project)
    assert approve(project.given, run).code == 0
    assert project.run_process("run", SYNC, env={VARIABLE: "batch.after_send=exit:9"}).code == 9
    rules(project, approval={"expires": "1ms"})
    assert project.report()["status"] == "succeeded"
    assert len(receiver.records) == 5
    assert project.report()["status"] == "unchanged"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("later", "why"), [({"approval": {"expires": "1ms"}}, "it expired"), ({"approvers": ["ada"]}, "only those")]
)
def test_a_run_that_died_before_it_sent_anything_asks_again(
    project: TestProject, receiver: Receiver, acting: As, later: dict[str, Any], why: str
) -> None:
    run = held(project)
    assert approve(project.given, run).code == 0
    assert project.run_process("run", SYNC, env={VARIABLE: "plan.after_commit=exit:9"}).code == 9
    rules(project, **later)
    assert is_held(project, receiver, why)


@pytest.mark.slow
def test_a_plan_that_a_crash_left_waits_where_every_plan_needs_approval_by_now(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    assert project.run_process("run", SYNC, env={VARIABLE: "plan.after_commit=exit:9"}).code == 9
    rules(project, require_approval=True)
    assert is_held(project, receiver, "every plan approved")
    assert not receiver.records


@pytest.mark.slow
def test_what_waits_is_listed_with_who_asked_what_was_decided_and_until_when(
    project: TestProject, receiver: Receiver, acting: As
) -> None:
    assert project.run("--json", "approvals").json == []
    assert "No plan and no version waits" in project.run("approvals").out
    run = held(project)
    acting("bo")
    again = project.report()

    (waiting,) = project.run("--json", "approvals").json
    assert (waiting["sync"], waiting["run"], waiting["digest"]) == (SYNC, again["run"], again["plan"]["digest"])
    assert (waiting["asked_by"], waiting["decision"], waiting["deletes"]) == ("scheduler", "open", 5)
    assert waiting["next"] == f"tidegate approve {again['run']}"
    assert "scheduler" in project.run("approvals").out

    assert approve(project, run).code == 0
    (waiting,) = project.run("--json", "approvals").json
    assert (waiting["decision"], waiting["by"], bool(waiting["until"])) == ("approved", "bo", True)
    rules(project, approvers=["ada"])
    (waiting,) = project.run("--json", "approvals").json
    assert (waiting["decision"], "only those" in waiting["note"]) == ("open", True)
    rules(project)
    assert project.run("reject", run).code == 0
    assert project.run("--json", "approvals").json[0]["decision"] == "rejected"
    project.people(FULL)
    assert project.report()["status"] == "unchanged"
    assert project.run("--json", "approvals").json == []
