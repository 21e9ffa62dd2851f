"""Shares compared exactly: a limit is the decimal number that was written, and nothing is rounded at its boundary."""

from __future__ import annotations

from fractions import Fraction


def exact(limit: float) -> Fraction:
    """The number as somebody wrote it: 0.1 is a tenth."""
    return Fraction(repr(limit))


def is_above(part: int, whole: int, limit: float) -> bool:
    """Whether ``part`` is more than the share ``limit`` of ``whole``."""
    return part > exact(limit) * whole


def share(part: int, whole: int) -> float:
    """``part`` as a share of ``whole``, for people; of nothing it is nothing."""
    return part / whole if whole else 0.0


def counted(of_share: float, whole: int) -> int:
    """The number of rows that `share` came from."""
    return round(of_share * whole)


def percent(limit: float) -> str:
    """A limit for people: ``2 %``."""
    return f"{float(exact(limit) * 100):.6g} %"
