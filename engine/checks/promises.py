"""Whether a contract's promises about time hold at the moment of a capture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import ibis
from ibis.expr.types import Scalar, Table

from engine.checks.facts import CandidateFacts
from engine.checks.severity import unmet
from engine.core.demands import Action
from engine.core.events import CheckResult
from engine.core.promises import Latency
from engine.core.verdict import blocked, passed, warned

LATENCY = "contract.latency"
LIFETIME = "contract.lifetime"
_ROWS = "rows"


def latency_words(facts: CandidateFacts) -> Sequence[str]:
    """Each promise as it is kept."""
    return tuple(
        f"{each.column} has a value that is at most {each.written} old ({each.severity})"
        for each in facts.promises.latencies
    )


def latency_metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """Per promise, the newest value that does not lie in the future: one that does says nothing about freshness."""
    newest = {}
    for place, each in enumerate(facts.promises.latencies):
        column = table[each.column]
        now = facts.now.date() if column.type().is_date() else facts.now
        newest[str(place)] = column.max(where=column <= ibis.literal(now, type=column.type()))
    return {_ROWS: table.count(), **newest} if newest else {}


def latency_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """A promise that is not kept does as its severity says; of no rows nothing was promised."""
    promises = facts.promises.latencies
    if promises and not int(values[_ROWS]):
        return [passed(LATENCY, f"{each.column}: there are no rows") for each in promises]
    return [_judged(each, values[str(place)], facts.now) for place, each in enumerate(promises)]


def _judged(promise: Latency, newest: datetime | date | None, now: datetime) -> CheckResult:
    if newest is None:
        message = (
            f"column {promise.column} has no value up to now, and promises one that is at most {promise.written} old"
        )
        return unmet(LATENCY, promise.severity, Action.BLOCK, message)
    age = now - _end(newest)
    numbers = {"age_seconds": max(age.total_seconds(), 0.0)}
    if age <= promise.limit:
        return passed(LATENCY, f"the newest value of {promise.column} is at most {promise.written} old", numbers)
    message = f"the newest value of column {promise.column} is more than {promise.written} old"
    return unmet(LATENCY, promise.severity, Action.BLOCK, message, numbers)


def _end(moment: datetime | date) -> datetime:
    """A day stands for all of its moments, so its age counts from its end."""
    if isinstance(moment, datetime):
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.combine(moment, time(), UTC) + timedelta(days=1)


def lifetime_words(facts: CandidateFacts) -> Sequence[str]:
    """The moments that the contract names."""
    life = facts.promises.lifetime
    named = {
        "generally available from": life.general_availability,
        "supported until": life.end_of_support,
        "alive until": life.end_of_life,
    }
    said = [f"{words} {moment:%Y-%m-%d}" for words, moment in named.items() if moment]
    return (f"the contract is {', '.join(said)}",) if said else ()


def lifetime_metrics(table: Table, facts: CandidateFacts) -> Mapping[str, Scalar]:
    """Nothing of the rows."""
    del table, facts
    return {}


def lifetime_verdict(values: Mapping[str, Any], facts: CandidateFacts) -> Sequence[CheckResult]:
    """After its end of life a contract blocks; before it is available and after its support it warns."""
    del values
    life, now = facts.promises.lifetime, facts.now
    if life.end_of_life is not None and now >= life.end_of_life:
        return [blocked(LIFETIME, f"the contract's life ended on {life.end_of_life:%Y-%m-%d}")]
    if life.end_of_support is not None and now >= life.end_of_support:
        return [warned(LIFETIME, f"the contract's support ended on {life.end_of_support:%Y-%m-%d}")]
    if life.general_availability is not None and now < life.general_availability:
        message = f"the contract is generally available only from {life.general_availability:%Y-%m-%d} on"
        return [warned(LIFETIME, message)]
    return [passed(LIFETIME, "the contract is in its lifetime")]
