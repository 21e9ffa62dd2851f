"""What a destination rejects again and again is set aside with its reason, and a person decides what becomes of it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine.clock import SystemClock
from engine.failpoints import VARIABLE
from engine.ledger.database import open_database
from engine.ledger.lease import acquire, release
from engine.ledger.projection import snapshot
from tests.acceptance.test_consent import REGISTER, decide, granted, withdrawn
from tests.projects import CONTRACT, TestProject
from tests.receiver import Answer, Receiver

SYNC = "people_to_hook"
DECIDING = (("quarantine", "release"), ("quarantine", "drop"), ("retry",))
PEOPLE = {1: ("Ada", 1.0), 2: ("Bo", 2.0), 3: ("Cy", 3.0)}


def refusing(receiver: Receiver, *ids: str, message: str = "the address is invalid") -> None:
    """Refuse every request that holds one of these records, and take all others."""

    def answer(body: dict[str, Any]) -> Answer | None:
        refused = any(record["id"] in ids for record in body["records"])
        return (400, {}, message.encode()) if refused else None

    receiver.answer = answer


def listed(project: TestProject, *arguments: str) -> dict[str, Any]:
    ended = project.run("--json", "quarantine", "list", SYNC, *arguments)
    assert ended.code == 0, ended
    report: dict[str, Any] = ended.json
    return report


def standings(project: TestProject) -> dict[str, str]:
    return {record["id"]: record["standing"] for record in listed(project)["records"]}


def told(project: TestProject, key: str) -> dict[str, Any]:
    ended = project.run("--json", "quarantine", "show", SYNC, "--key", key)
    assert ended.code == 0, ended
    report: dict[str, Any] = ended.json
    return report


def decided(project: TestProject, verb: str, *keys: str) -> int:
    """Release or drop; returns of how many records the command says that it changed them."""
    ended = project.run("--json", "quarantine", verb, SYNC, *(part for key in keys for part in ("--key", key)))
    assert ended.code == 0, ended
    changed: int = ended.json["records"]
    return changed


def events(project: TestProject) -> list[str]:
    return [event["type"] for event in project.run("--json", "ledger", "tail", "--limit", "1000").json]


def allow(project: TestProject, attempts: int, **more: Any) -> None:
    """Let a record be tried so often before it is set aside."""
    project.sync(SYNC, rejects={"max_attempts": attempts, "stop_ratio": 1.0}, **more)


@pytest.fixture(autouse=True)
def one_attempt(project: TestProject) -> None:
    allow(project, 1)
    project.people(PEOPLE)


@pytest.fixture
def quarantined(project: TestProject, receiver: Receiver) -> str:
    """Records 1 and 3 are set aside, and the destination would take them now; the run in which they were rejected."""
    refusing(receiver, "1", "3")
    run: str = project.given.report()["run"]
    refusing(receiver)
    return run


def test_a_project_that_never_ran_has_nothing_to_list_to_release_or_to_drop(project: TestProject) -> None:
    assert listed(project) == {
        "sync": SYNC,
        "quarantined": 0,
        "in_doubt": 0,
        "owed": 0,
        "attempts_max": 1,
        "records": [],
    }
    assert project.run("quarantine", "list", SYNC).out == "Nothing is rejected or in doubt.\n"
    assert (decided(project, "release"), decided(project, "drop"), events(project)) == (0, 0, [])


@pytest.mark.slow
def test_the_list_says_what_is_set_aside_and_what_is_tried_again_and_why(
    project: TestProject, receiver: Receiver
) -> None:
    allow(project, 2)
    refusing(receiver, "3")
    first = project.report()["run"]
    project.people({**PEOPLE, 1: ("Ada L", 1.0)})
    refusing(receiver, "1", "3", message="the address is still invalid")
    second = project.report()["run"]
    report = listed(project)
    assert (report["quarantined"], report["owed"]) == (1, 1)
    said = {"code": "http_400", "message": "the address is still invalid"}
    assert report["records"] == [
        {"id": "3", "standing": "quarantined", "attempts": 2, "since": first, **said},
        {"id": "1", "standing": "owed", "attempts": 1, "since": second, **said},
    ]
    text = project.run("quarantine", "list", SYNC).out
    assert "1 record set aside (after 2 attempts), 1 record tried again by the next run" in text
    assert "the address is still invalid" in text


@pytest.mark.slow
def test_a_list_that_is_cut_says_how_much_it_leaves_out(
    project: TestProject, quarantined: str, receiver: Receiver
) -> None:
    report = listed(project, "--limit", "1")
    assert (report["quarantined"], [record["id"] for record in report["records"]]) == (2, ["1"])
    assert "and 1 record more" in project.run("quarantine", "list", SYNC, "--limit", "1").out


@pytest.mark.slow
def test_a_record_whose_values_went_back_to_what_is_held_is_not_listed(
    project: TestProject, receiver: Receiver
) -> None:
    assert project.report()["status"] == "succeeded"
    refusing(receiver, "1")
    project.people({**PEOPLE, 1: ("Ada L", 1.0)})
    assert project.report()["rejected"] == 1
    project.people(PEOPLE)
    assert project.run("capture", "people").code == 0
    assert standings(project) == {}


@pytest.mark.slow
def test_one_record_is_shown_with_its_rejections_and_what_would_be_sent(
    project: TestProject, receiver: Receiver
) -> None:
    contract = {**CONTRACT, "version": "1.0.1"}
    id, name, score = CONTRACT["schema"][0]["properties"]
    properties = [id, {**name, "classification": "confidential"}, score]
    project.write(
        "contracts/people-v1.odcs.yaml", {**contract, "schema": [{"name": "people", "properties": properties}]}
    )
    project.destination("hook", receiver.url, clearance="confidential")
    allow(project, 2)
    refusing(receiver, "1", message="first")
    first = project.report()["run"]
    refusing(receiver, "1", message="second")
    second = project.report()["run"]
    report = told(project, "1")
    assert (report["standing"], report["attempts"], report["attempts_max"]) == ("quarantined", 2, 2)
    assert report["rejections"] == [
        {"run": second, "code": "http_400", "message": "second"},
        {"run": first, "code": "http_400", "message": "first"},
    ]
    assert report["sends"]["after"] == {"name": "•••", "score": "1"}
    text = project.run("quarantine", "show", SYNC, "--key", "1").out
    assert "set aside" in text
    assert "Ada" not in text


def test_a_record_that_was_never_rejected_is_shown_without_rejections(project: TestProject, quarantined: str) -> None:
    report = told(project, "2")
    assert (report["standing"], report["attempts"], report["rejections"], report["sends"]) == ("settled", 0, [], None)


@pytest.mark.slow
def test_what_is_released_is_sent_by_the_next_run_with_the_newest_values(
    project: TestProject, receiver: Receiver, quarantined: str
) -> None:
    assert project.report()["requests"] == 0
    assert decided(project, "release") == 2
    assert set(standings(project)) == set()
    assert project.run("--json", "status", SYNC).json[0]["owed"] == 2
    project.people({**PEOPLE, 1: ("Ada Lovelace", 1.0)})
    report = project.report()
    assert (report["status"], report["delivered"]["inserts"]) == ("succeeded", 2)
    assert {id: record["name"] for id, record in receiver.records.items()} == {
        "1": "Ada Lovelace",
        "2": "Bo",
        "3": "Cy",
    }
    assert project.report()["status"] == "unchanged"


@pytest.mark.slow
def test_one_record_is_released_by_its_key_and_its_attempts_start_again(
    project: TestProject, receiver: Receiver, quarantined: str
) -> None:
    assert decided(project, "release", "1") == 1
    allow(project, 2)
    refusing(receiver, "1")
    reports = [project.report() for _ in range(3)]
    assert [report["rejected"] for report in reports] == [1, 1, 0]
    (record,) = [record for record in listed(project)["records"] if record["id"] == "1"]
    assert (record["standing"], record["attempts"], record["since"]) == ("quarantined", 2, reports[0]["run"])
    assert [r["run"] for r in told(project, "1")["rejections"]] == [reports[1]["run"], reports[0]["run"], quarantined]


@pytest.mark.slow
def test_what_is_dropped_leaves_the_list_and_is_sent_only_with_other_values(
    project: TestProject, receiver: Receiver
) -> None:
    allow(project, 1, fields={"name": "name"})
    refusing(receiver, "1", "3")
    assert project.report()["rejected"] == 2
    refusing(receiver)
    assert decided(project, "drop", "1") == 1
    assert standings(project) == {"3": "quarantined"}
    assert told(project, "1")["standing"] == "dropped"
    shown = project.run("--json", "show", SYNC, "--key", "1").json
    assert (shown["verdict"], shown["reason"], shown["attempts"]) == (
        "quarantined",
        "given up until its values change",
        0,
    )

    allow(project, 9, fields={"name": "name"})
    project.people({1: ("Ada", 9.0), 2: ("Bo", 9.0), 3: ("Cy", 9.0)})
    assert project.report()["delivered"]["inserts"] == 1
    assert set(receiver.records) == {"2", "3"}, "more attempts are for what was set aside, not for what was given up"

    project.people({**PEOPLE, 1: ("Ada L", 9.0)})
    assert project.report()["delivered"]["inserts"] == 1
    assert receiver.records["1"] == {"name": "Ada L"}


@pytest.mark.slow
def test_a_dropped_payload_stays_dropped_when_a_newer_one_did_not_get_through(
    project: TestProject, receiver: Receiver, quarantined: str
) -> None:
    assert decided(project, "drop") == 2
    receiver.answer = lambda _body: (401, {}, b"")
    project.people({**PEOPLE, 1: ("Ada L", 1.0)})
    assert project.report()["failed"] == 1
    refusing(receiver)
    project.people(PEOPLE)
    assert project.report()["status"] == "unchanged"
    assert set(receiver.records) == {"2"}


@pytest.mark.slow
def test_without_a_key_only_what_is_set_aside_is_dropped(project: TestProject, receiver: Receiver) -> None:
    allow(project, 2)
    refusing(receiver, "3")
    project.report()
    project.people({**PEOPLE, 1: ("Ada L", 1.0)})
    refusing(receiver, "1", "3")
    project.report()
    assert decided(project, "drop") == 1
    assert standings(project) == {"1": "owed"}
    assert decided(project, "drop", "1") == 1, "one that is still tried again is dropped when it is named"
    assert standings(project) == {}


@pytest.mark.slow
def test_what_was_dropped_is_released_by_its_key_and_not_with_all(
    project: TestProject, receiver: Receiver, quarantined: str
) -> None:
    assert decided(project, "drop") == 2
    assert decided(project, "release") == 0
    assert decided(project, "release", "1") == 1
    assert project.report()["delivered"]["inserts"] == 1
    assert set(receiver.records) == {"1", "2"}


@pytest.mark.slow
def test_to_decide_twice_is_to_decide_once(project: TestProject, quarantined: str) -> None:
    for verb in ("drop", "release"):
        assert decided(project, verb, "1") == 1
        before = events(project)
        assert decided(project, verb, "1") == 0
        assert events(project) == before
    assert events(project).count("sync.rejections_dropped") == events(project).count("sync.rejections_released") == 1


@pytest.mark.slow
def test_a_key_of_which_nothing_was_sent_is_refused_and_nothing_changes(
    project: TestProject, receiver: Receiver, quarantined: str
) -> None:
    before = events(project)
    for command in DECIDING:
        refused = project.run(*command, SYNC, "--key", "1", "--key", "99")
        assert refused.code == 2, command
        assert "--key number 2" in refused.err
        assert "tidegate quarantine list" in refused.err
    assert events(project) == before


def test_a_key_that_nobody_knows_cannot_be_shown(project: TestProject, quarantined: str) -> None:
    refused = project.run("quarantine", "show", SYNC, "--key", "99")
    assert (refused.code, refused.out) == (2, "")
    assert "give the match key" in refused.err


def test_while_somebody_holds_the_sync_nothing_is_decided(project: TestProject, quarantined: str) -> None:
    before = events(project)
    database = open_database(f"sqlite:///{project.folder / '.tidegate/ledger.db'}")
    held = acquire(database, SystemClock(), f"sync:{SYNC}", "another run", 60)
    refused = [project.run("--json", *command, SYNC) for command in DECIDING]
    release(database, held)
    database.dispose()
    for ended in refused:
        assert ended.code == 6
        assert "another run" in ended.out
    assert events(project) == before


@pytest.mark.slow
def test_a_rejected_delete_is_set_aside_and_released_like_any_other(project: TestProject, receiver: Receiver) -> None:
    assert project.report()["status"] == "succeeded"
    project.people({2: ("Bo", 2.0)})
    refusing(receiver, "1")
    assert [project.report()["rejected"] for _ in range(2)] == [1, 0]
    assert standings(project) == {"1": "quarantined"}
    assert told(project, "1")["sends"]["change"] == "delete"
    assert decided(project, "release", "1") == 1
    refusing(receiver)
    assert project.report()["delivered"]["deletes"] == 1
    assert set(receiver.records) == {"2"}


@pytest.mark.slow
def test_the_rejected_delete_of_a_record_that_moved_to_another_key_is_listed_and_shown(
    project: TestProject, receiver: Receiver
) -> None:
    allow(project, 2, mode="upsert", match={"external_id": "name"}, fields={"score": "score"})
    assert project.report()["status"] == "succeeded"
    project.people({**PEOPLE, 1: ("Augusta", 1.0)})
    refusing(receiver, "Ada")
    assert project.report()["rejected"] == 1
    assert standings(project) == {"Ada": "owed"}
    shown = project.run("--json", "show", SYNC, "--key", "Ada").json
    assert (shown["verdict"], shown["reason"]) == ("send", "re-keyed")


@pytest.mark.slow
def test_the_removal_of_somebody_without_consent_is_tried_for_ever_and_cannot_be_dropped(
    project: TestProject, receiver: Receiver
) -> None:
    project.write("contracts/register-v1.odcs.yaml", REGISTER)
    source = {"connection": "lake", "table": "register.parquet"}
    register = {"name": "register", "kind": "consent", "contract": "contracts/register-v1.odcs.yaml", "source": source}
    project.write("datasets/register.yaml", register)
    allow(project, 1, consent={"purpose": "email", "subject": "id"})
    decide(project, granted("1"), granted("2", expires=timedelta(days=9)))
    assert project.report()["status"] == "succeeded"
    decide(project, withdrawn("1"), granted("2"))
    refusing(receiver, "1")
    assert [project.report()["rejected"] for _ in range(2)] == [1, 1]
    assert standings(project) == {"1": "owed"}
    refused = project.run("quarantine", "drop", SYNC, "--key", "1")
    assert refused.code == 2
    assert "cannot be given up" in refused.err
    assert decided(project, "drop") == 0
    refusing(receiver)
    assert project.report()["delivered"]["deletes"] == 1
    assert set(receiver.records) == {"2"}


@pytest.mark.slow
def test_retry_releases_and_runs_with_the_report_and_exit_code_of_a_run(
    project: TestProject, receiver: Receiver, quarantined: str
) -> None:
    refusing(receiver, "3")
    ended = project.run("--json", "retry", SYNC)
    (report,) = ended.json
    assert (ended.code, report["status"], report["delivered"]["inserts"], report["rejected"]) == (5, "partial", 1, 1)
    refusing(receiver)
    ended = project.run("--json", "retry", SYNC, "--key", "3")
    assert (ended.code, ended.json[0]["status"]) == (0, "succeeded")
    assert set(receiver.records) == {"1", "2", "3"}
    ended = project.run("--json", "retry", SYNC)
    assert (ended.code, ended.json[0]["status"]) == (0, "unchanged")
    assert set(ended.json[0]) == set(project.run("--json", "run", SYNC).json[0])


def test_a_run_that_rejects_names_the_command_that_says_why(project: TestProject, receiver: Receiver) -> None:
    refusing(receiver, "1")
    assert project.report()["next"] == f"tidegate quarantine list {SYNC}"


@pytest.mark.slow
def test_the_ledger_holds_and_is_rebuilt_to_the_same_after_decisions(
    project: TestProject, receiver: Receiver, quarantined: str
) -> None:
    decided(project, "release", "1")
    decided(project, "drop", "3")
    database = open_database(f"sqlite:///{project.folder / '.tidegate/ledger.db'}")
    grown = snapshot(database)
    assert project.run("ledger", "verify").code == 0
    assert project.run("ledger", "rebuild").code == 0
    assert snapshot(database) == grown
    database.dispose()
    assert project.report()["delivered"]["inserts"] == 1
    assert set(receiver.records) == {"1", "2"}


@pytest.mark.crash
@pytest.mark.parametrize("point", ["segment.before_rename", "segment.after_rename", "fold.before_commit"])
def test_a_kill_before_the_decision_is_in_the_ledger_changes_nothing(
    project: TestProject, receiver: Receiver, quarantined: str, point: str
) -> None:
    before = events(project)
    died = project.run_process("quarantine", "release", SYNC, env={VARIABLE: f"{point}=kill"})
    assert died.code == -9
    assert events(project) == before
    assert standings(project) == {"1": "quarantined", "3": "quarantined"}
    assert decided(project, "release") == 2
    assert project.report()["delivered"]["inserts"] == 2


@pytest.mark.crash
def test_nothing_is_decided_while_a_run_has_to_be_finished_first(project: TestProject, receiver: Receiver) -> None:
    refusing(receiver, "1")
    died = project.run_process("run", SYNC, env={VARIABLE: "fold.before_commit=kill"})
    assert died.code == -9
    refused = project.run("quarantine", "release", SYNC)
    assert refused.code == 2
    assert f"tidegate run {SYNC}" in refused.err
    assert project.report()["exit"] == 5
    assert decided(project, "release") == 1
