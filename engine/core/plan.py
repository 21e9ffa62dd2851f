"""plan = desired − delivered, as one set-based expression.

A plan row has ``op`` (what the destination is asked), ``change`` (insert, update or delete, as people count),
``reason``, ``id``, ``pk``, ``key``, ``subject`` and ``basis`` (see `engine.core.state`), ``changed`` (JSON array of field
names), a `FIELD` column per desired field, a
`engine.core.state.BEFORE` column per field last acknowledged, and ``was_…``: the state flags that a fold carries on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

import ibis
from ibis.expr.types import BooleanValue, IntegerValue, StringValue, Table

from engine.core.canonical import differs, present
from engine.core.consent_rule import REMOVING, OnWithdrawal
from engine.core.desired import FIELD, Mode, Refusal
from engine.core.remembered import remembered
from engine.core.state import RESENT, before, field_columns, is_exhausted, is_in_doubt, payload_digest

RANK_ERASURE, RANK_CONSENT, RANK_SEND, RANK_DELETE = 0, 1, 2, 3
"""Order inside a plan: removals for erasure, for consent, then what is sent, then other deletes."""
_DIFFERS = "differs_"


@dataclass(frozen=True, slots=True)
class PlanRules:
    """What a comparison needs beside the two states."""

    mode: Mode
    max_attempts: int
    holds_doubt: bool = False
    """A record whose outcome nobody knows waits for a person, because sending it again may do harm."""
    can_delete: bool = True
    """What a destination cannot delete is not asked of it; the removal stays owed."""
    on_withdrawal: OnWithdrawal = OnWithdrawal.DELETE


def waits_in_doubt(rules: PlanRules, unknown: BooleanValue, attempts: IntegerValue) -> BooleanValue:
    """Whether a record waits for a person because nobody knows what is held of it."""
    return ibis.literal(rules.holds_doubt) & is_in_doubt(unknown, attempts)


@remembered
def compared(desired: Table, delivered: Table, rules: PlanRules, refused: Table | None = None) -> Table:
    """Every record of either side with its ``verdict``.

    Verdicts: ``send`` (with ``op``, ``change``, ``reason``, ``rank``), ``unchanged``, ``unconsented``, ``quarantined``,
    ``in doubt``, ``unremovable`` (owed to a person, and the destination cannot delete) and ``absent`` (nothing desired,
    nothing held). ``id`` must be unique on both sides; desired records without one are
    left out. ``refused`` has the ``id``, once, of what is held and must not be, whatever became of its row, and the ``reason``.
    """
    fields = field_columns(desired, delivered)
    named = desired.filter(desired.id.notnull())
    wanted = named.select(
        "id",
        "key",
        d_pk=named.pk,
        allowed=named.allowed,
        refusal="refusal",
        subject="subject",
        basis="basis",
        **{c: named[c] for c in field_columns(desired)},
    )
    held = delivered.select(
        s_id=delivered.id,
        s_pk=delivered.pk,
        s_key=delivered.key,
        s_subject=delivered.subject,
        s_basis=delivered.basis,
        was_inert=delivered.inert,
        was_acked=delivered.acked,
        was_unknown=delivered.unknown,
        was_attempts=delivered.attempts,
        was_tried=delivered.tried,
        was_erase=delivered.erase,
        **{before(c): delivered[c] for c in field_columns(delivered)},
    )
    rows = wanted.outer_join(held, wanted.id == held.s_id)
    rows = rows.mutate(
        **{c: ibis.null("string") for c in fields if c not in rows.columns},
        **{before(c): ibis.null("string") for c in fields if before(c) not in rows.columns},
    )
    return _judged(_refusing(rows, desired, _counting(refused, rules)), desired, fields, rules)


def _judged(rows: Table, desired: Table, fields: Sequence[str], rules: PlanRules) -> Table:
    # Each step is a selection of its own: compiled into one, what the last one asks would be spelled out again and again.
    rows = _decided(_known(rows, desired, fields, rules), rules)
    return rows.select(
        verdict=_verdict(rows, rules),
        rank=_rank(rows.removed, rows.is_erasing, rows.is_refused),
        op=_asked(rules, rows.removed, rows.unsubscribed),
        change=_change(rows.removed, rows.unsubscribed, rows.is_held | ibis.literal(rules.mode is Mode.UPDATE)),
        reason=rows.removed.ifelse(_why_removed(rows), _why_sent(rows)),
        id=ibis.coalesce(rows.id, rows.s_id),
        pk=ibis.coalesce(rows.d_pk, rows.s_pk),
        key=ibis.coalesce(rows.key, rows.s_key),
        subject=ibis.coalesce(rows.subject, rows.s_subject),
        basis=rows.removed.ifelse(rows.s_basis, ibis.coalesce(rows.basis, rows.s_basis)),
        changed=rows.removed.ifelse("[]", _changed(rows, fields, rows.is_unknown | rows.is_inert)),
        was_acked=rows.was_acked.fill_null(False),
        was_unknown=rows.is_unknown,
        was_attempts=rows.was_attempts.fill_null(0),
        was_tried=rows.was_tried,
        was_erase=rows.is_erasing,
        was_inert=rows.is_inert,
        **{c: rows.removed.ifelse(ibis.null("string"), rows[c]) for c in fields},
        **{before(c): rows[before(c)] for c in fields},
    )


def _known(rows: Table, desired: Table, fields: Sequence[str], rules: PlanRules) -> Table:
    """The rows with what is known of each: a flag ``is_…`` per fact, and ``_differs`` before the name of each field."""
    erasing = rows.was_erase.fill_null(False) | (rows.why_refused == Refusal.ERASURE.value).fill_null(False)
    exhausted = is_exhausted(rows.was_attempts, rules.max_attempts) & (rows.was_tried == payload_digest(rows, fields))
    return rows.mutate(
        is_erasing=erasing,
        is_wanted=rows.allowed.fill_null(False) & ~erasing,
        is_held=(rows.was_acked | rows.was_unknown).fill_null(False),
        is_unknown=rows.was_unknown.fill_null(False),
        is_inert=rows.was_inert.fill_null(False),
        is_moved=rows.s_pk.isin(desired.filter(desired.allowed & desired.id.notnull()).pk).fill_null(False),
        is_refused=erasing | rows.id.notnull() | rows.why_refused.notnull(),
        is_given_up=exhausted.fill_null(False),
        **{_DIFFERS + c: (rows[c].notnull() & differs(rows[c], rows[before(c)])).fill_null(False) for c in fields},
    )


def _decided(rows: Table, rules: PlanRules) -> Table:
    """The rows with what is to become of each: ``sent``, ``removed`` and ``unsubscribed``, which is one way to be removed."""
    rows = rows.mutate(is_withdrawn=_withdrawn(rows, rules))
    # What is held of somebody who consents and whose record stands elsewhere now is an orphan, and nobody's refusal.
    rows = rows.mutate(
        is_withdrawn=rows.is_withdrawn & ~rows.is_moved,
        is_refused=rows.is_refused & ~(rows.is_withdrawn & rows.is_moved),
    )
    differing = ibis.or_(rows.is_unknown, rows.is_inert, *(rows[c] for c in rows.columns if c.startswith(_DIFFERS)))
    remove = rows.is_held & ~rows.is_wanted & ~_settled(rules, rows.is_withdrawn, rows.is_inert & ~rows.is_unknown)
    if rules.mode is not Mode.MIRROR:
        remove &= rows.is_refused | rows.is_moved
    return rows.mutate(
        sent=rows.is_wanted & (~rows.is_held | (rows.is_unknown if rules.mode is Mode.INSERT else differing)),
        removed=remove,
        unsubscribed=remove & rows.is_withdrawn & ibis.literal(rules.on_withdrawal is OnWithdrawal.UNSUBSCRIBE),
    )


def _verdict(rows: Table, rules: PlanRules) -> StringValue:
    doubt = waits_in_doubt(rules, rows.is_unknown, rows.was_attempts.fill_null(0))
    listed = (rows.why_refused == Refusal.SUPPRESSED.value).fill_null(False)
    # The removal of somebody who must not be there is owed for ever: it is tried again, and never set aside.
    may_wait = rows.sent | (rows.removed & ~rows.is_refused)
    return ibis.cases(
        (rows.removed & (rows.is_erasing | listed) & ibis.literal(not rules.can_delete), "unremovable"),
        (rows.is_given_up & may_wait, "quarantined"),
        (doubt & may_wait, "in doubt"),
        (rows.sent | rows.removed, "send"),
        (rows.is_wanted, "unchanged"),
        (rows.id.notnull(), "unconsented"),
        else_="absent",
    )


def _why_sent(rows: Table) -> StringValue:
    return ibis.cases(
        (rows.is_unknown & (rows.was_attempts == RESENT).fill_null(False), "sent again"),
        (rows.is_unknown, "outcome unknown"),
        (rows.is_inert, "consent given again"),
        ((rows.was_attempts > 0).fill_null(False), "rejected before"),
        (~rows.is_held, "new"),
        else_="changed",
    )


def _counting(refused: Table | None, rules: PlanRules) -> Table | None:
    """A mirror deletes what has left, also what is held of somebody who would only be unsubscribed, or left as it is."""
    if refused is None or rules.mode is not Mode.MIRROR or rules.on_withdrawal is OnWithdrawal.DELETE:
        return refused
    return refused.filter(refused.reason != Refusal.CONSENT.value)


def _refusing(rows: Table, desired: Table, refused: Table | None) -> Table:
    """The rows with ``why_refused``: why the row behind what is held must not be sent, or why that must not be held."""
    of_rows = desired.filter(~desired.allowed).select(_pk="pk", _why="refusal")
    joined = rows.left_join(of_rows, rows.s_pk == of_rows["_pk"])
    why = ibis.coalesce(joined.refusal, joined["_why"])
    if refused is None:
        return joined.mutate(why_refused=why)
    joined = joined.mutate(why_refused=why)
    of_held = refused.select(_held="id", _since="reason")
    joined = joined.left_join(of_held, joined.s_id == of_held["_held"])
    # Who is in a list is not merely unsubscribed, whatever else is known of them.
    listed = (joined["_since"] == Refusal.SUPPRESSED.value) & (joined.why_refused == Refusal.CONSENT.value)
    why = listed.fill_null(False).ifelse(joined["_since"], ibis.coalesce(joined.why_refused, joined["_since"]))
    return joined.mutate(why_refused=why)


def _why_removed(rows: Table) -> StringValue:
    return ibis.cases(
        (rows.is_erasing, Refusal.ERASURE.value),
        (rows.is_refused, ibis.coalesce(rows.why_refused, Refusal.CONSENT.value)),
        (rows.is_moved, "re-keyed"),
        else_="gone",
    )


def _withdrawn(rows: Table, rules: PlanRules) -> BooleanValue:
    """Whose record is not simply deleted although they do not consent; who is to be forgotten is, everywhere."""
    if rules.on_withdrawal is OnWithdrawal.DELETE:
        return ibis.literal(False)
    told_no = rows.is_refused & ~rows.is_erasing & (rows.why_refused == Refusal.CONSENT.value)
    return told_no.fill_null(False)


def _settled(rules: PlanRules, withdrawn: BooleanValue, told: BooleanValue) -> BooleanValue:
    """Whether nothing more is to be done about somebody who withdrew, of which a destination was ``told`` or not."""
    match rules.on_withdrawal:
        case OnWithdrawal.DELETE:
            return ibis.literal(False)
        case OnWithdrawal.UNSUBSCRIBE:
            return withdrawn & told
        case OnWithdrawal.IGNORE:
            return withdrawn
        case _:
            assert_never(rules.on_withdrawal)


def _asked(rules: PlanRules, remove: BooleanValue, unsubscribing: BooleanValue) -> StringValue:
    """The operation."""
    write = "upsert" if rules.mode is Mode.MIRROR else rules.mode.value
    return ibis.cases((unsubscribing, "unsubscribe"), (remove, "delete"), else_=write)


def _change(remove: BooleanValue, unsubscribing: BooleanValue, is_update: BooleanValue) -> StringValue:
    """The effect; the record of somebody who unsubscribes stays, and is another one afterwards."""
    return ibis.cases((unsubscribing, "update"), (remove, "delete"), (is_update, "update"), else_="insert")


def _rank(remove: BooleanValue, erasing: BooleanValue, refused: BooleanValue) -> IntegerValue:
    return ibis.cases(
        (remove & erasing, RANK_ERASURE),
        (remove & refused, RANK_CONSENT),
        (remove, RANK_DELETE),
        else_=RANK_SEND,
    )


def _changed(rows: Table, fields: Sequence[str], anew: BooleanValue) -> StringValue:
    """The fields that differ, or all where what is held must be sent ``anew``."""
    names = [((anew & rows[c].notnull()) | rows[_DIFFERS + c]).ifelse(_quoted(c), ibis.null("string")) for c in fields]
    return ibis.literal("[") + present(names) + ibis.literal("]")


@remembered
def is_owed_to_people(plan: Table) -> BooleanValue:
    """Which rows of a plan are removals that are owed to somebody: whatever else is in doubt, they are not."""
    return plan["op"].isin(REMOVING) & plan.reason.isin([refusal.value for refusal in Refusal])


@remembered
def operations(judged: Table) -> Table:
    """The rows of a plan in its deterministic order: by rank, then by id."""
    rows = judged.filter(judged.verdict == "send")
    return rows.order_by("rank", "id").drop("verdict", "rank")


@remembered
def counts(judged: Table) -> Table:
    """One row: how many records got each verdict and each change."""
    send = judged.verdict == "send"
    kinds = {
        "inserts": send & (judged.change == "insert"),
        "updates": send & (judged.change == "update"),
        "deletes": send & (judged.change == "delete"),
        "unchanged": judged.verdict == "unchanged",
        "unconsented": judged.verdict == "unconsented",
        "quarantined": judged.verdict == "quarantined",
        "in_doubt": judged.verdict == "in doubt",
        "unremovable": judged.verdict == "unremovable",
    }
    return judged.aggregate(**{name: judged.count(where=kind) for name, kind in kinds.items()})


@remembered
def unconsented(plan: Table, granted: Table) -> Table:
    """The rows of a plan that send something about a subject whom ``granted.subject`` does not name."""
    return plan.filter(plan["op"].notin(REMOVING)).anti_join(granted, "subject")


def _quoted(column: str) -> str:
    return json.dumps(column.removeprefix(FIELD), ensure_ascii=False)
