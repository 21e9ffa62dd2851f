"""Delivered state: what the destination last acknowledged, per record, as a stack of segments.

A state row has ``id``, ``pk``, ``key``, the flags below, and a `FIELD` column per field that was ever acknowledged.

- ``acked``: the destination acknowledged the record and not its deletion since;
- ``unknown``: a send ended without anybody knowing its effect, so the next plan must send again;
- ``owed``: the last attempt did not deliver, so the next plan must look at the record;
- ``attempts`` and ``tried``: how often in a row the payload with digest ``tried`` was rejected, or `DROPPED`;
- ``subject`` and ``basis``: whom the record is about, and which decisions allowed what was acknowledged last (a JSON array);
  null where nobody needs to be asked;
- ``inert``: the destination was told that nothing may be sent to its person any more, and keeps the record;
- ``erase``: a person is to be forgotten, and what is held must be deleted, whatever else is desired;
- ``gone``: nothing is held any more (a tombstone that hides older rows of the stack).
"""

from __future__ import annotations

from collections.abc import Sequence

import ibis
import ibis.expr.datatypes as dt
from ibis.expr.types import BooleanValue, IntegerValue, StringValue, Table, Value

from engine.core.canonical import digest_text, fragment, object_text
from engine.core.desired import FIELD
from engine.core.relations import union
from engine.core.remembered import remembered

FACTS: dict[str, dt.DataType] = {
    "id": dt.string,
    "pk": dt.string,
    "key": dt.string,
    "acked": dt.boolean,
    "unknown": dt.boolean,
    "owed": dt.boolean,
    "attempts": dt.int64,
    "tried": dt.string,
    "gone": dt.boolean,
    "subject": dt.string,
    "basis": dt.string,
    "erase": dt.boolean,
    "inert": dt.boolean,
}
"""The columns of every state row, before its fields."""

BEFORE = "b:"
"""Prefix of a plan's columns that hold what the destination acknowledged last."""

RESENT = -2
"""``attempts`` of a record in doubt that a person lets be sent again."""

DROPPED = -1
"""``attempts`` of a payload that a person gave up: like one that was rejected too often, and nobody is asked about it."""

EXCEPTION_KINDS = ("rejected", "failed", "unknown", "withheld")
"""Outcomes that an exceptions segment holds; what it does not name was delivered."""


def field_columns(*tables: Table) -> list[str]:
    """The `FIELD` columns of some tables, in order of first appearance."""
    return list(dict.fromkeys(c for table in tables for c in table.columns if c.startswith(FIELD)))


@remembered
def newest(layers: Sequence[Table]) -> Table:
    """The newest row per id over layers given oldest first, tombstones included."""
    columns = field_columns(*layers)
    shaped = [
        layer.select(
            **{n: layer[n] for n in FACTS if n in layer.columns},
            **{n: _missing(layer, n) for n in FACTS if n not in layer.columns},
            **{c: layer[c] if c in layer.columns else ibis.null("string") for c in columns},
        )
        for layer in layers
    ]
    result = shaped[-1]
    for older in reversed(shaped[:-1]):
        result = union(result, older.anti_join(result.select("id"), "id"))
    return result


def _missing(layer: Table, fact: str) -> Value:
    """A fact of rows that were written before it was kept."""
    match fact:
        case "basis":
            return basis_of(layer)
        case "inert":
            return ibis.literal(False)
        case _:
            return ibis.null(FACTS[fact])


def basis_of(rows: Table) -> Value:
    """The decisions that allowed what was sent; of rows that kept only one's receipt, that."""
    if "basis" in rows.columns:
        return rows.basis
    if "receipt" not in rows.columns:
        return ibis.null("string")
    kept = ibis.literal("[") + object_text(["receipt"], [fragment(rows.receipt)]) + ibis.literal("]")
    return rows.receipt.isnull().ifelse(ibis.null("string"), kept)


@remembered
def live(layers: Sequence[Table]) -> Table:
    """The delivered state: `newest` without tombstones."""
    rows = newest(layers)
    return rows.filter(~rows.gone)


@remembered
def doubted(rows: Table) -> Table:
    """Rows of `live` of which nobody knows any more whether the destination still holds what it acknowledged."""
    return rows.mutate(unknown=rows.unknown | rows.acked, owed=rows.owed | rows.unknown | rows.acked)


