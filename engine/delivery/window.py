"""How many batches are in flight between an intent and a receipt."""

from __future__ import annotations

from dataclasses import dataclass

PACED_SECONDS = 3.0
"""How long the calls of a window take where they have a pace. No call leaves between two windows, some 50 ms, and time that
passes is lost to a paced account."""
SPARE_CALLS = 2
"""By how many calls a window ends before its slice does: so many may be missed without a rest that falls into the next one."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """``rate`` calls a second leave, ``slice`` of them in a whole slice of the budget and ``left`` in the rest of the present one."""

    rate: float
    slice: int
    left: int


@dataclass(frozen=True, slots=True)
class WindowRules:
    """How much may be in flight: ``batches`` between intent and receipt, ``concurrency`` calls at once."""

    batches: int
    concurrency: int
    stop_ratio: float
    """The share of rejected records above which the run stops early."""
    batches_max: int = 0
    """Up to how many batches a window may grow where calls have a pace."""

    def window(self, pacing: Pacing | None) -> int:
        """Batches of the next window; it ends with a slice, so that it is recorded while others who share the account send."""
        if pacing is None:
            return self.batches
        wanted = max(self.batches, min(int(pacing.rate * PACED_SECONDS), self.batches_max))
        beyond = (wanted + SPARE_CALLS - pacing.left) % pacing.slice
        return wanted - beyond if wanted - beyond >= self.batches else wanted
