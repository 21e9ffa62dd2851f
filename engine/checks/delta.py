"""The blast radius of a plan: how much of what is held it would delete."""

from __future__ import annotations

from engine.checks.rules import ChangeLimit
from engine.core.events import CheckResult
from engine.core.verdict import passed

NAME = "delta.deletes"


def deletes(gone: int, held: int, limit: ChangeLimit) -> CheckResult:
    """Judge deletes of rows that are gone; removals for consent are owed to people and do not count."""
    numbers = {"deletes": gone, "held": held}
    share = gone / held if held else 0.0
    if limit.max is not None and gone > limit.max:
        return CheckResult(NAME, limit.on_fail.value, f"{gone:,} deletes are more than {limit.max:,}", numbers)
    if limit.max_ratio is not None and share > limit.max_ratio:
        message = f"{gone:,} deletes are {share:.1%} of the {held:,} records held, more than {limit.max_ratio:.1%}"
        return CheckResult(NAME, limit.on_fail.value, message, numbers)
    return passed(NAME, f"{gone:,} deletes of {held:,} records held", numbers)
