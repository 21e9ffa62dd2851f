"""Rows of a refused candidate that are kept for people to look at: a few for each rule, and of each what tells why."""

from __future__ import annotations

from collections.abc import Sequence

from engine.checks.facts import CandidateFacts
from engine.checks.failing import first_of_each
from engine.checks.registry import rules_of_candidates
from engine.core.events import CheckResult
from engine.core.names import SegmentRef
from engine.core.verdict import Verdict, paired
from engine.ledger.projections.versions import VersionRow
from engine.segments.compute import Session
from engine.steps.facts import Dataset, Tools
from engine.steps.gate import candidate_facts, has_same_key
from engine.steps.snapshots import snapshot_table, version_folder

FAILING_MAX = 20
"""Rows that are kept for each rule."""


def keep_failing(
    tools: Tools,
    session: Session,
    dataset: Dataset,
    before: VersionRow | None,
    ref: SegmentRef,
    checks: Sequence[CheckResult],
) -> SegmentRef | None:
    """Write the first rows of a candidate that break each rule that it did not pass; None where no row does.

    Their subject columns are kept as well, by which they are found when somebody is to be forgotten.
    """
    facts, after = candidate_facts(tools, dataset, before), session.table(tools.storage.local(ref))
    unmet = _unmet(facts, checks)
    earlier = None if before is None else snapshot_table(tools, session, dataset.id, before.version)
    if earlier is not None and not has_same_key(after, earlier, facts):
        earlier = None
    rows = first_of_each(facts, unmet, after, earlier, dataset.subjects, FAILING_MAX)
    if rows is None:
        return None
    number = (before.version if before else 0) + 1
    with tools.storage.writing(version_folder(dataset.id), f"{number:08d}-failing") as draft:
        session.write(rows, draft.local)
    if draft.ref.rows:
        return draft.ref
    tools.storage.remove(draft.ref)
    return None


def _unmet(facts: CandidateFacts, checks: Sequence[CheckResult]) -> set[tuple[str, int]]:
    """The rules that were not passed: the name of a check, and the place among its rules."""
    unmet = set[tuple[str, int]]()
    for name, words in rules_of_candidates(facts):
        if words and (results := [check for check in checks if check.check == name]):
            told = enumerate(paired(words, results))
            unmet |= {(name, place) for place, result in told if result.verdict != Verdict.PASS.value}
    return unmet
