"""What a quality rule does when it is not met, by the custom properties that ODCS leaves to its tools.

`tidegate.review: true` lets the version wait for a person instead of blocking it, `tidegate.quarantine: true` sets aside
just the rows that break the rule. A rule that says neither does as its column or its table says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.contracts.finding import Finding, KeyPath, nearest
from engine.contracts.places import Written
from engine.core.demands import Action, Severity

REVIEW = "tidegate.review"
QUARANTINE = "tidegate.quarantine"
OF_A_RULE = (QUARANTINE, REVIEW)


@dataclass(frozen=True, slots=True)
class SettingAside:
    """Whether a rule can set rows aside, and whether its place asks for it; ``impossible`` says why it cannot."""

    impossible: str = "counts no rows that could be set aside"
    by_default: bool = False


NEVER = SettingAside()


def rule_action(
    written: Written,
    label: str,
    severity: Severity,
    at: KeyPath,
    findings: list[Finding],
    setting_aside: SettingAside = NEVER,
) -> Action:
    """The action of a quality rule; what is wrong with how it is written goes to ``findings``."""
    said = {name: (value, path) for name, value, path in own_properties(written, at)}
    for name, (value, path) in said.items():
        if name not in OF_A_RULE:
            message = f"the quality rule {label} has an unknown property `{name}`"
            findings.append(Finding("unknown_key", message, nearest(name, OF_A_RULE), path))
        elif not isinstance(value, bool):
            findings.append(Finding("wrong_type", f"`{name}` must be true or false", "", path))
    asked = [name for name in OF_A_RULE if said.get(name, (False, at))[0] is True]
    for name in asked:
        findings += _nonsense(name, label, severity, said[name][1], setting_aside)
    if len(asked) > 1:
        message = f"the quality rule {label} asks for `{REVIEW}` and for `{QUARANTINE}`"
        findings.append(Finding("bad_value", message, "keep one of the two", said[REVIEW][1]))
    if REVIEW in asked:
        return Action.REVIEW
    by_default = setting_aside.by_default and not setting_aside.impossible and QUARANTINE not in said
    if severity is Severity.ERROR and (QUARANTINE in asked or by_default):
        return Action.QUARANTINE
    return Action.BLOCK


def _nonsense(name: str, label: str, severity: Severity, path: KeyPath, setting_aside: SettingAside) -> list[Finding]:
    if severity is not Severity.ERROR:
        message = f"the quality rule {label} is of severity {severity} and so stops nothing, and `{name}` says it does"
        return [Finding("bad_value", message, "keep one of the two", path)]
    if name == QUARANTINE and setting_aside.impossible:
        message = f"the quality rule {label} cannot have `{QUARANTINE}`: it {setting_aside.impossible}"
        return [Finding("bad_value", message, f"`{REVIEW}` lets the version wait for a person", path)]
    return []


def own_properties(written: Written, at: KeyPath) -> list[tuple[str, Any, KeyPath]]:
    """Tidegate's own custom properties of something, each with its value and where it stands."""
    return [
        (str(custom["property"]), custom.get("value"), (*at, "customProperties", index))
        for index, custom in enumerate(written.get("customProperties") or ())
        if isinstance(custom, Mapping) and str(custom.get("property")).startswith("tidegate.")
    ]
