"""The circuit of an account: after refusals in a row nothing is sent, then one probe at a time, then all again.

Times are seconds of the clock that all users of the account share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

FAILURES_MAX = 10
"""Unanswered, failing or throttled calls in a row, over all users of the account, that open the circuit."""
THROTTLED_WEIGHT = 3
"""A throttled call that cuts the pace counts like so many: it stands for all that were throttled in the same moment."""
COOL_SECONDS = 3.0
COOL_GROWTH = 1.05
"""By how much the pause before each probe is longer than the one before: so the end of an outage is noticed within about a
twentieth of the time that it took, and an hour of it costs some ninety probes."""
COOL_SECONDS_MAX = 300.0
_GROWN_MAX = 128
"""After so many probes the pause is as long as it gets."""
PROBE_SECONDS_MAX = 60.0
"""How long one caller may probe before another may."""
ASK_AGAIN_SECONDS = 1.0
"""When those ask again who find that somebody else is probing."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """``failures`` in a row, and how often in a row it ``opened`` (0: closed).

    An open one admits a probe from ``probe_at`` on, and nobody else until ``probing_until``.
    """

    failures: int = 0
    opened: int = 0
    probe_at: float = 0.0
    probing_until: float = 0.0

    @property
    def is_open(self) -> bool:
        return self.opened > 0


CLOSED = Circuit()


@dataclass(frozen=True, slots=True)
class Shut:
    """Nothing may leave for ``wait_seconds``."""

    wait_seconds: float


def wait_seconds(circuit: Circuit, now: float) -> float:
    """How long a caller must wait; 0 lets it call."""
    if not circuit.is_open:
        return 0.0
    if now < circuit.probe_at:
        return min(circuit.probe_at - now, COOL_SECONDS_MAX)
    return ASK_AGAIN_SECONDS if now < circuit.probing_until else 0.0


def entered(circuit: Circuit, now: float) -> Circuit:
    """The circuit once a caller that need not wait begins: in an open one it is the probe."""
    return replace(circuit, probing_until=now + PROBE_SECONDS_MAX) if circuit.is_open else circuit


def failed(circuit: Circuit, now: float, jitter: float, weight: int = 1) -> Circuit:
    """After a call that the destination did not take; ``jitter`` (0 to 1) spreads the probes of many accounts.

    A failure reported while the circuit is open and nobody probes was under way before it opened.
    """
    failures = circuit.failures + weight
    if circuit.is_open and circuit.probing_until <= now:
        return circuit
    if not circuit.is_open and failures < FAILURES_MAX:
        return replace(circuit, failures=failures)
    cool = min(COOL_SECONDS_MAX, COOL_SECONDS * COOL_GROWTH ** min(circuit.opened, _GROWN_MAX)) * (0.8 + 0.2 * jitter)
    return Circuit(failures, circuit.opened + 1, now + cool)
