"""`tidegate alerts`: told on change only, once whatever the number of hosts, and tried again until a channel takes it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import yaml

from engine.clock import SystemClock
from engine.ledger.database import open_database
from engine.ledger.lease import acquire
from engine.service.alerts import LEASE
from tests.channel import Channel, told_to
from tests.projects import TestProject
from tests.receiver import Receiver

SYNC = "people_to_hook"


@pytest.fixture
def channel(monkeypatch: pytest.MonkeyPatch, project: TestProject) -> Iterator[Channel]:
    with told_to(project) as running:
        monkeypatch.setenv("ONCALL_URL", running.url)
        yield running


def look(project: TestProject, code: int = 0) -> dict[str, Any]:
    outcome = project.run("--json", "alerts", "check", "--notify")
    assert outcome.code == code, outcome
    report: dict[str, Any] = outcome.json
    return report


def refused(project: TestProject) -> None:
    """A project whose newest read is refused by a gate."""
    project.given.run("run", SYNC)
    project.people({})
    project.given.run("run", SYNC)


def test_an_alert_is_told_once_and_its_end_once(project: TestProject, channel: Channel) -> None:
    refused(project)

    reports = [look(project) for _ in range(3)]

    assert [report["opened"] for report in reports] == [["dataset.refused:people@1"], [], []]
    (said,) = channel.messages
    assert said["title"] == "[test] 1 open: people@1"
    for words in (
        "ticket: ",
        "syncs people_to_hook",
        "destinations hook",
        "tidegate runbook contract-drift",
        "next: tidegate gates",
    ):
        assert words in said["message"]
    assert "because " in said["message"]

    project.people({1: ("Ada", 1.5)})
    project.report()
    over = [look(project) for _ in range(2)]

    assert [report["closed"] for report in over] == [["dataset.refused:people@1"], []]
    assert [message["title"] for message in channel.messages[1:]] == ["[test] 1 over: people@1"]
    assert project.run("--json", "alerts").json == []


def test_what_a_channel_does_not_take_is_shown_and_told_by_a_later_look(
    project: TestProject, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(project)
    channel.status = 500

    assert look(project, code=1)["untold"] == ["oncall"]
    assert look(project)["untold"] == [], "it is left alone for a minute"

    (alert,) = project.run("--json", "alerts").json
    failure = {"channel": "oncall", "told": False, "failures": 1, "why": "the channel did not take it"}
    assert alert["channels"] == [failure]
    assert "oncall not yet (the channel did not take it, 1 attempt)" in project.run("alerts").out
    channel.status = 200
    monkeypatch.setattr("engine.core.alert_routes.RETRY_FIRST", SystemClock().now() - SystemClock().now())
    assert look(project)["told"] == ["oncall"]
    assert len(channel.messages) == 1
    assert project.run("--json", "alerts").json[0]["channels"][0]["told"]


def test_what_nobody_was_told_of_has_no_end_to_tell(project: TestProject, channel: Channel) -> None:
    refused(project)
    project.run("alerts", "check")
    project.people({1: ("Ada", 1.5)})
    project.report()

    assert look(project)["closed"] == ["dataset.refused:people@1"]
    assert channel.messages == []


def test_no_secret_of_a_channel_is_printed_or_recorded(project: TestProject, channel: Channel) -> None:
    refused(project)
    channel.status = 500
    outcomes = [
        project.run("alerts", "check", "--notify"),
        project.run("alerts"),
        project.run("alerts", "test", "oncall"),
        project.run("metrics"),
    ]

    assert [outcome.code for outcome in outcomes] == [1, 0, 1, 0]
    assert not any("canary-5f1e" in outcome.out + outcome.err for outcome in outcomes)
    ledger = (project.folder / ".tidegate" / "ledger.db").read_bytes()
    assert b"canary-5f1e" not in ledger


def test_a_channel_can_be_tried_and_an_unknown_one_is_refused(project: TestProject, channel: Channel) -> None:
    assert project.run("alerts", "test", "oncall").code == 0
    assert channel.messages[0]["title"] == "[test] a test"
    unknown = project.run("alerts", "test", "nobody")
    assert (unknown.code, "known: oncall" in unknown.err) == (2, True)


def circuit(project: TestProject, **columns: float) -> None:
    """Let the ledger say that the destination's circuit stands so."""
    said = ", ".join(f"{name} = {value}" for name, value in columns.items())
    with closing(sqlite3.connect(project.folder / ".tidegate" / "ledger.db")) as database, database:
        assert database.execute(f"UPDATE rate_budget SET {said}").rowcount


