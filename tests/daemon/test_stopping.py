"""A run is asked to end its window, then to end at once, and at last it is ended."""

from __future__ import annotations

import signal
from dataclasses import replace

from engine.core.events import TurnTaken
from engine.core.names import SyncId
from engine.faces.daemon.duty import UnderWay
from engine.faces.daemon.stopping import KILL_SECONDS, signal_for
from tests.daemon.stations import BOUNDS, minutely

TAKEN = TurnTaken(SyncId("s"), "cron", "2026-01-02T03:05:00+00:00", None, 0, "daemon:a", 1, again=False)
SHORT = replace(BOUNDS, longest_run_seconds=100.0, drain_seconds=60.0)


def test_a_drain_insists_after_its_time_and_kills_at_last() -> None:
    run = UnderWay(minutely(), TAKEN, began=0.0)

    assert signal_for(run, 10.0, SHORT, stops=0) is None
    assert signal_for(run, 11.0, SHORT, stops=1) == signal.SIGTERM
    assert signal_for(run, 70.9, SHORT, stops=1) is None
    assert signal_for(run, 71.0, SHORT, stops=1) == signal.SIGTERM
    assert signal_for(run, 71.0 + KILL_SECONDS - 0.1, SHORT, stops=1) is None
    assert signal_for(run, 71.0 + KILL_SECONDS, SHORT, stops=1) == signal.SIGKILL
    assert signal_for(run, 1_000.0, SHORT, stops=1) is None
    assert run.is_overdue


def test_a_second_signal_does_not_wait_for_the_drain() -> None:
    run = UnderWay(minutely(), TAKEN, began=0.0)

    assert signal_for(run, 10.0, SHORT, stops=1) == signal.SIGTERM
    assert signal_for(run, 10.5, SHORT, stops=2) == signal.SIGTERM
    assert signal_for(run, 10.6, SHORT, stops=2) is None
    assert signal_for(run, 10.5 + KILL_SECONDS, SHORT, stops=2) == signal.SIGKILL


def test_a_run_that_takes_too_long_is_stopped_though_the_daemon_goes_on() -> None:
    run = UnderWay(minutely(), TAKEN, began=0.0)

    assert signal_for(run, 100.0, SHORT, stops=0) is None
    assert signal_for(run, 100.5, SHORT, stops=0) == signal.SIGTERM
    assert run.is_overdue
