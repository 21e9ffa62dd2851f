"""Pin a sync to a version, let it follow the newest again, and mark a version as bad.

Each is one event, and the next run does the rest: a plan is what is wanted minus what is held, whatever is wanted.
"""

from __future__ import annotations

from engine.core.events import SyncPinned, SyncUnpinned, VersionWithdrawn
from engine.core.names import SyncId, VersionNumber, dataset_stream, name_of, pin_stream
from engine.errors import ConfigurationError
from engine.ledger.log import Fence
from engine.ledger.projections import versions
from engine.steps.aim import Pin, pin_of, withdrawals
from engine.steps.anchors import check_anchors, dataset_anchor, drop_anchor
from engine.steps.dropped import dropped_versions, not_kept
from engine.steps.facts import Dataset, Sync, Tools
from engine.steps.races import raced
from engine.steps.sync_lease import sync_lease

ANCHOR = "pin."
ATTEMPTS_MAX = 3


def pin_anchor(sync: SyncId) -> str:
    """The name of the anchor of what was decided about the version of ``sync``."""
    return f"{ANCHOR}{sync}"


def pin(tools: Tools, sync: Sync, version: VersionNumber, reason: str, *, through: VersionNumber | None = None) -> None:
    """Keep ``sync`` at ``version``, perhaps as a step of a backfill; returns when that is durable.

    Raises `ConfigurationError` for a version that was never accepted or was withdrawn, `Busy` while a run of the sync goes
    on, and `LedgerRegressed` when the ledger may not say so.
    """
    check_anchors(tools)
    event = SyncPinned(sync=sync.id, dataset=sync.dataset.id, version=version, reason=reason, through=through)

    with sync_lease(tools, sync.id) as lease:
        record_pin(tools, sync, event, lease.fence)


def record_pin(tools: Tools, sync: Sync, event: SyncPinned, fence: Fence) -> None:
    """Append a pin, for as long as its version is kept; raises `ConfigurationError` when it is not."""

    def pinned() -> None:
        # A version may be dropped until it is pinned, so the pin rests on the dataset as it was looked at.
        heads = tools.ledger.heads([dataset_stream(sync.dataset.id)])
        known_good(tools, sync.dataset, event.version)
        tools.ledger.append(pin_stream(sync.id), event, fence=fence, resting_on=heads)

    raced(pinned, ATTEMPTS_MAX)
    drop_anchor(tools, pin_anchor(sync.id), pin_stream(sync.id))


def unpin(tools: Tools, sync: Sync, reason: str) -> Pin:
    """Let ``sync`` follow the newest version again; returns the pin that was; raises as `pin`, and when there is none."""
    check_anchors(tools)
    was = pin_to_take_away(tools, sync)
    with sync_lease(tools, sync.id) as lease:
        tools.ledger.append(pin_stream(sync.id), SyncUnpinned(sync=sync.id, reason=reason), fence=lease.fence)
    drop_anchor(tools, pin_anchor(sync.id), pin_stream(sync.id))
    return was


def pin_to_take_away(tools: Tools, sync: Sync) -> Pin:
    """The pin of ``sync``; raises `ConfigurationError` when it is not pinned."""
    found = pin_of(tools, sync.id)
    if found is None:
        raise ConfigurationError(
            f"{sync.id} is not pinned", safe="Nothing was changed.", next=f"`tidegate status {sync.id}` shows how it is"
        )
    return found


def withdraw(tools: Tools, dataset: Dataset, version: VersionNumber, reason: str) -> None:
    """Mark an accepted version as bad, for ever.

    Raises `ConfigurationError` when there is no such version, when it is withdrawn already, and when no good version is
    older: then nothing could take its place.
    """
    check_anchors(tools)
    bad = known_good(tools, dataset, version) | dropped_versions(tools, dataset.id).keys()
    if not any(older not in bad for older in range(1, version)):
        raise ConfigurationError(
            f"No good version of {dataset.id} that is kept is older than {version}",
            safe="Nothing was changed.",
            next="pause what uses it, mend the source, and capture a good version first",
        )
    event = VersionWithdrawn(dataset=dataset.id, version=version, reason=reason)
    tools.ledger.append(dataset_stream(dataset.id), event)
    drop_anchor(tools, dataset_anchor(dataset.id), dataset_stream(dataset.id))


def known_good(tools: Tools, dataset: Dataset, version: VersionNumber) -> frozenset[VersionNumber]:
    """Refuse a version that was never accepted, is not kept any more or is withdrawn; returns the versions that are withdrawn."""
    name = name_of(dataset.id)
    bad = withdrawals(tools, dataset.id)
    if versions.get(tools.database, dataset.id, version) is None:
        raise ConfigurationError(
            f"There is no version {version} of {dataset.id}",
            safe="Nothing was changed.",
            next=f"`tidegate versions {name}` lists them",
        )
    if (drop := dropped_versions(tools, dataset.id).get(version)) is not None:
        raise not_kept(dataset.id, version, drop)
    if version in bad:
        raise ConfigurationError(
            f"Version {version} of {dataset.id} was withdrawn by {bad[version].by}",
            where=bad[version].reason,
            safe="Nothing was changed.",
            next=f"choose a version that `tidegate versions {name}` does not show as withdrawn",
        )
    return frozenset(bad)
