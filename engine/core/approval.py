"""Whether people let a held plan be sent, or a held version be accepted: who may decide, for how long it counts, and never the one who asked.

A decision is judged when it is made and again by the run that would send, under the rules of that moment, so that one
made under other rules, or by somebody who may not decide any more, counts for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

AHEAD_MAX = timedelta(minutes=5)
"""How far the clocks of two hosts may differ; a decision from further in the future is none, for it would not expire."""


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """Who may decide (None is everybody), whether the one who asked may approve, and how long an approval counts."""

    approvers: frozenset[str] | None
    four_eyes: bool
    expires: timedelta


@dataclass(frozen=True, slots=True)
class Decision:
    """What ``by`` decided about a plan, and when."""

    by: str
    at: datetime
    approves: bool


@dataclass(frozen=True, slots=True)
class Approved:
    """The plan may be sent before ``until``."""

    by: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Rejected:
    """Somebody refused the plan, and nobody approved it since."""

    by: str


@dataclass(frozen=True, slots=True)
class Undecided:
    """Nobody's decision counts; ``why`` says of the newest approval why it does not, and is empty without one."""

    why: str


Standing: TypeAlias = Approved | Rejected | Undecided


@dataclass(frozen=True, slots=True)
class Refused:
    """The decision counts for nothing, because of ``why``."""

    why: str


def standing(decisions: Sequence[Decision], asked_by: str, rules: ApprovalRules, now: datetime) -> Standing:
    """What the decisions about one plan, oldest first, come to at ``now``.

    A rejection voids the approvals before it whoever made it; of the approvals after it, the newest that counts.
    """
    why = ""
    for decision in reversed(decisions):
        if not decision.approves:
            return Undecided(why) if why else Rejected(decision.by)
        judged = judge(decision, asked_by, rules, now)
        if isinstance(judged, Approved):
            return judged
        why = why or judged.why
    return Undecided(why)


def judge(decision: Decision, asked_by: str, rules: ApprovalRules, now: datetime) -> Approved | Refused:
    """What one approval comes to."""
    if (refused := refusal(decision.by, rules)) is not None:
        return refused
    if rules.four_eyes and person(decision.by) == person(asked_by):
        return Refused("who asked for it may not approve it")
    until = decision.at + rules.expires
    if until <= now:
        return Refused(f"it expired at {until.isoformat(timespec='seconds')}")
    if decision.at > now + AHEAD_MAX:
        return Refused("it is from the future by this host's clock")
    return Approved(decision.by, until)


def refusal(by: str, rules: ApprovalRules) -> Refused | None:
    """Why ``by`` may not decide at all, neither approve nor reject; None when they may."""
    if rules.approvers is None or by in rules.approvers or by.rpartition("@")[0] in rules.approvers - {""}:
        return None
    return Refused("only those whom `approvers` names may decide")


def person(actor: str) -> str:
    """Who acts, on whatever host: ``ada@laptop`` and ``Ada@server`` are one person, for nobody is two pairs of eyes."""
    name, _, host = actor.rpartition("@")
    return (name or host).casefold()
