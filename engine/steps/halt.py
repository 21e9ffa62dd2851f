"""What people decided about whether a sync may run: that it is paused, that it may go on, that one of its runs is given up.

Each is one event of one stream. Whoever runs the sync looks there before it begins, with each heartbeat of its lease, and
before each window, whose intent rests on what was seen: no window begins behind such a decision. The run then stops as it
does for a signal of the operator.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from engine.core.events import Event, RunCancelled, SyncPaused, SyncResumed
from engine.core.names import Position, RunId, SyncId, halt_stream
from engine.core.reason import check_reason, naming
from engine.delivery.executor import StopSignal
from engine.errors import ConfigurationError
from engine.ledger.lease import HeldLease
from engine.ledger.projections.runs import RunRow
from engine.ledger.recorded import Recorded
from engine.steps.anchors import check_anchors, drop_anchor
from engine.steps.facts import Tools

NOT_LOOKED = Position(-1)
_SAFE = "Nothing was changed."


@dataclass(frozen=True, slots=True)
class Pause:
    """A sync does nothing: by whom, since when and why."""

    reason: str
    by: str
    since: datetime

    def __str__(self) -> str:
        why = f": {self.reason}" if self.reason else ""
        return f"paused by {self.by} since {self.since:%Y-%m-%d %H:%M:%S} UTC{why}"


@dataclass(frozen=True, slots=True)
class Cancellation:
    """A run was given up: by whom and why."""

    run: RunId
    reason: str
    by: str

    def __str__(self) -> str:
        return f"cancelled by {self.by}{f': {self.reason}' if self.reason else ''}"


@dataclass(frozen=True, slots=True)
class Paused:
    """Nothing is done, or nothing more, because of a pause; ``run`` waits to be gone on with, None when none was begun."""

    pause: Pause
    run: RunRow | None


def pause_of(tools: Tools, sync: SyncId) -> Pause | None:
    """The pause of a sync; None when it may run."""
    begun, ended = _newest(tools, sync, SyncPaused), _newest(tools, sync, SyncResumed)
    if begun is None or (ended is not None and ended.sequence > begun.sequence):
        return None
    assert isinstance(begun.event, SyncPaused)
    return Pause(begun.event.reason, begun.actor, begun.recorded_at)


def cancellation_of(tools: Tools, sync: SyncId) -> Cancellation | None:
    """The newest run of a sync that somebody gave up: the only one that can still be without an end."""
    found = _newest(tools, sync, RunCancelled)
    if found is None:
        return None
    assert isinstance(found.event, RunCancelled)
    return Cancellation(found.event.run, found.event.reason, found.actor)


def _newest(tools: Tools, sync: SyncId, kind: type[Event]) -> Recorded | None:
    return next(iter(tools.ledger.tail(1, halt_stream(sync), kind)), None)


def pause(tools: Tools, sync: SyncId, reason: str) -> bool:
    """Let ``sync`` do nothing from here on; returns whether it did anything before, when that is durable.

    It waits for nobody: a run under way sees it and stops. Raises `ConfigurationError` for a reason that names somebody,
    and `LedgerRegressed`.
    """
    return _decide(tools, sync, SyncPaused(sync=sync, reason=reason), reason, is_needed=not pause_of(tools, sync))


def resume(tools: Tools, sync: SyncId, reason: str) -> bool:
    """Let ``sync`` run again; returns whether it was paused, when that is durable. Raises as `pause`."""
    return _decide(tools, sync, SyncResumed(sync=sync, reason=reason), reason, is_needed=bool(pause_of(tools, sync)))


def cancel(tools: Tools, sync: SyncId, run: RunId, reason: str) -> None:
    """Give up a run that has not ended; whoever delivers it stops, or the next run ends it. Raises as `pause`."""
    _decide(tools, sync, RunCancelled(sync=sync, run=run, reason=reason), reason, is_needed=True)


def _decide(tools: Tools, sync: SyncId, event: Event, reason: str, *, is_needed: bool) -> bool:
    check_anchors(tools)
    check_reason(reason, naming(()), safe=_SAFE)
    if is_needed:
        tools.ledger.append(halt_stream(sync), event)
        drop_anchor(tools, f"halt.{sync}", halt_stream(sync))
    return is_needed


def refuse_paused(tools: Tools, sync: SyncId) -> None:
    """Raise `ConfigurationError` with the next step where a command asks a paused sync to send something."""
    found = pause_of(tools, sync)
    if found is not None:
        raise is_paused(sync, found)


def is_paused(sync: SyncId, found: Pause) -> ConfigurationError:
    """What to raise where nothing can be done because of a pause."""
    return ConfigurationError(
        f"{sync} is {found}",
        safe="Nothing was changed, and nothing was sent.",
        next=f"`tidegate resume {sync}` lets it run again",
    )


class Halts:
    """What was decided about a sync, as far as its run has looked; what was seen may be asked from any thread, for nothing."""

    def __init__(self, tools: Tools, sync: SyncId) -> None:
        self._tools = tools
        self._sync = sync
        self._seen = NOT_LOOKED
        self._pause: Pause | None = None
        self._cancellation: Cancellation | None = None

    def pause(self) -> Pause | None:
        """The pause of the sync, as it was last seen."""
        return self._pause

    def cancellation(self) -> Cancellation | None:
        """The newest run of the sync that was given up, as it was last seen."""
        return self._cancellation

    def look(self) -> None:
        """Ask the ledger: one small query where nothing was decided since."""
        self.stands_at(self._tools.ledger.head(halt_stream(self._sync)))

    def stands_at(self, head: Position) -> None:
        """Take in what was decided, when the stream stands elsewhere than it was seen."""
        if head != self._seen:
            self._pause = pause_of(self._tools, self._sync)
            self._cancellation = cancellation_of(self._tools, self._sync)
            self._seen = head


class Stopping:
    """Whether a run must end: its operator's signal, the loss of its lease, a pause, or that ``run`` was cancelled."""

    def __init__(self, signal: StopSignal, lease: HeldLease, halts: Halts, run: RunId | None = None) -> None:
        self._signal = signal
        self._lease = lease
        self._run = run
        self.halts = halts

    def is_set(self) -> bool:
        is_halted = self.halts.pause() is not None or (self._run is not None and bool(self.cancelled(self._run)))
        return self._signal.is_set() or self._lease.lost or is_halted

    def at_once(self) -> bool:
        return self._signal.at_once() or self._lease.lost

    def of(self, run: RunId) -> Stopping:
        """The same, and set as soon as ``run`` is cancelled."""
        return Stopping(self._signal, self._lease, self.halts, run)

    def cancelled(self, run: RunId) -> str:
        """By whom and why ``run`` was cancelled; empty when it was not."""
        found = self.halts.cancellation()
        return str(found) if found is not None and found.run == run else ""
