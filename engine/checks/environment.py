"""Where a plan may be sent: a destination belongs to environments, and no other may use it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ibis.expr.types import Scalar, Table

from engine.checks.facts import PlanFacts
from engine.core.events import CheckResult
from engine.core.verdict import blocked, passed

NAME = "environment"


def words(facts: PlanFacts) -> Sequence[str]:
    """Where the destination may be used."""
    if facts.environments is None:
        return (f"{facts.destination} may be used in every environment",)
    return (f"{facts.destination} may be used in {', '.join(facts.environments)}",)


def metrics(table: Table, facts: PlanFacts) -> Mapping[str, Scalar]:
    """Nothing of the rows."""
    del table, facts
    return {}


def verdict(values: Mapping[str, Any], facts: PlanFacts) -> Sequence[CheckResult]:
    """A destination of other environments gets nothing from this one."""
    del values
    if facts.environments is not None and facts.environment not in facts.environments:
        allowed = ", ".join(facts.environments)
        return [blocked(NAME, f"{facts.destination} may be used in {allowed}, and this is {facts.environment}")]
    return [passed(NAME, f"{facts.destination} may be used in {facts.environment}")]
