"""Of how many rows the subject consents: a register that was read half takes consent from everybody else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from ibis.expr.types import Scalar, Table

from engine.checks.facts import Coverage, PlanFacts
from engine.checks.shares import exact, percent, share
from engine.core.events import CheckResult
from engine.core.verdict import failed, passed

NAME = "consent.coverage"


def words(facts: PlanFacts) -> Sequence[str]:
    """The floor, and the step from the plan before; without either the share is recorded."""
    if not facts.asks_consent:
        return ()
    limit = facts.rules.consent
    if limit is None:
        return ("the share of rows whose subject consents is recorded",)
    parts = [] if limit.min is None else [f"at least {percent(limit.min)} of the rows"]
    parts += [] if limit.max_drop is None else [f"at most {percent(limit.max_drop)} of the rows less than before"]
    return (f"subjects consent: {' and '.join(parts)}",)


def metrics(plan: Table, facts: PlanFacts) -> Mapping[str, Scalar]:
    """Nothing of the plan: who does not consent is not in it."""
    del plan, facts
    return {}


def verdict(values: Mapping[str, Any], facts: PlanFacts) -> Sequence[CheckResult]:
    """Too little consent, or too much less than before; of no rows there is no share."""
    del values
    found, limit = facts.coverage, facts.rules.consent
    assert found is not None, "the rows were counted"
    numbers = {"rows": found.rows, "consenting": found.consenting, "share": share(found.consenting, found.rows)}
    said = f"subjects of {found.consenting:,} of {found.rows:,} rows consent ({numbers['share']:.1%})"
    if limit is None or not found.rows:
        return [passed(NAME, said, numbers)]
    if limit.min is not None and _exactly(found) < exact(limit.min):
        return [failed(NAME, limit.on_fail, f"{said}, fewer than {limit.min:.1%}", numbers)]
    before = facts.coverage_before
    if limit.max_drop is not None and before is not None and _exactly(before) - _exactly(found) > exact(limit.max_drop):
        then = f"{share(before.consenting, before.rows):.1%} before"
        return [failed(NAME, limit.on_fail, f"{said}, down from {then} by more than {limit.max_drop:.1%}", numbers)]
    return [passed(NAME, said, numbers)]


def _exactly(found: Coverage) -> Fraction:
    return Fraction(found.consenting, found.rows) if found.rows else Fraction(0)
