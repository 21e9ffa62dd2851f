"""Which checks belong to which gate, and how a gate is evaluated: all metrics in one pass, then pure verdicts.

A check names the numbers it needs as Ibis aggregates and turns them into results. Adding one means writing it in its
file and naming it in `CANDIDATE` or `PLAN`; nothing else changes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ibis.expr.types import Scalar, Table

from engine.checks import identifiers, identity, keys, quality, value_rules, volume
from engine.checks.facts import CandidateFacts, PlanFacts
from engine.checks.row_rules import RowRule
from engine.core.demands import Demands
from engine.core.events import CheckResult

F = TypeVar("F")
Metrics = Mapping[str, Any]
"""Values of one aggregate row; ``Any`` because a metric may be a count, a share or a moment."""


@dataclass(frozen=True, slots=True)
class Check(Generic[F]):
    """``metrics`` gives aggregates by name, ``verdict`` judges their values; both are pure."""

    name: str
    metrics: Callable[[Table, F], Mapping[str, Scalar]]
    verdict: Callable[[Metrics, F], Sequence[CheckResult]]


CANDIDATE: tuple[Check[CandidateFacts], ...] = (
    Check(volume.NAME, volume.metrics, volume.verdict),
    Check(keys.PRIMARY_KEY, keys.primary_key_metrics, keys.primary_key_verdict),
    Check(keys.REQUIRED, keys.required_metrics, keys.required_verdict),
    Check(keys.UNIQUE, keys.unique_metrics, keys.unique_verdict),
    Check(value_rules.NAME, value_rules.metrics, value_rules.verdict),
    Check(quality.NAME, quality.metrics, quality.verdict),
    Check(identifiers.NAME, identifiers.metrics, identifiers.verdict),
)
"""Judged on a candidate before it becomes a version."""

PLAN: tuple[Check[PlanFacts], ...] = (Check(identity.NAME, identity.metrics, identity.verdict),)
"""Judged on the identities of a version before its plan is sent; `engine.checks.delta` judges the plan's counts."""


def aggregates(checks: Sequence[Check[F]], table: Table, facts: F) -> Table:
    """One row with every metric of every check; the column is ``check|metric``."""
    columns = {f"{c.name}|{name}": value for c in checks for name, value in c.metrics(table, facts).items()}
    return table.aggregate(**columns)


def judged(checks: Sequence[Check[F]], row: Mapping[str, Any], facts: F) -> tuple[CheckResult, ...]:
    """The results of every check for the row that `aggregates` gave."""
    results: list[CheckResult] = []
    for check in checks:
        prefix = f"{check.name}|"
        results += check.verdict({k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix)}, facts)
    return tuple(results)


def row_rules(demands: Demands) -> tuple[RowRule, ...]:
    """Every rule of a contract that one row by itself meets or breaks, in the order in which results name them."""
    of_quality = (quality.row_rule(rule) for rule in demands.rules)
    return (*value_rules.row_rules(demands.values), *(rule for rule in of_quality if rule is not None))
