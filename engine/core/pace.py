"""How fast calls may leave for an account: a pace that everybody who uses it shares, in slices.

Times are seconds of one clock that all sharers read: the database's. A declared pace is a ceiling. Below it, or where
none is declared, the pace is learned: a throttled call cuts it, and from then on it is a function of time alone, which
climbs back, stays long near the pace at which it was cut, and then probes for more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

SLICE_SECONDS = 0.5
"""How much of an account's time is given at once: few enough queries, and little that a crash wastes."""
HEADROOM = 0.98
"""The share of a declared pace that is used: clocks and networks jitter, and a window is counted by the other side."""
KEPT = 0.9
"""The share of the pace that is kept after a throttled call."""
AIMED = 0.97
"""The share of a pace at which a call was throttled that is aimed at from then on; beyond it lies probing."""
KEPT_SOON, AIMED_SOON = 0.6, 0.85
SOON_SECONDS = 2.0
"""What is kept and aimed at when a pace that was cut so shortly before is still too fast: then it is far above the limit."""
PLATEAU_SECONDS = 20.0
"""How long after a cut the pace takes to come back to what is aimed at."""
DOUBLING_SECONDS = 1.0
"""While it is not known where an account throttles, the pace doubles in this time."""
SAME_CUT_SECONDS = 0.5
"""Throttled calls so soon after a cut were on their way already and tell nothing new."""
RATE_MIN = 0.1
BACK_SECONDS_MAX = 1.0
"""A clock that goes back further was set; between hosts that read one clock less may be a matter of order."""


@dataclass(frozen=True, slots=True)
class Pace:
    """``units`` (calls, records or bytes) per ``seconds``."""

    units: float
    seconds: float

    @property
    def rate(self) -> float:
        """Units per second."""
        return self.units / self.seconds


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is known of an account: when its next unit may leave, until when it asked for silence, what was learned.

    ``learned`` is the pace right after the cut at ``learned_at``, in units per second; ``ceiling`` is what is aimed at, or
    None while it was never the pace's own doing that a call was throttled.
    """

    free_at: float = 0.0
    held_until: float = 0.0
    learned: float | None = None
    ceiling: float | None = None
    learned_at: float = 0.0
    seen_at: float = 0.0
    """When it was looked at last, by the same clock: shows that the clock was set back."""


IDLE = Allowance()


@dataclass(frozen=True, slots=True)
class Slice:
    """From ``starts_in`` seconds on, ``units`` may leave, ``interval`` seconds apart, within ``lasts`` seconds.

    ``suspect`` says that calls went unanswered of late, so that the next answer is worth telling. ``at`` is when it was given,
    by the clock that all sharers read.
    """

    starts_in: float
    units: float
    interval: float
    lasts: float
    at: float = 0.0
    suspect: bool = False
    day: float = 0.0
    """When the day ends of whose quota the units are, where there is one."""
    is_probe: bool = False
    """It asks an account whose circuit is open whether it answers again."""


def rate(allowance: Allowance, declared: Pace | None, now: float) -> float | None:
    """Units per second at this moment; None when nothing limits them."""
    ceiling = declared.rate * HEADROOM if declared else None
    if allowance.learned is None:
        return ceiling
    since = max(0.0, now - allowance.learned_at)
    if allowance.ceiling is None:
        found = allowance.learned * math.pow(2.0, min(since / DOUBLING_SECONDS, 64.0))
    else:
        found = _climbed(allowance.learned, allowance.ceiling, since)
    found = max(found, RATE_MIN)
    return found if ceiling is None else min(found, ceiling)


def learned_rate(allowance: Allowance, declared: Pace | None, now: float) -> float | None:
    """Units per second while throttled calls keep them below the declared pace, else below the one that was too fast."""
    found = rate(allowance, declared, now)
    if allowance.learned is None or found is None:
        return None
    if declared is not None:
        return found if found < declared.rate * HEADROOM else None
    too_fast = 2 * allowance.learned if allowance.ceiling is None else allowance.ceiling / AIMED
    return found if found < too_fast else None


def _climbed(low: float, ceiling: float, since: float) -> float:
    """A cubic from ``low``, flat at ``ceiling`` after `PLATEAU_SECONDS`, as in RFC 9438."""
    bend = (since - PLATEAU_SECONDS) / PLATEAU_SECONDS
    return ceiling + (ceiling - low) * bend**3


def sliced(
    allowance: Allowance, declared: Pace | None, now: float, units: float, most: float = math.inf
) -> tuple[Allowance, Slice]:
    """The next slice of ``units`` to ``most``, and what is left; slices follow one another and never overlap."""
    allowance = _seen(allowance, now)
    speed = rate(allowance, declared, now)
    start = max(allowance.free_at, allowance.held_until, now)
    if speed is None:
        return replace(allowance, free_at=start), Slice(start - now, most, 0.0, SLICE_SECONDS, now)
    # Whole calls: a slice that ends in half of one is used that much less.
    given = max(units, min(most, units * math.floor(speed * SLICE_SECONDS / units)))
    lasts = given / speed
    return replace(allowance, free_at=start + lasts), Slice(start - now, given, 1.0 / speed, lasts, now)


def next_start(allowance: Allowance, now: float) -> float:
    """When the next slice starts."""
    allowance = _seen(allowance, now)
    return max(allowance.free_at, allowance.held_until, allowance.seen_at)


def tells(allowance: Allowance, now: float) -> bool:
    """Whether a call that is throttled now is news: those on their way at the last cut, or in a silence, are not."""
    now = max(now, allowance.seen_at)
    return allowance.learned is None or now >= max(allowance.held_until, allowance.learned_at + SAME_CUT_SECONDS)


def throttled(
    allowance: Allowance,
    declared: Pace | None,
    now: float,
    observed: float,
    wait_seconds: float,
    *,
    refuses_all: bool = False,
) -> Allowance:
    """After a throttled call: a slower pace, and silence for as long as was asked.

    ``observed`` is how many units per second the caller sent of late, for the case that nothing paced it. ``refuses_all``
    when no call was taken since the last cut: then it is not the pace that is refused, and the one that was cut stays.
    """
    allowance = _seen(allowance, now)
    quiet = held(allowance, now, wait_seconds)
    if not tells(allowance, now) or (refuses_all and allowance.learned is not None):
        return quiet
    speed = rate(allowance, declared, now)
    if speed is None:
        low, ceiling = max(RATE_MIN, observed / 2), None
    else:
        is_soon = allowance.learned is not None and now < allowance.learned_at + SOON_SECONDS
        kept, aimed = (KEPT_SOON, AIMED_SOON) if is_soon else (KEPT, AIMED)
        low, ceiling = max(RATE_MIN, speed * kept), speed * aimed
    return replace(quiet, learned=low, ceiling=ceiling, learned_at=max(now, quiet.held_until), free_at=now)


def held(allowance: Allowance, now: float, wait_seconds: float) -> Allowance:
    """The allowance when nothing may leave for a while."""
    allowance = _seen(allowance, now)
    return replace(allowance, held_until=max(allowance.held_until, now + wait_seconds))


def _seen(allowance: Allowance, now: float) -> Allowance:
    """The allowance as of now; where the clock was set back, its times go back with it."""
    back = allowance.seen_at - now
    if back <= BACK_SECONDS_MAX:
        return replace(allowance, seen_at=max(now, allowance.seen_at))
    return replace(
        allowance,
        free_at=allowance.free_at - back,
        held_until=allowance.held_until - back,
        learned_at=allowance.learned_at - back,
        seen_at=now,
    )
