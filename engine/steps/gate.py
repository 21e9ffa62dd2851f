"""The gate of a candidate: the facts that its checks need, and what they say of its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from ibis.expr.types import Table

from engine.checks import identifiers
from engine.checks.facts import CandidateFacts
from engine.checks.registry import (
    AGAINST_BEFORE,
    CANDIDATE,
    aggregates,
    applicable,
    compared,
    judged,
    judged_against,
)
from engine.core.events import CheckResult
from engine.ledger.projections import versions
from engine.ledger.projections.versions import VersionRow
from engine.segments.compute import Session
from engine.steps.facts import Dataset, Tools


def gate(
    tools: Tools,
    session: Session,
    dataset: Dataset,
    candidate: Table,
    before: VersionRow | None,
    rows_before: Callable[[VersionRow], Table],
) -> tuple[CheckResult, ...]:
    """Judge the rows of a candidate by every check that applies.

    ``rows_before`` gives the rows of the last accepted version; they are only asked for by checks that compare with
    them.
    """
    facts = candidate_facts(tools, dataset, before)
    if before is not None and (lacking := _lacking(facts)):
        facts = replace(facts, before={**facts.before, **_measured(session, rows_before(before), lacking, facts)})
    results = judged(CANDIDATE, session.single(aggregates(CANDIDATE, candidate, facts)), facts)
    return (*results, *_against(session, candidate, before, rows_before, facts))


def candidate_facts(tools: Tools, dataset: Dataset, before: VersionRow | None) -> CandidateFacts:
    """What checks may know: the dataset's rules, and what the ledger remembers of earlier versions."""
    history = dataset.rules.rows.history
    return CandidateFacts(
        schema=dataset.schema,
        allow_empty=dataset.allow_empty,
        rules=dataset.rules,
        demands=dataset.demands,
        promises=dataset.promises,
        now=tools.clock.now(),
        holds_consent=dataset.holds_consent,
        rows_before=before.rows if before else None,
        history=tuple(versions.row_counts(tools.database, dataset.id, history.versions)) if history else (),
        before={check.check: check.metrics for check in before.checks} if before else {},
    )


def _lacking(facts: CandidateFacts) -> tuple[str, ...]:
    """Comparing checks that apply, and of whose columns the version before has not recorded all."""
    columns = set(facts.rules.identifiers.columns)
    names = [c.name for c in applicable(CANDIDATE, facts) if c.name in identifiers.COMPARED]
    return tuple(name for name in names if not columns <= facts.before.get(name, {}).keys())


def _measured(
    session: Session, rows: Table, lacking: tuple[str, ...], facts: CandidateFacts
) -> dict[str, Mapping[str, float]]:
    """The metrics that the version before would have recorded: by the same checks, of its rows."""
    known = tuple(name for name in facts.rules.identifiers.columns if name in rows.columns)
    if not known:
        return {}
    asked = replace(
        facts, before={}, rules=replace(facts.rules, identifiers=replace(facts.rules.identifiers, columns=known))
    )
    checks = tuple(check for check in CANDIDATE if check.name in lacking)
    return {r.check: r.metrics for r in judged(checks, session.single(aggregates(checks, rows, asked)), asked)}


def _against(
    session: Session,
    candidate: Table,
    before: VersionRow | None,
    rows_before: Callable[[VersionRow], Table],
    facts: CandidateFacts,
) -> tuple[CheckResult, ...]:
    if before is None or not any(check.words(facts) for check in AGAINST_BEFORE):
        return judged_against(None, facts)
    rows = rows_before(before)
    if not has_same_key(candidate, rows, facts):
        # Another check blocks such a candidate with a better reason.
        return judged_against(None, facts)
    question = compared(candidate, rows, facts)
    assert question is not None, "a check applies"
    return judged_against(session.single(question), facts)


def has_same_key(after: Table, before: Table, facts: CandidateFacts) -> bool:
    """Whether two versions can be compared row by row."""
    now, then = after.schema(), before.schema()
    return all(
        name in then and now[name].copy(nullable=True) == then[name].copy(nullable=True) for name in facts.schema.key
    )
