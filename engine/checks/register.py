"""Whether a register of consent says whom each decision is about: one that nobody can place might be anybody's refusal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ibis.expr.types import Scalar, Table

from engine.checks.facts import CandidateFacts
from engine.core.canonical import text
from engine.core.consent import WILDCARDS, Status
from engine.core.events import CheckResult
from engine.core.verdict import blocked, passed, warned

NAME = "consent.register"
STATUSES = tuple(status.value for status in Status)


def words(facts: CandidateFacts) -> Sequence[str]:
    """One rule, of registers only."""
    return ("every decision is about one subject",) if facts.holds_consent else ()


def metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """Decisions about nobody or everybody, and those with a status that is no word of consent."""
    del facts
    subject = text(table.subject).strip()
    nobody = subject.isnull() | subject.isin(WILDCARDS)
    other = ~table.status.isin(STATUSES).fill_null(False)
    return {"nobody": table.count(where=nobody), "other": table.count(where=other)}


def verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """A decision about nobody or everybody blocks; an unknown status grants nothing, which is worth a word."""
    del facts
    numbers = {name: int(values[name]) for name in ("nobody", "other")}
    if numbers["nobody"]:
        message = f"{numbers['nobody']:,} decisions have no subject, or one that stands for everybody"
        return [blocked(NAME, message, numbers)]
    if numbers["other"]:
        message = f"{numbers['other']:,} decisions have a status other than {', '.join(STATUSES)}: they grant nothing"
        return [warned(NAME, message, numbers)]
    return [passed(NAME, "every decision is about one subject", numbers)]
