"""What a rule of a contract does when it is not met, by the custom properties that ODCS leaves to its tools.

`tidegate.review: true` at a quality rule lets the version wait for a person instead of blocking it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.contracts.finding import Finding, KeyPath, nearest
from engine.contracts.places import Written
from engine.core.demands import Action, Severity

REVIEW = "tidegate.review"
OF_A_RULE = (REVIEW,)


def rule_action(written: Written, label: str, severity: Severity, at: KeyPath, findings: list[Finding]) -> Action:
    """The action of a quality rule; what is wrong with how it is written goes to ``findings``."""
    said = {name: (value, path) for name, value, path in _own(written, at)}
    for name, (value, path) in said.items():
        if name not in OF_A_RULE:
            message = f"the quality rule {label} has an unknown property `{name}`"
            findings.append(Finding("unknown_key", message, nearest(name, OF_A_RULE), path))
        elif not isinstance(value, bool):
            findings.append(Finding("wrong_type", f"`{name}` must be true or false", "", path))
    value, path = said.get(REVIEW, (False, at))
    if value is not True:
        return Action.BLOCK
    if severity is not Severity.ERROR:
        message = (
            f"the quality rule {label} is of severity {severity} and so stops nothing, and `{REVIEW}` says it does"
        )
        findings.append(Finding("bad_value", message, "keep one of the two", path))
    return Action.REVIEW


def _own(written: Written, at: KeyPath) -> list[tuple[str, Any, KeyPath]]:
    """Tidegate's own custom properties of something, each with its value and where it stands."""
    return [
        (str(custom["property"]), custom.get("value"), (*at, "customProperties", index))
        for index, custom in enumerate(written.get("customProperties") or ())
        if isinstance(custom, Mapping) and str(custom.get("property")).startswith("tidegate.")
    ]
