"""What a person's decisions say of each purpose, in words: for whoever asks why somebody is sent, or is not.

The rules are those of `engine.core.consent`, read for one subject at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine.core.consent import EVERY, Status
from engine.core.consent_rule import ConsentRule

Row = Mapping[str, Any]
"""A row of `engine.core.consent.register_rows`; ``Any`` because its columns are texts and moments."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether a subject consents to one purpose, why, and the decision that says so; None when there is none."""

    purpose: str
    allowed: bool
    why: str
    decision: Row | None


def answers(rows: Sequence[Row], subject: str, rule: ConsentRule, now: datetime) -> tuple[Answer, ...]:
    """The answer to each purpose of ``rule``; ``rows`` are the decisions within reach of the subject."""
    return tuple(_answer(rows, subject, rule, purpose, now) for purpose in rule.purposes)


def consents(found: Sequence[Answer], rule: ConsentRule) -> bool:
    """Whether that is enough for the rule."""
    return sum(answer.allowed for answer in found) >= rule.purposes_needed


def _answer(rows: Sequence[Row], subject: str, rule: ConsentRule, purpose: str, now: datetime) -> Answer:
    newest = _lines(rows, subject, rule, purpose, now)
    every = newest.pop(EVERY, None)
    refused = [row for row in newest.values() if not _counts(row, now)]
    if rule.channel is not None and newest and not refused:
        (own,) = newest.values()
        ended = every is not None and not _counts(every, now) and every["moment"] >= own["moment"]
        return _said(purpose, every, now) if every is not None and ended else _said(purpose, own, now)
    if refused:
        return _said(purpose, refused[0], now)
    return _said(purpose, every, now) if every is not None else Answer(purpose, False, "no decision", None)


def _lines(rows: Sequence[Row], subject: str, rule: ConsentRule, purpose: str, now: datetime) -> dict[str, Row]:
    """The newest decision of each line; of one moment the one that grants nothing."""
    newest: dict[str, Row] = {}
    for row in rows:
        line = _line(row, subject, purpose, now)
        if line is None or (rule.channel is not None and line not in (EVERY, rule.channel)):
            continue
        before = newest.get(line)
        if before is None or _order(row, now) > _order(before, now):
            newest[line] = row
    return newest


def _line(row: Row, subject: str, purpose: str, now: datetime) -> str | None:
    """The line that a decision stands on; None for one that says nothing of this subject and purpose."""
    if not row["grants"]:
        return (row["reach_channel"] or EVERY) if row["reach_purpose"] in (None, purpose) else None
    if row["subject"] != subject or row["purpose"] != purpose:
        return None
    if row["channel"] is not None and row["reach_channel"] is None:
        return None
    begun = row["collected_at"] is None or row["collected_at"] <= now
    return (row["channel"] or EVERY) if begun else None


def _order(row: Row, now: datetime) -> tuple[datetime, bool]:
    return row["moment"], not _counts(row, now)


def _counts(row: Row, now: datetime) -> bool:
    return bool(row["grants"]) and (row["expires_at"] is None or row["expires_at"] > now)


def _said(purpose: str, row: Row, now: datetime) -> Answer:
    if _counts(row, now):
        return Answer(purpose, True, Status.GRANTED.value, row)
    if row["grants"]:
        return Answer(purpose, False, "expired", row)
    return Answer(purpose, False, row["status"] or "a status that says nothing", row)
