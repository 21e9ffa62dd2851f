"""What follows when a rule with a severity is not met."""

from __future__ import annotations

from collections.abc import Mapping
from typing import assert_never

from engine.core.demands import Action, Severity
from engine.core.events import CheckResult
from engine.core.verdict import Verdict, failed, passed, warned

_VERDICTS = {
    Action.BLOCK: Verdict.BLOCK,
    Action.REVIEW: Verdict.HOLD,
    Action.QUARANTINE: Verdict.QUARANTINE,
}


def unmet(
    check: str, severity: Severity, action: Action, message: str, numbers: Mapping[str, float] | None = None
) -> CheckResult:
    """The result of a rule that is not met: it stands in the record, warns, or takes its action."""
    match severity:
        case Severity.INFO:
            return passed(check, f"{message}; it is only recorded", numbers)
        case Severity.WARNING:
            return warned(check, message, numbers)
        case Severity.ERROR:
            return failed(check, _VERDICTS[action], message, numbers)
        case _:
            assert_never(severity)
