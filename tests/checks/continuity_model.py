"""What the checks against the version before measure, told row by row in plain Python."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]


def match_rate(after: Sequence[Row], before: Sequence[Row], name: str) -> float:
    """The share of earlier values that are still there; of none, all are."""
    earlier = {row[name] for row in before} - {None}
    return len(earlier & {row[name] for row in after}) / len(earlier) if earlier else 1.0


def rekeyed(after: Sequence[Row], before: Sequence[Row], name: str, key: str = "id") -> int:
    """Rows whose key stayed while the identifier changed from one value to another, or the other way round."""
    was = {row[key]: row[name] for row in before}
    gone = {value for id, value in was.items() if id not in {row[key] for row in after}} - {None}
    return sum(
        (row[name] != was[row[key]] and None not in (row[name], was[row[key]]))
        if row[key] in was
        else row[name] in gone
        for row in after
    )


def new_values(after: Sequence[Row], before: Sequence[Row], name: str) -> tuple[int, int]:
    """How many values the version before did not know, and how many rows hold one."""
    known = {row[name] for row in before} | {None}
    found = [row[name] for row in after if row[name] not in known]
    return len(set(found)), len(found)
