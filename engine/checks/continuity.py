"""Whether the rows of a version are still about whom the version before was about.

A query that joins the wrong key gives rows that are complete, unique and as many as before, and each about somebody
else. These checks look at both versions, and so cost a join: they apply only where they are declared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any

import ibis
from ibis.expr.types import Column, Table

from engine.checks.facts import CandidateFacts
from engine.checks.shares import exact, is_above, percent, share
from engine.core.canonical import text
from engine.core.events import CheckResult
from engine.core.verdict import failed, passed

MATCH_RATE = "identity.match_rate"
REKEYED = "identity.rekeyed"
NEW_VALUES = "values.new"


def match_words(facts: CandidateFacts) -> Sequence[str]:
    """The rule on values that stay."""
    rules = facts.rules.identifiers
    if rules.min_match_rate is None or not rules.columns:
        return ()
    return (
        f"at least {percent(rules.min_match_rate)} of the earlier values of {', '.join(rules.columns)} are still there",
    )


def match_metrics(after: Table, before: Table, facts: CandidateFacts) -> Table:
    """Per identifier, its different values in the version before, and those of them that are still there."""
    names = _known(before, facts.rules.identifiers.columns)
    return _beside(after.aggregate(rows=after.count()), *(_kept(after, before, name) for name in names))


def _kept(after: Table, before: Table, name: str) -> Table:
    now, then = _values(after, before, name)
    earlier = before.select(value=then).filter(lambda t: t.value.notnull()).distinct()
    still = after.select(value=now).filter(lambda t: t.value.notnull())
    told = earlier.select(is_there=earlier.value.isin(still.value))
    return told.aggregate(**{f"before {name}": told.count(), f"kept {name}": told.count(where=told.is_there)})


def match_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """An identifier that lost too many of its values; where there were none, none are lost."""
    rules = facts.rules.identifiers
    assert rules.min_match_rate is not None, "the check applies only then"
    found = {n: (int(values[f"before {n}"]), int(values[f"kept {n}"])) for n in rules.columns if f"kept {n}" in values}
    rates = {name: share(kept, before) if before else 1.0 for name, (before, kept) in found.items()}
    told = [
        f"{rates[n]:.1%} of the {before:,} earlier values of {n} are still there" for n, (before, _) in found.items()
    ]
    if any(kept < exact(rules.min_match_rate) * before for before, kept in found.values()):
        return [failed(MATCH_RATE, rules.on_fail, f"{'; '.join(told)}, wanted {rules.min_match_rate:.1%}", rates)]
    return [passed(MATCH_RATE, "; ".join(told), rates)]


def rekeyed_words(facts: CandidateFacts) -> Sequence[str]:
    """The rule on rows that changed who they are."""
    rules = facts.rules.identifiers
    names = _beside_key(facts)
    if rules.max_rekeyed is None or not names:
        return ()
    return (
        f"at most {percent(rules.max_rekeyed)} of the rows have the key of before and another {' or '.join(names)}, or the reverse",
    )


def rekeyed_metrics(after: Table, before: Table, facts: CandidateFacts) -> Table:
    """Per identifier, rows whose key stayed while it changed from one value to another, or the other way round.

    The other way round is a new key with a value whose key is gone; a value that is shared with a row that stays is a
    repeat and no new key.
    """
    key, names = facts.schema.key, _known(before, _beside_key(facts))
    now = after.select(*key, **{f"now {n}": _values(after, before, n)[0] for n in names}, is_now=ibis.literal(True))
    then = before.select(*key, **{f"then {n}": _values(after, before, n)[1] for n in names}, is_then=ibis.literal(True))
    pairs = now.outer_join(then, list(key), rname="{name}_then")
    came, went = pairs.filter(pairs.is_then.isnull()), pairs.filter(pairs.is_now.isnull())
    changed = pairs.aggregate(
        rows=pairs.is_now.count(),
        **{f"changed {n}": pairs.count(where=pairs[f"now {n}"] != pairs[f"then {n}"]) for n in names},
    )
    moved = [
        (found := came.semi_join(went, came[f"now {n}"] == went[f"then {n}"])).aggregate(
            **{f"moved {n}": found.count()}
        )
        for n in names
    ]
    return _beside(changed, *moved)


def rekeyed_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """Too many rows that are now about somebody else."""
    rules, rows = facts.rules.identifiers, int(values["rows"])
    assert rules.max_rekeyed is not None, "the check applies only then"
    names = [name for name in _beside_key(facts) if f"changed {name}" in values]
    found = {name: int(values[f"changed {name}"]) + int(values[f"moved {name}"]) for name in names}
    shares = {name: share(count, rows) for name, count in found.items()}
    told = "; ".join(f"{count:,} rows ({shares[name]:.1%}) are re-keyed by {name}" for name, count in found.items())
    if any(is_above(count, rows, rules.max_rekeyed) for count in found.values()):
        return [failed(REKEYED, rules.on_fail, f"{told}, more than {rules.max_rekeyed:.1%}", shares)]
    return [passed(REKEYED, told, shares)]


def new_words(facts: CandidateFacts) -> Sequence[str]:
    """The rule on values that nobody expects."""
    rules = facts.rules.values
    if not rules.columns:
        return ()
    return tuple(
        f"at most {percent(rules.max_new)} of the rows have a value of {name} that the version before did not know"
        for name in rules.columns
    )


def new_metrics(after: Table, before: Table, facts: CandidateFacts) -> Table:
    """The rows, and per column its new values and the rows that hold one; null is no value."""
    names = _known(before, facts.rules.values.columns)
    return _beside(after.aggregate(rows=after.count()), *(_new(after, before, name) for name in names))


def _new(after: Table, before: Table, name: str) -> Table:
    now, then = _values(after, before, name)
    counts = after.select(value=now).group_by("value").aggregate(n=lambda t: t.count())
    new = counts.filter(counts.value.notnull()).anti_join(before.select(value=then), "value")
    return new.aggregate(**{f"values {name}": new.count(), f"rows {name}": new.n.sum().fill_null(0)})


def new_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """One result per column; the values themselves are not told."""
    return [_new_verdict(values, facts, name) for name in facts.rules.values.columns]


def _new_verdict(values: Mapping[str, Any], facts: CandidateFacts, name: str) -> CheckResult:
    rules, rows = facts.rules.values, int(values["rows"])
    if f"rows {name}" not in values:
        return passed(NEW_VALUES, f"the version before has no column {name} to compare with")
    new, count = int(values[f"values {name}"]), int(values[f"rows {name}"])
    numbers = {"values": new, "rows": count, "share": share(count, rows)}
    said = f"{new:,} new values of {name} in {count:,} of {rows:,} rows ({share(count, rows):.1%})"
    if is_above(count, rows, rules.max_new):
        return failed(NEW_VALUES, rules.on_fail, f"{said}, more than {rules.max_new:.1%}", numbers)
    return passed(NEW_VALUES, said, numbers)


def changed_rows(after: Table, before: Table, name: str, key: Sequence[str]) -> Table:
    """Rows that have the key of before and another value of an identifier, neither of them null."""
    now, then = _values(after, before, name)
    shaped = after.mutate(_now=now)
    pairs = shaped.join(before.select(*key, _then=then), list(key))
    return pairs.filter(pairs["_now"] != pairs["_then"]).select(*after.columns)


def new_rows(after: Table, before: Table, name: str, key: Sequence[str]) -> Table:
    """Rows with a value that the version before did not know."""
    del key
    now, then = _values(after, before, name)
    shaped = after.mutate(_now=now).filter(lambda t: t["_now"].notnull())
    return shaped.anti_join(before.select(_now=then), "_now").select(*after.columns)


def _known(before: Table, names: Sequence[str]) -> list[str]:
    """Columns that can be compared, because the version before has them."""
    return [name for name in names if name in before.columns]


def _beside_key(facts: CandidateFacts) -> list[str]:
    """Identifiers that are not themselves the whole key, and so may part from it."""
    return [name for name in facts.rules.identifiers.columns if facts.schema.key != (name,)]


def _values(after: Table, before: Table, name: str) -> tuple[Column, Column]:
    """A column of both versions, as text where its type changed."""
    now, then = after[name], before[name]
    if now.type().copy(nullable=True) == then.type().copy(nullable=True):
        return now, then
    return text(now), text(then)


def _beside(*parts: Table) -> Table:
    """Tables of one row each as one row."""
    return reduce(ibis.cross_join, parts)
