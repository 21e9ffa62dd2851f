"""When a run is asked to stop, and how: at the end of its window, at once, and at last without being asked."""

from __future__ import annotations

import signal

from engine.faces.daemon.duty import UnderWay
from engine.faces.daemon.wire import Bounds

KILL_SECONDS = 10.0
"""Between asking a run to stop at once and ending it."""


def signal_for(run: UnderWay, now: float, bounds: Bounds, *, stops: int) -> int | None:
    """What to send to a run now, if anything; ``stops`` is how often the daemon was told to stop.

    Notes in ``run`` that it is sent.
    """
    run.is_overdue |= now - run.began > bounds.longest_run_seconds
    waited = now - run.asked_at
    if run.asked == 0:
        is_time = stops > 0 or run.is_overdue
    elif run.asked == 1:
        is_time = stops > 1 or waited >= bounds.drain_seconds
    else:
        is_time = run.asked == 2 and waited >= KILL_SECONDS
    if not is_time:
        return None
    run.asked, run.asked_at = run.asked + 1, now
    return signal.SIGTERM if run.asked <= 2 else signal.SIGKILL
