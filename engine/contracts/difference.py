"""What a change of a contract means to those who rely on it: every difference, of what kind, and why.

Judged from where the rows are used. A promise that becomes stronger breaks nobody; one that becomes weaker lets values
arrive that were never there before.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias, TypeVar

from engine.contracts.odcs import Contract
from engine.contracts.status import Status
from engine.contracts.tightening import is_tighter
from engine.core.demands import Demands, QueryRule, Rule, Severity
from engine.core.promises import Promises
from engine.core.schema import Column, LogicalType, TableSchema
from engine.core.value_rules import Length


class Kind(StrEnum):
    """What a change does to a sync that worked before."""

    ADDITIVE = "additive"
    """There is more to use, and nothing that was there is different."""
    COMPATIBLE = "compatible"
    """What is there may be used as before."""
    BREAKING = "breaking"
    """A sync may stop, send other values, or take one record for another."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. ``column`` is empty where it is about the whole; ``before`` and ``after`` where there was nothing."""

    kind: Kind
    what: str
    before: str
    after: str
    reason: str
    column: str = ""


_Named = TypeVar("_Named")
Quality: TypeAlias = Rule | QueryRule
_EXACT = {LogicalType.INTEGER, LogicalType.DECIMAL}
_MAY_COME = "values may arrive that could not before"
_WORDS = {False: "no", True: "yes"}
_NUMBERS = re.compile("[0-9]+")
_NOT_COMPARABLE = "it cannot be told that no other values pass"
_STRONGER = "what is promised is stronger"
_REFUSED_NOTHING = "it refused nothing before"


def contract_changes(old: Contract, new: Contract) -> tuple[Change, ...]:
    """Every difference that Tidegate acts upon, breaking ones first; texts that only people read are left out."""
    found = [
        *_identity(old, new),
        *_columns(old.schema, new.schema),
        *_key(old.schema, new.schema),
        *_rules(old.demands, new.demands),
        *_promises(old.promises, new.promises),
        *_life(old, new),
    ]
    order = list(reversed(Kind))
    return tuple(sorted(found, key=lambda change: order.index(change.kind)))


class Bump(StrEnum):
    """The part of a semantic version that must grow."""

    NONE = "none"
    PATCH = "patch"
    MINOR = "minor"
    MAJOR = "major"


_BUMPS = {Kind.COMPATIBLE: Bump.PATCH, Kind.ADDITIVE: Bump.MINOR, Kind.BREAKING: Bump.MAJOR}
_PARTS = {Bump.NONE: 0, Bump.MAJOR: 1, Bump.MINOR: 2, Bump.PATCH: 3}


def needed_bump(changes: Iterable[Change]) -> Bump:
    """What the changes together ask of the version."""
    wanted = [_BUMPS[change.kind] for change in changes]
    return max(wanted, key=list(Bump).index, default=Bump.NONE)


def covers(old: str, new: str, bump: Bump) -> bool:
    """Whether the part of version ``bump``, or one before it, grew from ``old`` to ``new``; both are semantic versions."""
    before, after = (tuple(map(int, _NUMBERS.findall(version)[:3])) for version in (old, new))
    count = _PARTS[bump]
    return after[:count] > before[:count] if count else after >= before


def _identity(old: Contract, new: Contract) -> Iterator[Change]:
    if old.id != new.id:
        yield Change(Kind.BREAKING, "id", old.id, new.id, "it is another contract")
    if old.allow_empty != new.allow_empty:
        kind = Kind.BREAKING if new.allow_empty else Kind.COMPATIBLE
        reason = "an empty source would count as the truth" if new.allow_empty else _STRONGER
        yield Change(kind, "tidegate.allowEmpty", _WORDS[old.allow_empty], _WORDS[new.allow_empty], reason)
    was, now = old.demands.quarantine, new.demands.quarantine
    if was != now:
        reason = "other rows are set aside, where the version would have been refused or accepted"
        yield Change(Kind.COMPATIBLE, "tidegate.quarantine", _listed(was.columns), _listed(now.columns), reason)


