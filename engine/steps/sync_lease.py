"""The lease of a sync: whoever runs it or decides about what it holds is the only one to do so."""

from __future__ import annotations

from collections.abc import Callable

from engine.core.names import SyncId
from engine.ledger.lease import HeldLease
from engine.steps.facts import Tools

LEASE_SECONDS = 15.0


def sync_lease(tools: Tools, sync: SyncId, beside: Callable[[], None] = lambda: None) -> HeldLease:
    """The lease to hold; entering it raises `Busy` while another process has it. ``beside`` is called with each heartbeat."""
    return HeldLease(tools.database, tools.clock, f"sync:{sync}", tools.holder, LEASE_SECONDS, beside)