def payload_digest(fields: Table, columns: Sequence[str]) -> StringValue:
    """A digest of a record's payload, for telling whether a rejected one is tried again."""
    parts = [ibis.literal(c + "=") + fields[c] for c in columns]
    return digest_text(ibis.literal("\x1f").join(parts)) if parts else ibis.literal("")


@remembered
def folded(plan: Table, exceptions: Table, ordinal: str) -> Table:
    """State rows after a plan was sent: one per plan row.

    ``plan`` is a numbered plan segment (see `engine.core.plan`), ``exceptions`` has ``ordinal``, ``outcome`` and ``uncertain``: an
    earlier send of the row may have taken effect, so that what is held is not known although the last send was refused.
    """
    seen = exceptions.select(_at=exceptions.ordinal, outcome=exceptions.outcome, uncertain=exceptions.uncertain)
    rows = plan.left_join(seen, plan[ordinal] == seen["_at"])
    delivered = rows.outcome.isnull()
    rejected = rows.outcome == "rejected"
    unknown = ((rows.outcome == "unknown") | rows.uncertain).fill_null(False)
    removal, unsubscribing = rows["op"] == "delete", rows["op"] == "unsubscribe"
    # Who took consent back before anything was sent has left nothing behind.
    never_sent = (rows.outcome == "withheld").fill_null(False) & ~(rows.was_acked | rows.was_unknown | unknown)
    tried = payload_digest(rows, field_columns(plan))
    attempts = ibis.cases(
        (
            rejected.fill_null(False) & (rows.was_tried == tried).fill_null(False),
            ibis.greatest(rows.was_attempts, 0) + 1,
        ),
        (rejected.fill_null(False), 1),
        (delivered, 0),
        # A person's word was about the doubt before.
        ((rows.outcome == "unknown").fill_null(False), ibis.greatest(rows.was_attempts, 0)),
        else_=rows.was_attempts,
    )
    return rows.select(
        id=rows.id,
        pk=rows.pk,
        key=rows.key,
        acked=delivered.ifelse(~removal, rows.was_acked),
        unknown=delivered.ifelse(False, rows.was_unknown | unknown),
        owed=~delivered & ~never_sent,
        attempts=attempts.cast("int64"),
        tried=rejected.fill_null(False).ifelse(tried, rows.was_tried),
        gone=(delivered & removal) | never_sent,
        subject=rows.subject,
        basis=basis_of(rows),
        erase=rows.was_erase if "was_erase" in plan.columns else ibis.literal(False),
        inert=delivered.ifelse(unsubscribing, _was_inert(rows)),
        **{c: delivered.ifelse(ibis.coalesce(rows[c], rows[before(c)]), rows[before(c)]) for c in field_columns(plan)},
    )


def _was_inert(plan: Table) -> BooleanValue:
    """Of a plan that was made before this was known, nothing was."""
    return plan.was_inert if "was_inert" in plan.columns else ibis.literal(False)


def is_exhausted(attempts: IntegerValue, attempts_max: int) -> BooleanValue:
    """Whether a payload with that many attempts is not tried again."""
    return (attempts >= attempts_max) | (attempts == DROPPED)


def is_in_doubt(unknown: BooleanValue, attempts: IntegerValue) -> BooleanValue:
    """Whether nobody knows what the destination holds of a record, and no person has decided about it."""
    return unknown & ~attempts.isin([RESENT, DROPPED])


def released(rows: Table) -> Table:
    """State rows whose attempts start again, and which the next plan must look at."""
    again = rows.unknown.ifelse(RESENT, 0).cast("int64")
    return rows.mutate(attempts=again, tried=ibis.null("string"), owed=ibis.literal(True))


def dropped(rows: Table, payloads: Table) -> Table:
    """State rows whose rejected payload is given up, so that no plan looks at them until something changes.

    Of a record in doubt it is the payload that it would be sent with: ``payloads.digest`` by ``id``.
    """
    digests = payloads.select(_of="id", _digest=payloads.digest)
    joined = rows.left_join(digests, rows.id == digests["_of"])
    tried = (joined.attempts > 0).ifelse(joined.tried, ibis.coalesce(joined["_digest"], joined.tried))
    given_up = joined.mutate(attempts=ibis.literal(DROPPED).cast("int64"), owed=ibis.literal(False), tried=tried)
    return given_up.drop("_of", "_digest")


def before(column: str) -> str:
    """The `BEFORE` column that stands beside a `FIELD` column."""
    return BEFORE + column.removeprefix(FIELD)
