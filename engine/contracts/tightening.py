"""Whether what a contract demands of single values became stricter: every value that meets the one meets the other too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from engine.core.value_rules import Enumeration, Length, Multiple, Range, Value, ValueDemand

End: TypeAlias = tuple[Value | None, bool]
"""An end of a range, None where there is none, and whether it is open."""


def is_tighter(new: ValueDemand, old: ValueDemand) -> bool:
    """Whether that is certain; patterns and formats are compared by their words only."""
    if new == old:
        return True
    if isinstance(new, Length) and isinstance(old, Length):
        return new.least >= old.least and (old.most is None or (new.most is not None and new.most <= old.most))
    if isinstance(new, Range) and isinstance(old, Range):
        low = _inside((new.low, new.low_open), (old.low, old.low_open), lambda one, other: one > other)
        return low and _inside((new.high, new.high_open), (old.high, old.high_open), lambda one, other: one < other)
    if isinstance(new, Multiple) and isinstance(old, Multiple):
        return new.of % old.of == 0
    if isinstance(new, Enumeration) and isinstance(old, Enumeration):
        return set(new.values) <= set(old.values)
    return False


def _inside(new: End, old: End, is_within: Callable[[Any, Any], bool]) -> bool:
    """Whether an end of a range, and whether it is open, moved inwards, or stays and leaves out no less."""
    (now, now_open), (was, was_open) = new, old
    if was is None or now is None:
        return was is None
    return now_open or not was_open if now == was else is_within(now, was)
