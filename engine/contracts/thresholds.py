"""What a quality rule demands of what it measures: one operator with its bounds, and what follows when it is not met."""

from __future__ import annotations

from engine.contracts.finding import Finding, KeyPath
from engine.contracts.places import Written
from engine.contracts.values import number
from engine.core.demands import Operator, Severity, Threshold

_BETWEEN = (Operator.BETWEEN, Operator.NOT_BETWEEN)


def read_threshold(written: Written, label: str, at: KeyPath) -> Threshold | Finding:
    """The one operator of a rule with its bounds."""
    found = [operator for operator in Operator if written.get(operator) is not None]
    if len(found) != 1:
        how = f"{len(found)} operators" if found else "no operator"
        hint = "a range is `mustBeBetween`" if found else "such as `mustBe: 0`"
        code = "bad_value" if found else "missing_key"
        return Finding(code, f"the quality rule {label} has {how}, and needs one", hint, at)
    (operator,) = found
    value = written[operator]
    several = operator in _BETWEEN
    items = value if several and isinstance(value, list) else [value]
    bounds = tuple(bound for bound in map(number, items) if bound is not None)
    if len(bounds) != len(items) or len(bounds) != (2 if several else 1):
        needs = "two numbers" if several else "a number"
        return Finding("wrong_type", f"`{operator}` of the quality rule {label} must be {needs}", "", (*at, operator))
    if several and bounds[0] >= bounds[1]:
        message = f"`{operator}` of the quality rule {label} must have the smaller number first"
        return Finding("out_of_range", message, "", (*at, operator))
    return Threshold(operator, bounds)


def severity(written: Written) -> Severity:
    """What a rule that is not met does; whatever the contract does not call harmless in a known word blocks."""
    word = str(written.get("severity") or "").strip().lower()
    return Severity(word) if word in list(Severity) else Severity.ERROR
