"""Which checks belong to which gate, and how a gate is evaluated: all metrics in one pass, then pure verdicts.

A check says in words what it asks, names the numbers it needs as Ibis aggregates, and turns them into results. Adding
one means writing it in its file and naming it in `CANDIDATE`, `AGAINST_BEFORE`, `IDENTITIES` or `PLAN`; nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Generic, TypeVar

import ibis
from ibis.expr.types import Scalar, Table

from engine.checks import (
    budget,
    continuity,
    coverage,
    delta,
    environment,
    identifiers,
    identity,
    keys,
    promises,
    quality,
    register,
    value_rules,
    volume,
)
from engine.checks.facts import CandidateFacts, PlanFacts
from engine.checks.row_rules import RowRule
from engine.core.demands import Demands
from engine.core.events import CheckResult
from engine.core.verdict import passed

F = TypeVar("F")
Metrics = Mapping[str, Any]
"""Values of one aggregate row; ``Any`` because a metric may be a count, a share or a moment."""
NOTHING_BEFORE = "there is no version before to compare with"


@dataclass(frozen=True, slots=True)
class Check(Generic[F]):
    """``words`` are the rules that apply, none where the check does not.

    ``verdict`` has one result for each of them in order, or names by their words those alone that are broken.
    ``metrics`` gives aggregates by name, ``verdict`` judges their values; all three are pure.
    """

    name: str
    words: Callable[[F], Sequence[str]]
    metrics: Callable[[Table, F], Mapping[str, Scalar]]
    verdict: Callable[[Metrics, F], Sequence[CheckResult]]


@dataclass(frozen=True, slots=True)
class PairCheck:
    """As `Check`, of a candidate and the version before; ``metrics`` is a table of one row."""

    name: str
    words: Callable[[CandidateFacts], Sequence[str]]
    metrics: Callable[[Table, Table, CandidateFacts], Table]
    verdict: Callable[[Metrics, CandidateFacts], Sequence[CheckResult]]


CANDIDATE: tuple[Check[CandidateFacts], ...] = (
    Check(volume.NAME, volume.words, volume.metrics, volume.verdict),
    Check(volume.CHANGE, volume.change_words, volume.metrics, volume.change_verdict),
    Check(volume.HISTORY, volume.history_words, volume.metrics, volume.history_verdict),
    Check(keys.PRIMARY_KEY, keys.primary_key_words, keys.primary_key_metrics, keys.primary_key_verdict),
    Check(keys.REQUIRED, keys.required_words, keys.required_metrics, keys.required_verdict),
    Check(keys.UNIQUE, keys.unique_words, keys.unique_metrics, keys.unique_verdict),
    Check(register.NAME, register.words, register.metrics, register.verdict),
    Check(value_rules.NAME, value_rules.words, value_rules.metrics, value_rules.verdict),
    Check(promises.LATENCY, promises.latency_words, promises.latency_metrics, promises.latency_verdict),
    Check(promises.LIFETIME, promises.lifetime_words, promises.lifetime_metrics, promises.lifetime_verdict),
    Check(quality.NAME, quality.words, quality.metrics, quality.verdict),
    Check(identifiers.NULLS, identifiers.null_words, identifiers.null_metrics, identifiers.null_verdict),
    Check(
        identifiers.DUPLICATES,
        identifiers.duplicate_words,
        identifiers.duplicate_metrics,
        identifiers.duplicate_verdict,
    ),
    Check(identifiers.DISTINCT, identifiers.distinct_words, identifiers.distinct_metrics, identifiers.distinct_verdict),
)
"""Judged on a candidate before it becomes a version."""

AGAINST_BEFORE: tuple[PairCheck, ...] = (
    PairCheck(continuity.MATCH_RATE, continuity.match_words, continuity.match_metrics, continuity.match_verdict),
    PairCheck(continuity.REKEYED, continuity.rekeyed_words, continuity.rekeyed_metrics, continuity.rekeyed_verdict),
    PairCheck(continuity.NEW_VALUES, continuity.new_words, continuity.new_metrics, continuity.new_verdict),
)
"""Judged on a candidate beside the last accepted version, where a dataset asks for it."""

IDENTITIES: tuple[Check[PlanFacts], ...] = (
    Check(identity.NAME, identity.words, identity.metrics, identity.verdict),
    Check(environment.NAME, environment.words, environment.metrics, environment.verdict),
)
"""Judged on the identities of a version before its plan is computed."""

PLAN: tuple[Check[PlanFacts], ...] = (
    *(Check(*parts) for parts in delta.CHECKS),
    Check(coverage.NAME, coverage.words, coverage.metrics, coverage.verdict),
    Check(budget.NAME, budget.words, budget.metrics, budget.verdict),
)
"""Judged on a plan before any of it is sent."""


def applicable(checks: Sequence[Check[F]], facts: F) -> tuple[Check[F], ...]:
    """The checks that have a rule; of the others nothing is measured and nothing told."""
    return tuple(check for check in checks if check.words(facts))


def aggregates(checks: Sequence[Check[F]], table: Table, facts: F) -> Table:
    """One row with every metric of every check that applies; the column is ``check|metric``."""
    columns = {
        f"{c.name}|{name}": value for c in applicable(checks, facts) for name, value in c.metrics(table, facts).items()
    }
    return table.aggregate(**columns, rows=table.count())


def judged(checks: Sequence[Check[F]], row: Mapping[str, Any], facts: F) -> tuple[CheckResult, ...]:
    """The results of every check that applies, for the row that `aggregates` gave."""
    return tuple(result for c in applicable(checks, facts) for result in c.verdict(_of(c.name, row), facts))


def rules_of_candidates(facts: CandidateFacts) -> tuple[tuple[str, Sequence[str]], ...]:
    """Every check that candidates are judged by, each with its rules in words; none where it does not apply."""
    checks: tuple[Check[CandidateFacts] | PairCheck, ...] = (*CANDIDATE, *AGAINST_BEFORE)
    return tuple((check.name, check.words(facts)) for check in checks)


def compared(after: Table, before: Table, facts: CandidateFacts) -> Table | None:
    """One row with every metric of `AGAINST_BEFORE`; None when no check of it applies."""
    parts = []
    for check in AGAINST_BEFORE:
        if check.words(facts):
            found = check.metrics(after, before, facts)
            parts.append(found.select(**{f"{check.name}|{name}": found[name] for name in found.columns}))
    return reduce(ibis.cross_join, parts) if parts else None


def judged_against(row: Mapping[str, Any] | None, facts: CandidateFacts) -> tuple[CheckResult, ...]:
    """The results of `AGAINST_BEFORE` for the row that `compared` gave; None where there is no version before."""
    results: list[CheckResult] = []
    for check in AGAINST_BEFORE:
        words = check.words(facts)
        if row is None:
            results += (passed(check.name, NOTHING_BEFORE) for _ in words)
        elif words:
            results += check.verdict(_of(check.name, row), facts)
    return tuple(results)


def row_rules(demands: Demands) -> tuple[RowRule, ...]:
    """Every rule of a contract that one row by itself meets or breaks, in the order in which results name them."""
    of_quality = (quality.row_rule(rule) for rule in demands.rules)
    return (*value_rules.row_rules(demands.values), *(rule for rule in of_quality if rule is not None))


def _of(check: str, row: Mapping[str, Any]) -> Metrics:
    return {name.removeprefix(f"{check}|"): value for name, value in row.items() if name.startswith(f"{check}|")}
