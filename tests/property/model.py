"""The planner as a few dictionaries: what `engine.core` must agree with, written to be read, not to be fast."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from engine.core.consent_rule import REMOVING, ConsentRule, OnWithdrawal, Policy
from engine.core.desired import FieldMapping, MatchKey, Mode, OnNull
from engine.core.desired import Mapping as SyncMapping

MAX_ATTEMPTS = 2
FIELDS = ("a", "b")


def mapping(mode: Mode, consent: OnWithdrawal | None, column: str = "mail") -> SyncMapping:
    """Match ``mail`` by ``column``; a null clears ``a`` and skips ``b``."""
    return SyncMapping(
        object="people",
        mode=mode,
        match=(MatchKey("mail", column),),
        fields=(FieldMapping("a", "a"), FieldMapping("b", "b", on_null=OnNull.SKIP)),
        consent=ConsentRule(("news",), "subject", Policy.ALL, None, consent) if consent else None,
        person="subject",
    )


@dataclass(frozen=True)
class Row:
    """A row of the dataset; its primary key is the key of the dictionary that holds it."""

    mail: str | None
    a: str | None
    b: int | None
    subject: str


@dataclass(frozen=True)
class Held:
    """What is remembered of one destination record."""

    pk: int
    acked: bool = False
    unknown: bool = False
    owed: bool = False
    attempts: int = 0
    tried: str | None = None
    inert: bool = False
    subject: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Operation:
    """A row of a plan."""

    op: str
    change: str
    reason: str
    id: str
    pk: int
    subject: str
    changed: tuple[str, ...]
    fields: Mapping[str, str]

    @property
    def tried(self) -> str:
        return json.dumps([self.op in REMOVING, dict(self.fields)], sort_keys=True)


State = dict[str, Held]
UNOWED = ("gone", "re-keyed")


def payload(row: Row) -> dict[str, str]:
    """JSON text by field: ``a`` is cleared by null, ``b`` is left out."""
    sent = {"a": json.dumps(row.a, ensure_ascii=False)}
    return sent if row.b is None else {**sent, "b": str(row.b)}


def verdicts(
    rows: Mapping[int, Row],
    granted: AbstractSet[str] | None,
    state: State,
    mode: Mode,
    *,
    consent: OnWithdrawal | None,
    holds_doubt: bool,
    bad: AbstractSet[int] = frozenset(),
    known: AbstractSet[str] = frozenset(),
) -> dict[str, Any]:
    """Per record: an `Operation` to send, or the word for why there is none; ``bad`` are the quarantined rows.

    ``known`` are the subjects about whom anything was ever decided.
    """
    desired = {row.mail: (pk, row) for pk, row in rows.items() if row.mail is not None and pk not in bad}
    claimed = {row.mail for pk, row in rows.items() if pk in bad}
    refused = {pk for pk, row in rows.items() if granted is not None and row.subject not in granted}
    moved = {pk for pk, _ in desired.values()} - refused
    for pk in sorted(bad & refused, key=str):
        # A quarantined row says that its record must go, unless a good row has that record.
        if (mail := rows[pk].mail) is not None and mail not in desired:
            desired[mail] = (pk, rows[pk])
    taken_back = set() if granted is None else known - granted
    if mode is Mode.MIRROR and consent is not OnWithdrawal.DELETE:
        taken_back = set()
    gone_back = {i for i, held in state.items() if held.subject in taken_back}
    judged = {
        i: _verdict(i, desired.get(i), refused, moved, state.get(i), mode, consent, is_taken_back=i in gone_back)
        for i in sorted(desired.keys() | state.keys())
    }
    for i, verdict in judged.items():
        held = state.get(i)
        is_theirs = i in claimed or (held is not None and held.pk in bad and i not in desired)
        if is_theirs and (verdict == "given up" or (isinstance(verdict, Operation) and verdict.reason in UNOWED)):
            judged[i] = "row quarantined"
        elif verdict == "given up":
            judged[i] = "quarantined"
    return {i: "in doubt" if holds_doubt and _waits(v, state.get(i)) else v for i, v in judged.items()}


def _waits(verdict: Any, held: Held | None) -> bool:
    is_removal = isinstance(verdict, Operation) and verdict.reason == "consent"
    return isinstance(verdict, Operation) and held is not None and held.unknown and not is_removal


def _verdict(
    id: str,
    wish: tuple[int, Row] | None,
    refused: AbstractSet[int],
    moved: AbstractSet[int],
    held: Held | None,
    mode: Mode,
    consent: OnWithdrawal | None,
    *,
    is_taken_back: bool,
) -> Any:
    holds = held is not None and (held.acked or held.unknown)
    if wish is not None and wish[0] not in refused:
        operation = _send(id, wish[0], wish[1], held, mode)
        if operation is None:
            return "unchanged"
        return "quarantined" if _given_up(operation, held) else operation
    if not holds:
        return "absent" if wish is None else "unconsented"
    assert held is not None
    pk, subject = (wish[0], wish[1].subject) if wish else (held.pk, held.subject)
    is_orphan = held.pk in moved and consent in (OnWithdrawal.UNSUBSCRIBE, OnWithdrawal.IGNORE)
    if (wish is not None or held.pk in refused or is_taken_back) and not is_orphan:
        return _taken_back(id, pk, subject, held, consent) or ("absent" if wish is None else "unconsented")
    if not (mode is Mode.MIRROR or held.pk in moved):
        return "absent"
    operation = Operation("delete", "delete", "re-keyed" if held.pk in moved else "gone", id, pk, subject, (), {})
    return "given up" if _given_up(operation, held) else operation


def _taken_back(id: str, pk: int, subject: str, held: Held, consent: OnWithdrawal | None) -> Operation | None:
    if consent is OnWithdrawal.UNSUBSCRIBE:
        told = held.inert and not held.unknown
        return None if told else Operation("unsubscribe", "update", "consent", id, pk, subject, (), {})
    return None if consent is OnWithdrawal.IGNORE else Operation("delete", "delete", "consent", id, pk, subject, (), {})


def _send(id: str, pk: int, row: Row, held: Held | None, mode: Mode) -> Operation | None:
    wanted, held = payload(row), held or Held(pk)
    holds = held.acked or held.unknown
    changed = tuple(
        f for f in FIELDS if f in wanted and (held.unknown or held.inert or wanted[f] != held.fields.get(f))
    )
    if mode is Mode.INSERT and holds and not held.unknown:
        return None
    if holds and not held.unknown and not held.inert and not changed:
        return None
    reason = "rejected before" if held.attempts else "changed" if holds else "new"
    reason = "outcome unknown" if held.unknown else "consent given again" if held.inert else reason
    op = "upsert" if mode is Mode.MIRROR else mode.value
    change = "update" if holds or mode is Mode.UPDATE else "insert"
    return Operation(op, change, reason, id, pk, row.subject, changed, wanted)


def _given_up(operation: Operation, held: Held | None) -> bool:
    return held is not None and held.attempts >= MAX_ATTEMPTS and held.tried == operation.tried


def ordered(judged: Mapping[str, Any]) -> list[Operation]:
    """Removals for consent, then what is sent, then other deletes; each by id."""
    rank = {"consent": 0, "re-keyed": 2, "gone": 2}
    return sorted((o for o in judged.values() if isinstance(o, Operation)), key=lambda o: (rank.get(o.reason, 1), o.id))


def fold(state: State, plan: list[Operation], outcomes: Mapping[str, str]) -> State:
    """The state after ``plan``; an operation that ``outcomes`` does not name was delivered."""
    result = dict(state)
    for operation in plan:
        held = result.get(operation.id, Held(operation.pk))
        outcome = outcomes.get(operation.id)
        if outcome is not None:
            result[operation.id] = _kept(
                replace(held, pk=operation.pk, subject=operation.subject, owed=True), operation, outcome
            )
        elif operation.op == "delete":
            result.pop(operation.id, None)
        elif operation.op == "unsubscribe":
            told = replace(
                held,
                pk=operation.pk,
                subject=operation.subject,
                acked=True,
                unknown=False,
                owed=False,
                attempts=0,
                inert=True,
            )
            result[operation.id] = told
        else:
            result[operation.id] = Held(
                operation.pk,
                acked=True,
                tried=held.tried,
                subject=operation.subject,
                fields={**held.fields, **operation.fields},
            )
    return result


def _kept(held: Held, operation: Operation, outcome: str) -> Held:
    if outcome == "unknown":
        return replace(held, unknown=True)
    if outcome == "failed":
        return held
    again = held.attempts if held.tried == operation.tried else 0
    return replace(held, attempts=again + 1, tried=operation.tried)
