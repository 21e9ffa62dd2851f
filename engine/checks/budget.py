"""How many calls and records a plan needs, before the first of them leaves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ibis.expr.types import Scalar, Table

from engine.checks.facts import PlanFacts
from engine.core.consent_rule import REMOVING
from engine.core.effort import calls_for
from engine.core.events import CheckResult
from engine.core.plan import is_owed_to_people
from engine.core.verdict import Verdict, failed, passed

NAME = "budget"


def words(facts: PlanFacts) -> Sequence[str]:
    """What a run may need, and whether the destination's day is asked."""
    budget, parts = facts.rules.budget, []
    if budget is not None:
        said = {"calls": budget.requests, "records": budget.records}
        parts = [f"at most {most:,} {unit} a run" for unit, most in said.items() if most is not None]
    if facts.left_today:
        parts.append(f"within what is left of the day of {facts.destination}")
    return (", ".join(parts),) if parts else ()


def metrics(plan: Table, facts: PlanFacts) -> Mapping[str, Scalar]:
    """Rows by the runs of one operation in which they leave: removals for consent, what is sent, other deletes."""
    del facts
    removal = plan["op"].isin(REMOVING)
    owed = is_owed_to_people(plan)
    kinds = {"first": removal & owed, "sent": ~removal, "last": removal & ~owed}
    return {name: plan.count(where=kind) for name, kind in kinds.items()}


def verdict(values: Mapping[str, Any], facts: PlanFacts) -> Sequence[CheckResult]:
    """More than a run may need gets the declared action; a day that is too short without one is only told."""
    budget = facts.rules.budget
    runs = [int(values[name]) for name in ("first", "sent", "last")]
    records, calls = sum(runs), calls_for(runs, facts.per_call(sum(runs)))
    numbers = {"requests": calls, "records": records}
    said = f"at least {calls:,} calls for {records:,} records"
    over = list(_over_limits(numbers, facts))
    if over:
        assert budget is not None, "it has the limits"
        return [failed(NAME, budget.on_fail, f"{said}, more than {' and '.join(over)}", numbers)]
    short = [
        f"{left:,} {unit} are left of the day of {facts.destination}"
        for unit, left in facts.left_today.items()
        if numbers[unit] > left
    ]
    if short:
        action = budget.on_fail if budget else Verdict.WARN
        return [failed(NAME, action, f"{said}, and only {' and '.join(short)}; the rest waits for the next", numbers)]
    return [passed(NAME, said, numbers)]


def _over_limits(numbers: Mapping[str, int], facts: PlanFacts) -> Iterator[str]:
    budget = facts.rules.budget
    if budget is not None and budget.requests is not None and numbers["requests"] > budget.requests:
        yield f"{budget.requests:,} calls"
    if budget is not None and budget.records is not None and numbers["records"] > budget.records:
        yield f"{budget.records:,} records"