def _columns(old: TableSchema, new: TableSchema) -> Iterator[Change]:
    for name, was, now in _pairs(old.columns, new.columns, lambda column: column.name):
        if was is None and now is not None:
            reason = "syncs may use it"
            yield Change(Kind.ADDITIVE, f"column {name}", "", _type(now), reason, name)
        elif now is None and was is not None:
            reason = "a sync that maps it, or identifies people by it, stops"
            yield Change(Kind.BREAKING, f"column {name}", _type(was), "", reason, name)
        elif was is not None and now is not None:
            yield from _column(was, now)


def _column(was: Column, now: Column) -> Iterator[Change]:
    name = now.name
    if _type(was) != _type(now):
        kind, reason = _retyped(was, now)
        if now.key_position is not None and kind is Kind.BREAKING:
            reason = "it is of the primary key, so that no row would count as the record that it was"
        yield Change(kind, f"type of {name}", _type(was), _type(now), reason, name)
    for word, before, after, lost in (
        ("required", was.required, now.required, "null may arrive"),
        ("unique", was.unique, now.unique, "repeats may arrive"),
    ):
        if before != after:
            kind, reason = (Kind.COMPATIBLE, _STRONGER) if after else (Kind.BREAKING, lost)
            yield Change(kind, f"`{word}` of {name}", _WORDS[before], _WORDS[after], reason, name)
    if was.classification.word != now.classification.word:
        raised = now.classification.rank > was.classification.rank
        kind = Kind.BREAKING if raised else Kind.COMPATIBLE
        reason = (
            "destinations that are not cleared for it get nothing more" if raised else "more destinations may get it"
        )
        words = (was.classification.word, now.classification.word)
        yield Change(kind, f"classification of {name}", *words, reason, name)


def _retyped(was: Column, now: Column) -> tuple[Kind, str]:
    if was.type is now.type is LogicalType.DECIMAL and was.scale == now.scale:
        if None not in (was.precision, now.precision) and (now.precision or 0) < (was.precision or 0):
            return Kind.COMPATIBLE, _STRONGER
        return Kind.BREAKING, "larger numbers may arrive"
    if {was.type, now.type} <= _EXACT:
        return Kind.BREAKING, "numbers may arrive, or be written, with other digits behind the point"
    return Kind.BREAKING, "every value is read and sent as another type"


def _key(old: TableSchema, new: TableSchema) -> Iterator[Change]:
    if old.key != new.key:
        reason = "another row counts as the same record"
        yield Change(Kind.BREAKING, "primary key", ", ".join(old.key), ", ".join(new.key), reason)


def _rules(old: Demands, new: Demands) -> Iterator[Change]:
    for label, was, now in _pairs(old.values, new.values, lambda rule: rule.label):
        if was is None and now is not None:
            yield Change(Kind.COMPATIBLE, label, "", "declared", _STRONGER, now.column)
        elif now is None and was is not None:
            kind = Kind.COMPATIBLE if was.demand == Length() else Kind.BREAKING
            reason = _REFUSED_NOTHING if kind is Kind.COMPATIBLE else _MAY_COME
            yield Change(kind, label, "declared", "", reason, was.column)
        elif was is not None and now is not None and was.demand != now.demand:
            tighter = is_tighter(now.demand, was.demand)
            kind, reason = (Kind.COMPATIBLE, _STRONGER) if tighter else (Kind.BREAKING, _NOT_COMPARABLE)
            yield Change(kind, label, "declared", "another", reason, now.column)
    before: tuple[Quality, ...] = (*old.rules, *old.queries)
    after: tuple[Quality, ...] = (*new.rules, *new.queries)
    for label, one, other in _pairs(before, after, lambda rule: rule.label):
        yield from _quality(f"quality rule {label}", one, other)


