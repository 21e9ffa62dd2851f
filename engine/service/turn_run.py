"""The run for a turn: that it is the only one, however many processes were begun for it by daemons that came and went."""

from __future__ import annotations

from engine.core.events import TurnTaken
from engine.core.names import SyncId, schedule_stream
from engine.errors import StaleEpoch
from engine.ledger.lease import Fence, HeldLease
from engine.ledger.projections import runs
from engine.ledger.projections.runs import RunRow
from engine.service.turn_log import TurnLog, turn_lease_name
from engine.steps.facts import Tools
from engine.steps.sync_lease import LEASE_SECONDS


def turn_lease(tools: Tools, sync: SyncId) -> HeldLease:
    """The lease under which a turn of ``sync`` has its run; entering it raises `Busy` while another process has it."""
    return HeldLease(tools.database, tools.clock, turn_lease_name(sync), tools.holder, LEASE_SECONDS)


def had_its_run(tools: Tools, sync: SyncId, daemon: Fence) -> RunRow | None:
    """The run that the turn had already, if it had one; to be asked under `turn_lease`.

    Raises `StaleEpoch` where the turn is not that of ``daemon`` any more: another daemon took it, and runs it.
    """
    newest = tools.ledger.newest([schedule_stream(sync)]).get(schedule_stream(sync))
    taken = None if newest is None else newest.event
    if not isinstance(taken, TurnTaken) or (taken.lease, taken.epoch) != (daemon.name, daemon.epoch):
        raise StaleEpoch(
            f"Another daemon took the turn of {sync} meanwhile, or it has ended.",
            safe="Nothing was started.",
            next="nothing is to be done; that daemon runs it.",
        )
    return runs.ended_since(tools.database, sync, TurnLog(tools.ledger).begun(taken))
