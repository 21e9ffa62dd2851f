"""Consent as of a moment: what a register's decisions say about each subject, and whether it allows.

A grant is read strictly: it counts for exactly the subject, the purpose and the channel that it names, while it lasts. A
refusal, which is any other status, is read generously (see `register_rows`): what is not known falls to the safe side.
Decisions about one channel, and those about all, are a *line* each, and in a line the newest counts:

- for a channel: its own line decides where it has decisions, and a refusal of all channels ends the grants before it; only
  where there are none, the line of all channels decides;
- for a sync that names no channel: all channels must be granted, and none may be refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum

import ibis
import ibis.expr.datatypes as dt
from ibis.expr.types import StringValue, Table

from engine.core.canonical import fragment, object_text, text
from engine.core.consent_rule import ConsentRule
from engine.core.desired import Refusal
from engine.core.relations import union
from engine.core.remembered import remembered

MOMENT = dt.Timestamp("UTC", 6)
MOMENTS = ("collected_at", "expires_at")
"""Columns of a register that may be missing: then no decision is newer than another, and none expires."""
TEXTS = ("channel", "legal_basis", "receipt_id")
"""Columns of a register that may be missing: all channels, and nothing that proves a decision."""
EVERY = ""
"""The line of decisions about all channels."""
WILDCARDS = ("", "*", "%")
_EARLIEST, _LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
_BASIS = ("purpose", "channel", "legal_basis", "receipt", "collected_at", "expires_at", "register")


class Status(StrEnum):
    """What a decision says; only ``granted`` allows."""

    GRANTED = "granted"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


@ibis.udf.scalar.builtin(name="nfc_normalize")  # type: ignore[untyped-decorator]  # Ibis ships no types
def _composed(value: str) -> str:  # type: ignore[empty-body]  # the body is the database's
    """The database's own function."""


def register_rows(table: Table, origin: str = "") -> Table:
    """What is judged of a dataset of kind consent, whatever further columns it has; ``register`` is its ``origin``.

    ``reach``, ``reach_purpose`` and ``reach_channel`` are whom and what a refusal counts for: also for those who differ by
    blanks around, by Unicode's ways to write one character, or, in an address of mail, by case; and for every purpose
    or every channel (null) where it names none. ``moment`` orders decisions: a grant without one is older than any other
    decision, a refusal without one newer.
    """
    moments = {name: table[name].cast(MOMENT) if name in table.columns else ibis.null(MOMENT) for name in MOMENTS}
    texts = {name: text(table[name]) if name in table.columns else ibis.null("string") for name in TEXTS}
    rows = table.select(
        "purpose",
        "status",
        subject=text(table.subject),
        channel=texts["channel"],
        legal_basis=texts["legal_basis"],
        receipt=texts["receipt_id"],
        register=ibis.literal(origin),
        grants=(table.status == Status.GRANTED.value).fill_null(False),
        **moments,
    )
    undated = rows.grants.ifelse(_at(_EARLIEST), _at(_LATEST))
    return rows.mutate(
        reach=within_reach(rows.subject),
        reach_purpose=_named(rows.purpose),
        reach_channel=_named(rows.channel),
        moment=rows.collected_at.fill_null(undated),
    )


def within_reach(subject: StringValue) -> StringValue:
    """A subject as a refusal means it."""
    bare = _composed(subject).strip()
    return bare.contains("@").ifelse(bare.lower(), bare)


@remembered
def taken_back(held: Table, register: Table, granted: Table) -> Table:
    """``id`` and ``reason`` of what is held about people whom ``register`` knows and ``granted.subject`` does not name.

    ``held`` are state rows; what became of the rows that they came from does not count. Of whom no decision says anything
    nothing was taken back: a register may have been read half, or know people by something else by now.
    """
    told = held.filter(held.subject.notnull()).anti_join(granted, "subject")
    known = told.filter(within_reach(told.subject).isin(register.reach))
    return known.select("id", reason=ibis.literal(Refusal.CONSENT.value))


def loosely(subject: StringValue) -> StringValue:
    """A subject without what people do not see: to tell one that was probably meant, and never to decide by."""
    return _composed(subject).strip().lower()


