"""Which decisions about a held plan count: by whom, for how long, and never the asker's own (I17, O2, Z4)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from engine.core.approval import (
    AHEAD_MAX,
    ApprovalRules,
    Approved,
    Decision,
    Refused,
    Rejected,
    Undecided,
    judge,
    person,
    refusal,
    standing,
)

NOW = datetime(2026, 1, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
RULES = ApprovalRules(frozenset({"ada", "bo@desk"}), four_eyes=True, expires=DAY)
ANYBODY = ApprovalRules(None, four_eyes=False, expires=DAY)


def approval(by: str, ago: timedelta = HOUR) -> Decision:
    return Decision(by, NOW - ago, approves=True)


def rejection(by: str, ago: timedelta = HOUR) -> Decision:
    return Decision(by, NOW - ago, approves=False)


@pytest.mark.parametrize(
    ("by", "may"),
    [
        ("ada", True),
        ("ada@laptop", True),
        ("ada@server", True),
        ("bo@desk", True),
        ("bo", False),
        ("bo@laptop", False),
        ("cy", False),
        ("Ada", False),
        ("@ada", False),
        ("ada@", True),
        ("x@ada", False),
        ("", False),
    ],
)
def test_a_name_among_the_approvers_stands_for_any_host_and_one_with_a_host_for_that_host(by: str, may: bool) -> None:
    assert (refusal(by, RULES) is None) == may


@pytest.mark.parametrize(
    ("one", "other"), [("ada@laptop", "ada@server"), ("ada", "ada@server"), ("Ada@x", "ada@y"), ("ada", "ada")]
)
def test_one_person_at_two_hosts_is_not_four_eyes(one: str, other: str) -> None:
    rules = replace(ANYBODY, four_eyes=True)
    assert person(one) == person(other)
    assert judge(approval(one), other, rules, NOW) == Refused("who asked for it may not approve it")
    assert isinstance(judge(approval(one), other, ANYBODY, NOW), Approved)


@pytest.mark.parametrize(
    ("ago", "counts"),
    [(timedelta(0), True), (DAY - SECOND, True), (DAY, False), (DAY + SECOND, False)],
)
def test_an_approval_counts_for_less_than_its_time(ago: timedelta, counts: bool) -> None:
    assert isinstance(judge(approval("ada", ago), "cy", RULES, NOW), Approved) == counts


@pytest.mark.parametrize(("ahead", "counts"), [(AHEAD_MAX, True), (AHEAD_MAX + SECOND, False), (30 * DAY, False)])
def test_an_approval_from_the_future_counts_only_within_what_clocks_differ(ahead: timedelta, counts: bool) -> None:
    assert isinstance(judge(approval("ada", -ahead), "cy", RULES, NOW), Approved) == counts


@pytest.mark.parametrize(
    ("decisions", "come_to"),
    [
        ((), Undecided("")),
        ((approval("ada"),), Approved("ada", NOW - HOUR + DAY)),
        ((approval("ada", DAY), approval("ada")), Approved("ada", NOW - HOUR + DAY)),
        ((approval("ada"), rejection("bo@desk")), Rejected("bo@desk")),
        ((approval("ada"), rejection("cy")), Rejected("cy")),
        ((rejection("bo@desk"), approval("ada")), Approved("ada", NOW - HOUR + DAY)),
        ((approval("ada"), approval("cy")), Approved("ada", NOW - HOUR + DAY)),
        ((approval("cy"),), Undecided("only those whom `approvers` names may decide")),
        ((rejection("ada"), approval("cy")), Undecided("only those whom `approvers` names may decide")),
        (
            (approval("ada"), rejection("ada"), approval("asker")),
            Undecided("only those whom `approvers` names may decide"),
        ),
    ],
)
def test_a_rejection_voids_what_was_approved_before_and_of_the_rest_the_newest_that_counts_decides(
    decisions: tuple[Decision, ...], come_to: object
) -> None:
    assert standing(decisions, "asker", RULES, NOW) == come_to


def test_shorter_time_and_fewer_approvers_hold_for_what_was_decided_before() -> None:
    decided = [approval("ada", 2 * HOUR)]
    assert isinstance(standing(decided, "cy", RULES, NOW), Approved)
    assert standing(decided, "cy", replace(RULES, expires=HOUR), NOW) == Undecided(
        "it expired at 2026-01-02T11:00:00+00:00"
    )
    assert isinstance(standing(decided, "cy", replace(RULES, approvers=frozenset({"bo"})), NOW), Undecided)
    assert isinstance(standing(decided, "ada", RULES, NOW), Undecided)
