"""The gate of a plan: what its sync asks of it, and what it is judged by beside its own rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ibis.expr.types import Table

from engine.checks import coverage, delta
from engine.checks.facts import Coverage, PlanFacts
from engine.checks.registry import IDENTITIES, PLAN, aggregates, judged
from engine.core.events import CheckResult, StateFolded
from engine.core.verdict import Verdict, failed
from engine.ledger.projections import runs
from engine.segments.compute import Session
from engine.steps.deliver import account_budget
from engine.steps.facts import Sync, Tools

APPROVAL = "environment.approval"
EVERY_PLAN = "this environment wants every plan approved"


def plan_facts(sync: Sync) -> PlanFacts:
    """What a sync asks of its plans; nothing is looked up."""
    return PlanFacts(
        match_columns=tuple(part.column for part in sync.mapping.match),
        destination=sync.target.name,
        environment=sync.target.environment,
        environments=sync.target.environments,
        per_call=lambda records: sync.target.limits_for(records).records,
        rules=sync.gates,
        asks_consent=sync.mapping.consent is not None,
        left_today=dict.fromkeys(sync.target.quotas, 0),
    )


def judged_identities(session: Session, sync: Sync, identities: Table) -> tuple[CheckResult, ...]:
    """Whether a plan may be made at all of a version with these ids."""
    facts = plan_facts(sync)
    return judged(IDENTITIES, session.single(aggregates(IDENTITIES, identities, facts)), facts)


def judged_plan(
    tools: Tools, session: Session, sync: Sync, state: StateFolded | None, held: Table, written: Table, now: Coverage
) -> tuple[CheckResult, ...]:
    """Whether a plan that was written may be sent. ``held`` is the delivered state, which is looked at when it counts."""
    facts = replace(
        plan_facts(sync),
        coverage=now,
        coverage_before=coverage_before(tools, state),
        left_today=_left_today(tools, sync),
    )
    row = session.single(aggregates(PLAN, written, facts))
    if delta.asks_share(row, facts):
        found = session.single(held.aggregate(n=held.count(where=held.acked | held.unknown)))
        facts = replace(facts, held=int(found["n"]))
    results = judged(PLAN, row, facts)
    return (*results, failed(APPROVAL, Verdict.HOLD, EVERY_PLAN)) if sync.require_approval else results


def coverage_before(tools: Tools, state: StateFolded | None) -> Coverage | None:
    """Of the plan whose end is the delivered state: one that was held or blocked since is no measure."""
    found = next(iter(coverage_found(tools, state)), None)
    return None if found is None else Coverage(int(found.metrics["rows"]), int(found.metrics["consenting"]))


def coverage_found(tools: Tools, state: StateFolded | None) -> list[CheckResult]:
    """The same as it was recorded; a plan of some records only hands it on, for it measures none itself."""
    run = runs.get(tools.database, state.run) if state else None
    return [check for check in run.checks if check.check == coverage.NAME] if run else []


def _left_today(tools: Tools, sync: Sync) -> Mapping[str, int]:
    if not sync.target.quotas:
        return {}
    days = account_budget(tools, sync).standing().days
    return {unit: max(0, int(day.quota.units - day.used)) for unit, day in days.items()}