def lines(register: Table, rule: ConsentRule, now: datetime) -> Table:
    """The newest decision per subject, purpose and line, of those whom ``register`` grants anything that the rule asks for.

    ``register`` is one of `register_rows`. Rows have ``subject``, ``purpose``, ``line``, ``counts`` (it is a grant, and has
    not ended), ``moment``, ``ends`` (when a grant ends that counts) and ``basis``, the decision as a JSON object. Of
    decisions of one moment the one that grants nothing wins; a grant of a later moment than ``now`` is none yet.
    """
    bearing = union(*(_bearing(register, rule, purpose, now) for purpose in rule.purposes))
    asking = bearing.filter(bearing.counts).select("reach", "asked", who=bearing.subject).distinct()
    met = asking.join(bearing, ["reach", "asked"])
    met = met.filter((met.who == met.subject) | ~met.grants)
    newest_first = [met.moment.desc(), met.counts, met.receipt, met.register]
    place = ibis.row_number().over(group_by=["who", "asked", "line"], order_by=newest_first)
    newest = met.mutate(_place=place).filter(lambda t: t["_place"] == 0)
    return newest.select(
        "line",
        "counts",
        "moment",
        subject="who",
        purpose="asked",
        ends=newest.counts.ifelse(newest.expires_at, ibis.null(MOMENT)),
        basis=_basis(newest),
    )


def granted(found: Table, rule: ConsentRule) -> Table:
    """``subject`` and ``basis`` of those who consent, given their `lines`: the decisions that allow it, as a JSON array."""
    own, every = found.line != EVERY, found.line == EVERY
    judged = found.group_by("subject", "purpose").aggregate(
        own_grants=(own & found.counts).any(),
        own_refuses=(own & ~found.counts).any(),
        own_moment=found.moment.max(where=own),
        own_basis=found.basis.max(where=own & found.counts),
        grants=(every & found.counts).any(),
        refuses=(every & ~found.counts).any(),
        moment=found.moment.max(where=every),
        basis=found.basis.max(where=every & found.counts),
    )
    by_own = judged.own_grants & ~(judged.refuses & (judged.moment >= judged.own_moment).fill_null(False))
    by_every = judged.grants & ~judged.own_refuses
    if rule.channel is None:
        allowed = judged.filter(by_every)
    else:
        allowed = judged.filter(by_own | (by_every & ~judged.own_grants)).mutate(
            basis=by_own.ifelse(judged.own_basis, judged.basis)
        )
    people = allowed.group_by("subject").aggregate(
        purposes=allowed.count(), basis=allowed.basis.group_concat(",", order_by=allowed.purpose)
    )
    enough = people.filter(people.purposes >= rule.purposes_needed)
    return enough.select("subject", basis=ibis.literal("[") + enough.basis + ibis.literal("]"))


def earliest_change(register: Table, found: Table, rule: ConsentRule, now: datetime) -> Table:
    """One row, one column ``until``: when the first decision ends that counts today, or the first begins that does not yet."""
    ends = found.filter(found.ends > _at(now)).select(at="ends")
    later = register.filter(register.purpose.isin(rule.purposes) & register.grants & (register.collected_at > _at(now)))
    return union(ends, later.select(at=later.collected_at)).aggregate(until=lambda t: t["at"].min())


def _bearing(register: Table, rule: ConsentRule, purpose: str, now: datetime) -> Table:
    """The decisions that say something about ``purpose``, which is ``asked``, on a line that the rule looks at."""
    of_purpose = register.grants.ifelse(
        register.purpose == purpose, register.reach_purpose.isnull() | (register.reach_purpose == purpose)
    )
    channel = register.grants.ifelse(register.channel, register.reach_channel)
    rows = register.filter(of_purpose.fill_null(False)).mutate(
        asked=ibis.literal(purpose), line=channel.fill_null(EVERY)
    )
    # A grant for a channel that is no name, or for a moment that has not come, grants nothing.
    means_nothing = rows.grants & (
        (rows.channel.notnull() & rows.reach_channel.isnull()) | (rows.collected_at > _at(now)).fill_null(False)
    )
    rows = rows.filter(~means_nothing)
    if rule.channel is not None:
        rows = rows.filter(rows.line.isin([EVERY, rule.channel]))
    lasts = rows.expires_at.isnull() | (rows.expires_at > _at(now))
    return rows.mutate(counts=rows.grants & lasts)


def _basis(decision: Table) -> StringValue:
    fields: Sequence[StringValue] = [
        fragment(decision.asked),
        *(fragment(decision[name]) for name in _BASIS[1:-1]),
        fragment(decision.register),
    ]
    return object_text(_BASIS, fields)


def _named(value: StringValue) -> StringValue:
    """A purpose or a channel as a refusal means it; null for none in particular."""
    bare = value.strip().lower()
    return bare.isin(WILDCARDS).ifelse(ibis.null("string"), bare)


def _at(moment: datetime) -> ibis.Value:
    return ibis.literal(moment, type=MOMENT)