def _quality(what: str, was: Quality | None, now: Quality | None) -> Iterator[Change]:
    if was is None and now is not None:
        yield Change(Kind.COMPATIBLE, what, "", _rule(now), _STRONGER)
    elif now is None and was is not None:
        counted = was.severity is Severity.ERROR
        kind, reason = (Kind.BREAKING, _MAY_COME) if counted else (Kind.COMPATIBLE, _REFUSED_NOTHING)
        yield Change(kind, what, _rule(was), "", reason)
    elif was is not None and now is not None and was != now:
        kind, reason = _requality(was, now)
        yield Change(kind, what, _rule(was), _rule(now), reason)


def _requality(was: Quality, now: Quality) -> tuple[Kind, str]:
    if was.severity is not Severity.ERROR:
        return Kind.COMPATIBLE, _REFUSED_NOTHING
    if now.severity is not Severity.ERROR:
        return Kind.BREAKING, "it refuses nothing any more"
    if replace(now, action=was.action) == was:
        return Kind.COMPATIBLE, "the same rows break it, and only what follows is another"
    return Kind.BREAKING, _NOT_COMPARABLE


def _promises(old: Promises, new: Promises) -> Iterator[Change]:
    for column, was, now in _pairs(old.latencies, new.latencies, lambda promise: promise.column):
        if was == now:
            continue
        stronger = now is not None and (was is None or (now.limit <= was.limit and now.severity == was.severity))
        kind, reason = (Kind.COMPATIBLE, _STRONGER) if stronger else (Kind.BREAKING, "older rows may arrive")
        words = (was.written if was else "", now.written if now else "")
        yield Change(kind, f"latency of {column}", *words, reason, column)
    for word, before, after in (
        ("general availability", old.lifetime.general_availability, new.lifetime.general_availability),
        ("end of support", old.lifetime.end_of_support, new.lifetime.end_of_support),
        ("end of life", old.lifetime.end_of_life, new.lifetime.end_of_life),
    ):
        if before == after:
            continue
        starts = word == "general availability"
        sooner = after is not None and (before is None or after < before)
        worse = (after is not None and not sooner) if starts else sooner
        reason = "syncs can rely on it for a shorter time" if worse else "syncs can rely on it for longer"
        words = (f"{before:%Y-%m-%d}" if before else "", f"{after:%Y-%m-%d}" if after else "")
        yield Change(Kind.COMPATIBLE, word, *words, reason)


def _life(old: Contract, new: Contract) -> Iterator[Change]:
    """How long a major is to be relied on is said in its own contract, so that a change of it asks for no other major."""
    if old.status is not new.status:
        reason = (
            "nothing may be read under it" if new.status is Status.RETIRED else "it says how far it can be relied on"
        )
        yield Change(Kind.COMPATIBLE, "status", old.status.value, new.status.value, reason)


def _pairs(
    old: Iterable[_Named], new: Iterable[_Named], name: Callable[[_Named], str]
) -> Iterator[tuple[str, _Named | None, _Named | None]]:
    """A name with the old and the new one that has it, in the new order and then what is gone."""
    before, after = _by(old, name), _by(new, name)
    yield from ((key, before.get((key, place)), each) for (key, place), each in after.items())
    yield from ((key, each, None) for (key, place), each in before.items() if (key, place) not in after)


def _by(these: Iterable[_Named], name: Callable[[_Named], str]) -> dict[tuple[str, int], _Named]:
    """By name and, since rules may share one, by place among those that do."""
    seen: Counter[str] = Counter()
    found = {}
    for each in these:
        found[name(each), seen[name(each)]] = each
        seen[name(each)] += 1
    return found


def _type(column: Column) -> str:
    if column.precision is None:
        return column.type.value
    return f"{column.type.value}({column.precision}, {column.scale})"


def _rule(rule: Quality) -> str:
    return f"{rule.threshold} ({rule.severity}, {rule.action})"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
