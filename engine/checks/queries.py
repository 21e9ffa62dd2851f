"""The queries of a contract's quality rules, judged by the number that each gave."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from engine.checks.facts import CandidateFacts
from engine.checks.severity import unmet
from engine.core.demands import QueryRule, meets
from engine.core.events import CheckResult
from engine.core.verdict import passed

NAME = "contract.queries"


def words(facts: CandidateFacts) -> Sequence[str]:
    """Each rule as it is said when it is not met."""
    return tuple(f"{rule.label}: its query {rule.threshold} ({rule.severity})" for rule in facts.demands.queries)


def gave_number(rule: QueryRule, found: Fraction) -> CheckResult:
    """The result of a rule whose query gave a number, which is shown only when it counts."""
    numbers = {"value": float(found)} if rule.counts else {}
    shown = _shown(found) if rule.counts else "a number"
    if meets(found, rule.threshold):
        return passed(NAME, f"{rule.label}: the query gave {shown}", numbers)
    message = f"quality rule {rule.label}: the query gave {shown}, and it {rule.threshold}"
    return unmet(NAME, rule.severity, rule.action, message, numbers)


def gave_none(rule: QueryRule, why: str) -> CheckResult:
    """The result of a rule whose query gave no number: what cannot be judged is not met."""
    return unmet(NAME, rule.severity, rule.action, f"quality rule {rule.label}: the query {why}")


def _shown(number: Fraction) -> str:
    return f"{number.numerator:,}" if number.denominator == 1 else f"{float(number):,.6g}"
