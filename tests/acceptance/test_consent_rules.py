"""Purposes, channels and what a destination asks: who is sent follows from the rule of the sync and from each decision."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq
import pytest

from engine.core.canonical import digest_of
from engine.core.consent_rule import ConsentRule, OnWithdrawal, Policy
from engine.core.desired import Mode, mapping_digest
from tests.projects import TestProject
from tests.property.model import mapping
from tests.receiver import Receiver

SYNC = "people_to_hook"
PEOPLE: dict[int, tuple[str | None, float | None]] = {n: (f"Person {n}", float(n)) for n in range(1, 7)}
HEADER = "subject,purpose,status,channel,collected_at,receipt_id\n"
Row = tuple[int, str, str, str, int]
"""Subject, purpose, status, channel and the day on which it was collected."""


def listed(project: TestProject, *rows: Row) -> None:
    lines = [f"{s},{p},{status},{c},2026-01-{day:02d}T00:00:00Z,r{n}" for n, (s, p, status, c, day) in enumerate(rows)]
    path = project.folder / "list.csv"
    path.write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    ended = project.run("consent", "import", str(path))
    assert ended.code == 0, ended


def sent(project: TestProject, receiver: Receiver, **consent: Any) -> set[str]:
    project.sync(SYNC, consent={"subject": "id", **consent})
    report = project.report()
    assert report["status"] in {"succeeded", "unchanged"}, report
    return set(receiver.records)


@pytest.fixture(autouse=True)
def with_people(project: TestProject) -> None:
    project.people(PEOPLE)


def test_all_purposes_or_any_of_them(project: TestProject, receiver: Receiver) -> None:
    listed(
        project,
        (1, "news", "granted", "", 1),
        (1, "ads", "granted", "", 1),
        (2, "news", "granted", "", 1),
        (3, "ads", "granted", "", 1),
        (3, "news", "withdrawn", "", 2),
        (4, "other", "granted", "", 1),
    )

    both = {"purposes": ["news", "ads"]}
    assert sent(project, receiver, **both) == {"1"}, "all of them when silent"
    assert sent(project, receiver, **both, policy="any") == {"1", "2", "3"}
    assert sent(project, receiver, **both, policy="all") == {"1"}


def test_the_receipts_of_all_purposes_that_allowed_a_record_are_kept(project: TestProject, receiver: Receiver) -> None:
    listed(project, (1, "news", "granted", "", 1), (1, "ads", "granted", "mail", 2), (2, "ads", "granted", "", 3))
    assert sent(project, receiver, purposes=["news", "ads"], policy="any", channel="mail") == {"1", "2"}

    (state,) = (project.folder / ".tidegate/segments/syncs" / SYNC / "state").glob("*.parquet")
    kept = {row["id"]: json.loads(row["basis"]) for row in pq.read_table(state, columns=["id", "basis"]).to_pylist()}
    assert [(d["purpose"], d.get("channel"), d["receipt"]) for d in kept["1"]] == [
        ("ads", "mail", "r1"),
        ("news", None, "r0"),
    ]
    assert [(d["purpose"], d["register"]) for d in kept["2"]] == [("ads", "decisions taken here")]


CHANNELS: dict[str, tuple[Sequence[tuple[str, str, int]], bool, bool]] = {
    # decisions (status, channel, day), then: may it be sent by mail; may a sync send that names no channel
    "all channels are granted": ([("granted", "", 1)], True, True),
    "mail alone is granted": ([("granted", "mail", 1)], True, False),
    "another channel is granted": ([("granted", "sms", 1)], False, False),
    "another channel is refused": ([("granted", "", 1), ("withdrawn", "sms", 2)], True, False),
    "mail is refused": ([("granted", "", 1), ("withdrawn", "mail", 2)], False, False),
    "mail is refused before all are granted": ([("withdrawn", "mail", 1), ("granted", "", 2)], False, False),
    "mail is granted again": ([("granted", "", 1), ("withdrawn", "mail", 2), ("granted", "mail", 3)], True, True),
    "all are refused": ([("granted", "mail", 1), ("withdrawn", "", 2)], False, False),
    "mail is granted after all were refused": ([("withdrawn", "", 1), ("granted", "mail", 2)], True, False),
    "both at one moment": ([("withdrawn", "", 2), ("granted", "mail", 2)], False, False),
}


@pytest.mark.parametrize(("decisions", "by_mail", "by_any"), CHANNELS.values(), ids=CHANNELS)
def test_decisions_for_a_channel_and_for_all_combine_to_the_safe_side(
    project: TestProject, receiver: Receiver, decisions: Sequence[tuple[str, str, int]], by_mail: bool, by_any: bool
) -> None:
    listed(project, *[(1, "news", status, channel, day) for status, channel, day in decisions])

    assert ("1" in sent(project, receiver, purpose="news", channel="mail")) is by_mail
    assert ("1" in sent(project, receiver, purpose="news")) is by_any


def test_a_command_decides_about_one_channel(project: TestProject, receiver: Receiver) -> None:
    for verb, channel in (("grant", None), ("withdraw", "mail")):
        options = ["--channel", channel] if channel else []
        assert project.run("consent", verb, "--subject", "1", "--purpose", "news", *options).code == 0

    assert sent(project, receiver, purpose="news", channel="sms") == {"1"}
    assert sent(project, receiver, purpose="news", channel="mail") == set()


def asked_of_all(project: TestProject, receiver: Receiver, **defaults: Any) -> None:
    project.destination("hook", receiver.url, consent=defaults)


def test_a_sync_inherits_what_its_destination_asks(project: TestProject, receiver: Receiver) -> None:
    listed(project, (1, "news", "granted", "mail", 1), (2, "news", "granted", "sms", 1), (3, "ads", "granted", "", 1))
    asked_of_all(project, receiver, purpose="news", channel="mail", on_withdrawal="unsubscribe")

    assert sent(project, receiver) == {"1"}
    listed(project, (1, "news", "withdrawn", "", 2))
    project.report()
    assert receiver.records["1"]["unsubscribed"] is True


def test_a_sync_may_ask_for_more_than_its_destination(project: TestProject, receiver: Receiver) -> None:
    listed(project, (1, "news", "granted", "", 1), (1, "ads", "granted", "", 1), (2, "news", "granted", "", 1))
    asked_of_all(project, receiver, purpose="news", on_withdrawal="ignore")

    assert sent(project, receiver, purposes=["news", "ads"], on_withdrawal="delete") == {"1"}


NARROWER: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "another purpose": ({"purpose": "news"}, {"purpose": "ads"}, "asks for less than its destination"),
    "one of all": ({"purposes": ["news", "ads"]}, {"purpose": "news"}, "asks for less than its destination"),
    "any of all": (
        {"purposes": ["news", "ads"]},
        {"purposes": ["news", "ads"], "policy": "any"},
        "asks for less than its destination",
    ),
    "more of any": (
        {"purposes": ["news", "ads"], "policy": "any"},
        {"purposes": ["news", "ads", "tips"], "policy": "any"},
        "asks for less than its destination",
    ),
    "another channel": (
        {"purpose": "news", "channel": "mail"},
        {"channel": "sms"},
        "is not the channel of its destination",
    ),
    "less about withdrawals": (
        {"purpose": "news", "on_withdrawal": "unsubscribe"},
        {"on_withdrawal": "ignore"},
        "does less about a withdrawal",
    ),
    "no purpose at all": ({"channel": "mail"}, {}, "names no `purpose`"),
}


@pytest.mark.parametrize(("defaults", "consent", "said"), NARROWER.values(), ids=NARROWER)
def test_a_sync_that_asks_for_less_than_its_destination_is_refused_with_file_and_line(
    project: TestProject, receiver: Receiver, defaults: dict[str, Any], consent: dict[str, Any], said: str
) -> None:
    asked_of_all(project, receiver, **defaults)
    project.sync(SYNC, consent={"subject": "id", **consent})

    (problem,) = project.run("--json", "validate").json["problems"]

    assert said in problem["message"]
    assert (problem["file"], problem["line"] > 0) == (f"syncs/{SYNC}.yaml", True)


def test_a_sync_that_asks_nobody_of_a_destination_that_does_is_warned_of(
    project: TestProject, receiver: Receiver
) -> None:
    asked_of_all(project, receiver, purpose="news")

    report = project.run("--json", "validate").json

    assert report["ok"] is True
    assert any("asks nobody, although its destination `hook` asks for consent" in one for one in report["warnings"])


@pytest.mark.parametrize(
    ("consent", "said"),
    [
        ({"purpose": "news", "purposes": ["ads"]}, "needs either `purpose` or `purposes`"),
        ({"purpose": "news", "policy": "any"}, "belongs to `purposes`"),
        ({"purposes": []}, "purposes"),
        ({"purposes": ["news", "news"]}, "purposes"),
        ({"purpose": "news", "channel": "E Mail"}, "channel"),
        ({"purpose": "news", "on_withdrawal": "forget"}, "on_withdrawal"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(project: TestProject, consent: dict[str, Any], said: str) -> None:
    project.sync(SYNC, consent={"subject": "id", **consent})

    ended = project.run("validate")

    assert (ended.code, said in " ".join((ended.out + ended.err).split())) == (2, True), ended


def test_a_plain_rule_keeps_the_digest_that_it_always_had() -> None:
    """Else every sync would compare everything after an upgrade."""
    plain = mapping(Mode.MIRROR, OnWithdrawal.DELETE)
    fields = [["a", "a", None, "clear"], ["b", "b", None, "skip"]]
    assert mapping_digest(plain) == digest_of(["people", "mirror", [["mail", "mail"]], fields, ["news", "subject"]])
    others = (
        ConsentRule(("news", "ads"), "subject"),
        ConsentRule(("news", "ads"), "subject", Policy.ANY),
        ConsentRule(("news",), "subject", channel="mail"),
        ConsentRule(("news",), "subject", on_withdrawal=OnWithdrawal.IGNORE),
        ConsentRule(("news",), "subject", on_withdrawal=OnWithdrawal.UNSUBSCRIBE),
    )
    digests = {mapping_digest(replace(plain, consent=rule)) for rule in (plain.consent, *others)}
    assert len(digests) == len(others) + 1
