"""Alerts of a daemon: when it has its nursery look at what is wrong, and what it says of a look."""

from __future__ import annotations

from typing import Any

import structlog

from engine.clock import Clock
from engine.faces.daemon.nurse import Nurse

LOOK_SECONDS = 60.0
"""How long something may be wrong before somebody is told of it; several daemons share one look."""
log = structlog.get_logger("tidegate.daemon")


class Lookout:
    """When the next look is due; the first one is right at the start, for something may be wrong since long."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._next = clock.monotonic()
        self._trouble = ""

    def look(self, nurse: Nurse | None, memory: int) -> None:
        """Ask for a look if one is due and there is somebody to take it."""
        now = self._clock.monotonic()
        if nurse is not None and now >= self._next:
            self._next = now + LOOK_SECONDS
            nurse.look(memory)

    def tell(self, found: dict[str, Any]) -> None:
        """Say what a look changed, what nobody could be told of, and once that there was none; else nothing."""
        trouble = str(found.get("trouble", ""))
        if trouble and trouble != self._trouble:
            log.error("alerts_trouble", what=trouble)
        self._trouble = trouble
        for alert in found.get("opened", ()):
            log.warning("alert_opened", alert=str(alert))
        for alert in found.get("closed", ()):
            log.info("alert_closed", alert=str(alert))
        for channel in found.get("untold", ()):
            log.warning("alert_untold", channel=str(channel), again="with the next look")
