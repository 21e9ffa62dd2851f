"""How much may leave for an account in a day, and how much of that is left; a day ends at a time of its own zone.

Times are seconds since 1970 of one clock that all sharers read: the database's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

LEASED_SHARE_MAX = 0.01
"""The share of a quota that is leased at once at the most: little that a crash wastes where no pace bounds it."""
LEFT_SHARE_MAX = 0.125
"""The share of what is left that is leased at once, so that the last of it is not all with one who is slow."""


@dataclass(frozen=True, slots=True)
class Quota:
    """``units`` from one ``resets`` to the next, a time of day in ``zone``."""

    units: float
    resets: time
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Use:
    """What was leased of the day that ends at ``ends``; a unit that is leased counts as used until it is returned."""

    used: float = 0.0
    ends: float = 0.0


NOTHING_USED = Use()


@dataclass(frozen=True, slots=True)
class Unused:
    """Units that were leased of the day that ends at ``day`` and will not be sent."""

    units: float = 0.0
    day: float = 0.0


NOTHING_UNUSED = Unused()


@dataclass(frozen=True, slots=True)
class UsedUp:
    """Nothing more may leave before ``resets_at``."""

    quota: Quota
    resets_at: float


def next_reset(quota: Quota, now: float) -> float:
    """The first reset after ``now``.

    A time of day that a zone skips is taken as if its clocks had not been put forward yet, and one that comes twice is
    the first of the two: so every day has one reset.
    """
    today = datetime.fromtimestamp(now, quota.zone).date()
    resets = (_moment(quota, today + timedelta(days=n)) for n in (-1, 0, 1, 2))
    return min(moment for moment in resets if moment > now)


def _moment(quota: Quota, day: date) -> float:
    return datetime.combine(day, quota.resets, quota.zone).timestamp()


def current(use: Use, quota: Quota, now: float) -> Use:
    """The use of the day that ``now`` is in.

    A clock that goes back, or a reset that is moved, never gives units back: what was used goes on counting, until the
    nearest reset.
    """
    ends = next_reset(quota, now)
    return Use(0.0, ends) if now >= use.ends else replace(use, ends=min(use.ends, ends))


def returned(use: Use, unused: Unused) -> Use:
    """The use after units came back; those of another day change nothing."""
    return replace(use, used=max(0.0, use.used - unused.units)) if unused.day == use.ends else use


def lease(use: Use, quota: Quota, units: float) -> float:
    """The most that may be leased at once by one who needs ``units``; 0 when so much is not left."""
    left = quota.units - use.used
    if left < units:
        return 0.0
    return max(units, float(math.floor(min(LEASED_SHARE_MAX * quota.units, LEFT_SHARE_MAX * left))))


def used_up(unit: str, spent: UsedUp) -> str:
    """One sentence on what is over, and until when."""
    return f"the daily quota of {spent.quota.units:,.0f} {unit} is used up; it resets at {moment(spent.resets_at)}"


def moment(seconds: float) -> str:
    """``2026-01-02T03:04:05Z``."""
    return datetime.fromtimestamp(math.ceil(seconds), UTC).isoformat().removesuffix("+00:00") + "Z"
