"""plan = desired − delivered, as one set-based expression, and the forms in which a plan is sent and shown.

A plan row has ``op`` (what the destination is asked), ``change`` (insert, update or delete, as people count),
``reason``, ``id``, ``pk``, ``key``, ``subject`` and ``receipt`` (see `engine.core.state`), ``changed`` (JSON array of field
names), a `FIELD` column per desired field, a
`engine.core.state.BEFORE` column per field last acknowledged, and ``was_…``: the state flags that a fold carries on.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import ibis
from ibis.expr.types import BooleanValue, IntegerValue, StringValue, Table

from engine.core.canonical import differs, object_text, present
from engine.core.desired import FIELD, Mode, Refusal
from engine.core.relations import union
from engine.core.state import before, field_columns, is_exhausted, is_in_doubt, payload_digest

RANK_ERASURE, RANK_CONSENT, RANK_SEND, RANK_DELETE = 0, 1, 2, 3
"""Order inside a plan: removals for erasure, for consent, then what is sent, then other deletes."""


@dataclass(frozen=True, slots=True)
class PlanRules:
    """What a comparison needs beside the two states."""

    mode: Mode
    max_attempts: int
    holds_doubt: bool = False
    """A record whose outcome nobody knows waits for a person, because sending it again may do harm."""
    can_delete: bool = True
    """What a destination cannot delete is not asked of it; the removal stays owed."""


def waits_in_doubt(rules: PlanRules, unknown: BooleanValue, attempts: IntegerValue) -> BooleanValue:
    """Whether a record waits for a person because nobody knows what is held of it."""
    return ibis.literal(rules.holds_doubt) & is_in_doubt(unknown, attempts)


def compared(desired: Table, delivered: Table, rules: PlanRules) -> Table:
    """Every record of either side with its ``verdict``.

    Verdicts: ``send`` (with ``op``, ``change``, ``reason``, ``rank``), ``unchanged``, ``unconsented``, ``quarantined``,
    ``in doubt``, ``unremovable`` (owed to a person, and the destination cannot delete) and ``absent`` (nothing desired,
    nothing held). ``id`` must be unique on both sides; desired records without one are
    left out.
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
        receipt="receipt",
        **{c: named[c] for c in field_columns(desired)},
    )
    held = delivered.select(
        s_id=delivered.id,
        s_pk=delivered.pk,
        s_key=delivered.key,
        s_subject=delivered.subject,
        s_receipt=delivered.receipt,
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
    return _judged(rows, desired, fields, rules)


def _judged(rows: Table, desired: Table, fields: Sequence[str], rules: PlanRules) -> Table:
    rows = _refusing(rows, desired)
    erasing = rows.was_erase.fill_null(False) | (rows.why_refused == Refusal.ERASURE.value).fill_null(False)
    listed = (rows.why_refused == Refusal.SUPPRESSED.value).fill_null(False)
    wanted = rows.allowed.fill_null(False) & ~erasing
    holds = (rows.was_acked | rows.was_unknown).fill_null(False)
    unknown = rows.was_unknown.fill_null(False)
    changes = [rows[c].notnull() & differs(rows[c], rows[before(c)]) for c in fields]
    differing = unknown | ibis.or_(*changes) if changes else unknown
    moved = rows.s_pk.isin(desired.filter(desired.allowed & desired.id.notnull()).pk)
    refused = erasing | rows.id.notnull() | rows.pk_refused.notnull()
    exhausted = is_exhausted(rows.was_attempts, rules.max_attempts) & (rows.was_tried == payload_digest(rows, fields))
    updating = rules.mode is Mode.UPDATE
    doubt = waits_in_doubt(rules, unknown, rows.was_attempts.fill_null(0))
    send = wanted & (differing | ~holds)
    if rules.mode is Mode.INSERT:
        send = wanted & (~holds | unknown)
    remove = holds & ~wanted
    if rules.mode is not Mode.MIRROR:
        remove &= refused | moved
    reasons = ibis.cases(
        (remove & erasing, Refusal.ERASURE.value),
        (remove & refused, ibis.coalesce(rows.why_refused, Refusal.CONSENT.value)),
        (remove & moved, "re-keyed"),
        (remove, "gone"),
        (unknown, "outcome unknown"),
        ((rows.was_attempts > 0).fill_null(False), "rejected before"),
        (~holds, "new"),
        else_="changed",
    )
    verdict = ibis.cases(
        (remove & (erasing | listed) & ibis.literal(not rules.can_delete), "unremovable"),
        # The removal of somebody who must not be there is owed for ever: it is tried again, and never set aside.
        (exhausted.fill_null(False) & (send | (remove & ~refused)), "quarantined"),
        (doubt & (send | (remove & ~refused)), "in doubt"),
        (send | remove, "send"),
        (wanted, "unchanged"),
        (rows.id.notnull(), "unconsented"),
        else_="absent",
    )
    return rows.select(
        verdict=verdict,
        rank=_rank(remove, erasing, refused),
        op=remove.ifelse("delete", rules.mode.value if rules.mode is not Mode.MIRROR else "upsert"),
        change=ibis.cases((remove, "delete"), (holds | ibis.literal(updating), "update"), else_="insert"),
        reason=reasons,
        id=ibis.coalesce(rows.id, rows.s_id),
        pk=ibis.coalesce(rows.d_pk, rows.s_pk),
        key=ibis.coalesce(rows.key, rows.s_key),
        subject=ibis.coalesce(rows.subject, rows.s_subject),
        receipt=remove.ifelse(rows.s_receipt, ibis.coalesce(rows.receipt, rows.s_receipt)),
        changed=remove.ifelse("[]", _changed(rows, fields, changes, unknown)),
        was_acked=rows.was_acked.fill_null(False),
        was_unknown=unknown,
        was_attempts=rows.was_attempts.fill_null(0),
        was_tried=rows.was_tried,
        was_erase=erasing,
        **{c: remove.ifelse(ibis.null("string"), rows[c]) for c in fields},
        **{before(c): rows[before(c)] for c in fields},
    )


def _refusing(rows: Table, desired: Table) -> Table:
    """The rows with ``pk_refused``, when the row behind what is held must not be sent, and ``why_refused``."""
    refused = desired.filter(~desired.allowed).select(pk_refused="pk", _why="refusal")
    joined = rows.left_join(refused, rows.s_pk == refused.pk_refused)
    return joined.mutate(why_refused=ibis.coalesce(joined.refusal, joined["_why"]))


def _rank(remove: BooleanValue, erasing: BooleanValue, refused: BooleanValue) -> IntegerValue:
    return ibis.cases(
        (remove & erasing, RANK_ERASURE),
        (remove & refused, RANK_CONSENT),
        (remove, RANK_DELETE),
        else_=RANK_SEND,
    )


def _changed(rows: Table, fields: Sequence[str], changes: Sequence[BooleanValue], unknown: BooleanValue) -> StringValue:
    names = [
        ((unknown & rows[c].notnull()) | change).ifelse(_quoted(c), ibis.null("string"))
        for c, change in zip(fields, changes, strict=True)
    ]
    return ibis.literal("[") + present(names) + ibis.literal("]")


def operations(judged: Table) -> Table:
    """The rows of a plan in its deterministic order: by rank, then by id."""
    rows = judged.filter(judged.verdict == "send")
    return rows.order_by("rank", "id").drop("verdict", "rank")


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


def moving(changed_pks: Table, identities: Table, delivered: Table) -> Table:
    """Primary keys, as text, of rows in motion: those that changed, and those with a record that is not settled.

    That is one of which something is owed or unknown, and one whose row in the version (``identities``: ``id`` and
    ``pk``) does not have its id any more: another row may have taken it over with equal values, of which nothing was
    sent and nothing remembered, and may since be gone as well.
    """
    unsettled = delivered.filter(delivered.owed | delivered.unknown).select("pk")
    stray = delivered.anti_join(identities, ["id", "pk"]).select("pk")
    return union(changed_pks.select("pk"), unsettled, stray, distinct=True)


def touched_ids(moving: Table, identities: Table, delivered: Table) -> Table:
    """Ids that an incremental comparison must look at: all that a row in motion has, or had when it was delivered.

    ``identities`` are ``id`` and ``pk`` of the version. A removal that is owed needs a look at the id that its row has
    now, to tell a record that moved from one that is gone.
    """
    now = identities.semi_join(moving, "pk").select("id")
    before = delivered.semi_join(moving, "pk").select("id")
    every = union(now, before, distinct=True)
    return every.filter(every.id.notnull())


def unconsented(plan: Table, granted: Table) -> Table:
    """The rows of a plan that send something about a subject whom ``granted.subject`` does not name."""
    return plan.filter(plan["op"] != "delete").anti_join(granted, "subject")


def payloads(plan: Table) -> Table:
    """A plan's rows as `destinations.base.Batch` carries them, in plan order, with ``op`` and ``change``."""
    columns = field_columns(plan)
    sent = object_text([c.removeprefix(FIELD) for c in columns], [plan[c] for c in columns])
    return plan.select("op", "change", "id", "key", fields=sent, changed=plan.changed)


def samples(plan: Table, limit: int) -> Table:
    """The first ``limit`` rows of each kind of change, with before and after per field."""
    place = ibis.row_number().over(group_by="change", order_by="id")
    return plan.mutate(_place=place).filter(lambda t: t["_place"] < limit).order_by("change", "id").drop("_place")


def _quoted(column: str) -> str:
    return json.dumps(column.removeprefix(FIELD), ensure_ascii=False)