def test_an_outage_that_opens_the_circuit_is_one_page_for_all_its_syncs_and_one_recovery(
    project: TestProject, channel: Channel
) -> None:
    project.report()
    project.sync("again_to_hook", object="others")
    circuit(project, opened=1, probe_at=SystemClock().now().timestamp() + 60)

    opened = look(project)["opened"] + look(project)["opened"]
    circuit(project, opened=0, probe_at=0, failures=0)
    closed = look(project)["closed"] + look(project)["closed"]

    assert opened == closed == ["destination.silent:hook"]
    assert [message["title"] for message in channel.messages] == ["[test] 1 open: hook", "[test] 1 over: hook"]
    assert "syncs again_to_hook, people_to_hook" in channel.messages[0]["message"]


def test_an_objective_that_is_missed_is_a_page(project: TestProject, receiver: Receiver, channel: Channel) -> None:
    project.sync(SYNC, objectives={"delivered": 0.9999999}, owner="growth")
    project.report()
    receiver.answer = lambda _body: (401, {}, b"")
    project.people({1: ("Eve", 1.5)})
    assert project.report()["status"] == "failed"

    assert look(project)["opened"] == [f"objective.delivered.page:{SYNC}"]
    assert "owners growth" in channel.messages[0]["message"]
    told = {(s["name"], *s["labels"].values()): s["value"] for s in project.run("--json", "metrics").json}
    assert told["tidegate_alerts_open", "page"] == 1
    assert told["tidegate_objective_target_ratio", SYNC, "delivered"] == 0.9999999
    assert told["tidegate_objective_budget_remaining_ratio", SYNC, "delivered"] < 1


def test_while_another_process_looks_nothing_is_done(project: TestProject, channel: Channel) -> None:
    refused(project)
    database = open_database(f"sqlite:///{project.folder / '.tidegate' / 'ledger.db'}")
    acquire(database, SystemClock(), LEASE, "another", 60)
    database.dispose()

    report = look(project)

    assert (report["looked"], report["opened"], report["open"], channel.messages) == (False, [], [], [])


def test_without_apprise_the_extra_is_named(
    project: TestProject, channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.service.channels.apprise", None)
    monkeypatch.setattr("engine.service.validate.find_spec", lambda _: None)

    outcome = project.run("alerts", "check", "--notify")

    assert (outcome.code, "pip install 'tidegate[alerts]'" in outcome.err) == (2, True)
    assert project.run("alerts", "check").code == 0
    (warning,) = project.run("--json", "validate").json["warnings"]
    assert "Apprise is not installed" in warning
    assert project.run("doctor").out.endswith("0 problems, 1 warning.\n")


def test_looking_leaves_the_read_models_equal_to_the_log(project: TestProject, channel: Channel) -> None:
    refused(project)
    look(project)

    assert project.run("ledger", "verify").code == 0
    tables = project.run("--json", "ledger", "tail", "--stream", "alerts").json
    assert [event["type"] for event in tables] == ["alert.opened", "alert.told"]


@pytest.mark.parametrize(
    ("alerts", "words"),
    [
        ({"channels": {"c": {"url": "json://127.0.0.1"}}}, "must come from outside the file"),
        ({"routes": [{"channel": "c"}]}, "names no channel: `c`"),
        ({"routes": [{"channel": "c", "hours": {"from": "09:00", "to": "09:00"}}]}, "another time than `from`"),
    ],
)
def test_alerts_that_lead_nowhere_are_refused(project: TestProject, alerts: dict[str, Any], words: str) -> None:
    settings = yaml.safe_load((project.folder / "tidegate.yaml").read_text(encoding="utf-8"))
    settings["environments"]["development"]["alerts"] = alerts
    project.write("tidegate.yaml", settings)

    refused = project.run("validate")

    assert refused.code == 2
    assert words in refused.out
