"""How long to wait before another attempt, and when to give up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum


class OnUnknown(StrEnum):
    """What becomes of a record when nobody knows whether a call took effect: sent again, or left for a person."""

    RESEND = "resend"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """At most ``attempts`` sends of one call within ``deadline_seconds``; waits grow from ``base_seconds``."""

    attempts: int = 6
    base_seconds: float = 0.5
    wait_seconds_max: float = 60.0
    deadline_seconds: float = 600.0


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """What a run may repeat of calls that were not answered: a small reserve, and a share of its first attempts.

    So an outage costs the destination little more than the calls that it interrupts.
    """

    tokens: float = 20.0
    share: float = 0.1
    tokens_max: float = 100.0

    def earned(self) -> RetryBudget:
        """After a first attempt."""
        return replace(self, tokens=min(self.tokens_max, self.tokens + self.share))

    def spent(self) -> RetryBudget | None:
        """After a repeat; None when there is nothing left for it."""
        return replace(self, tokens=self.tokens - 1) if self.tokens >= 1 else None


def backoff(policy: RetryPolicy, attempt: int, uniform: Callable[[float, float], float]) -> float:
    """Full jitter: uniform between zero and an exponentially growing ceiling; ``attempt`` counts from 1."""
    # A job may be asked about for days, and a float ends at two to the 1,024th.
    ceiling = min(policy.wait_seconds_max, policy.base_seconds * 2.0 ** min(attempt - 1, 64))
    return uniform(0.0, ceiling)


def wait_seconds(
    policy: RetryPolicy, attempt: int, asked_seconds: float | None, uniform: Callable[[float, float], float]
) -> float:
    """The wait after a failed attempt: never shorter than the destination asked, spread so that callers part."""
    own = backoff(policy, attempt, uniform)
    if asked_seconds is None:
        return own
    return asked_seconds + uniform(0.0, min(1.0, 0.1 * asked_seconds + 0.05))
