"""The turns of scheduled syncs in the ledger: what stands there, and taking, taking over and ending one.

Each is appended behind the event that was seen, so that of several daemons one gets a turn, and it ends once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from engine.core.events import Event, ScheduleSet, TurnEnded, TurnTaken
from engine.core.names import Position, Sequence, StreamId, SyncId, schedule_stream
from engine.core.turns import Resting, Running, Turn, Turns, Unset, turns_of
from engine.errors import LedgerConflict
from engine.ledger.database import patiently
from engine.ledger.lease import Fence
from engine.ledger.log import EMPTY, Ledger
from engine.ledger.recorded import Recorded

STATEMENT_MAX = 500
TAKEN_OVER_MAX = 50
"""Daemons that are looked back upon which took one turn."""


@dataclass(frozen=True, slots=True)
class Seen:
    """The turns of a sync as they stood at ``position`` of its stream; ``sequence`` is that event's in the whole ledger."""

    turns: Turns
    position: Position
    sequence: Sequence


NEVER = Seen(Unset(), EMPTY, Sequence(0))


def turn_lease_name(sync: SyncId) -> str:
    """The lease of whoever runs a turn of ``sync``, from before its run to behind it."""
    return f"turn:{sync}"


class TurnLog:
    """What daemons did about scheduled syncs, read and written in the name of one that holds ``lease``."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def changed(self, known: Mapping[SyncId, Seen], syncs: Iterable[SyncId]) -> dict[SyncId, Seen]:
        """What stands of ``syncs`` otherwise than ``known``: one small query where nothing does."""
        streams = {schedule_stream(sync): sync for sync in syncs}
        heads = self._heads(streams)
        moved = {s for s, sync in streams.items() if sync not in known or heads[s] != known[sync].position}
        found = self._ledger.newest(moved)
        return {streams[stream]: _seen(found.get(stream)) for stream in moved}

    def _heads(self, streams: Collection[StreamId]) -> dict[StreamId, Position]:
        asked = list(streams)
        heads: dict[StreamId, Position] = {}
        for first in range(0, len(asked), STATEMENT_MAX):
            heads |= self._ledger.heads(asked[first : first + STATEMENT_MAX])
        return heads

    def set_schedules(self, schedules: Mapping[SyncId, str]) -> None:
        """Let each of these syncs be due by another schedule from now on."""

        def whole() -> None:
            with self._ledger.transaction() as transaction:
                for sync, text in sorted(schedules.items()):
                    transaction.append(schedule_stream(sync), ScheduleSet(sync, text))

        if schedules:
            patiently(whole)

    def take(self, sync: SyncId, seen: Seen, schedule: str, turn: Turn, lease: Fence) -> Seen | None:
        """Take a turn; None when another daemon did something about the sync first."""
        event = TurnTaken(sync, schedule, turn.due, turn.version, turn.missed, lease.name, lease.epoch, again=False)
        return self._append(sync, seen, event, lease)

    def take_over(self, seen: Seen, taken: TurnTaken, lease: Fence) -> Seen | None:
        """Take a turn that another daemon took and is gone; None when somebody was first."""
        event = replace(taken, lease=lease.name, epoch=lease.epoch, again=True)
        return self._append(taken.sync, seen, event, lease)

    def begun(self, taken: TurnTaken) -> Sequence:
        """When the turn was taken first, as a place in the ledger: a run that began behind it is a run for it."""
        first = Sequence(0)
        for recorded in reversed(self._ledger.tail(TAKEN_OVER_MAX, schedule_stream(taken.sync), TurnTaken)):
            if not isinstance(recorded.event, TurnTaken) or recorded.event.due != taken.due:
                break
            first = recorded.sequence
        return first

    def end(self, seen: Seen, event: TurnEnded) -> bool:
        """End a turn; false when another daemon took it meanwhile."""
        return self._append(event.sync, seen, event, None) is not None

    def _append(self, sync: SyncId, seen: Seen, event: Event, lease: Fence | None) -> Seen | None:
        stream = schedule_stream(sync)
        try:
            self._ledger.append(stream, event, expected=seen.position, fence=lease)
        except LedgerConflict:
            return None
        return _seen(self._ledger.newest([stream]).get(stream))


def _seen(recorded: Recorded | None) -> Seen:
    return NEVER if recorded is None else Seen(turns_seen(recorded), recorded.position, recorded.sequence)


def turns_seen(newest: Recorded | None) -> Turns:
    """The turns of a sync by the newest event of its stream, or by none."""
    return Unset() if newest is None else turns_of(newest.event, newest.recorded_at)


def outdated(known: Mapping[SyncId, Seen], schedules: Mapping[SyncId, str]) -> dict[SyncId, str]:
    """Of ``schedules``, those that the ledger does not know yet."""
    return {sync: text for sync, text in schedules.items() if _schedule(known[sync].turns) != text}


def _schedule(turns: Turns) -> str | None:
    match turns:
        case Unset():
            return None
        case Resting(schedule):
            return schedule
        case Running(taken):
            return taken.schedule
        case _:
            assert_never(turns)
