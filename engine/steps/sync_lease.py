"""The lease of a sync: whoever runs it or decides about what it holds is the only one to do so."""

from __future__ import annotations

from engine.core.names import SyncId
from engine.ledger.lease import HeldLease
from engine.steps.facts import Tools

LEASE_SECONDS = 15.0


def sync_lease(tools: Tools, sync: SyncId) -> HeldLease:
    """The lease to hold; entering it raises `Busy` while another process has it."""
    return HeldLease(tools.database, tools.clock, f"sync:{sync}", tools.holder, LEASE_SECONDS)
