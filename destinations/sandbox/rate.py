"""How fast calls may come: a bucket that fills steadily and holds a small burst."""

from __future__ import annotations

from dataclasses import dataclass

BURST = 10
"""Calls that may come at once after a pause, whatever the rate."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """``tokens`` calls could come at once at ``at``, in seconds of a clock that never goes back."""

    tokens: float
    at: float


def full(now: float) -> Bucket:
    """The bucket before the first call."""
    return Bucket(BURST, now)


def admitted(bucket: Bucket, per_second: float, now: float) -> tuple[Bucket, float]:
    """The bucket after a call at ``now``, and how many seconds the call is too early; 0 lets it in.

    A call that is too early takes nothing.
    """
    tokens = min(float(BURST), bucket.tokens + (now - bucket.at) * per_second)
    if tokens < 1:
        return Bucket(tokens, now), (1 - tokens) / per_second
    return Bucket(tokens - 1, now), 0.0
