"""Ask the queries of a contract about a candidate: one session that is locked in, one query after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from engine.checks.queries import gave_none, gave_number
from engine.core.demands import QueryRule
from engine.core.events import CheckResult
from engine.segments.compute import Compute
from engine.segments.sandbox import NoNumber, candidate_sandbox


def asked(compute: Compute, path: Path, rules: Sequence[QueryRule], seconds_max: float) -> tuple[CheckResult, ...]:
    """The result of every query over the rows in ``path``; none may take longer than ``seconds_max``."""
    if not rules:
        return ()
    results = []
    with candidate_sandbox(compute, path) as sandbox:
        for rule in rules:
            found = sandbox.number(rule.query, seconds_max=seconds_max)
            results.append(gave_none(rule, found.why) if isinstance(found, NoNumber) else gave_number(rule, found))
    return tuple(results)
