"""Backfill: a range of versions brought to a destination one after the other, each as a plan of its own.

Each step is a pin, and how far it came is the pin that stands: so a backfill that is cut off, or held by a gate, goes on
where it was.
"""

from __future__ import annotations

from engine.core.names import VersionNumber
from engine.errors import ConfigurationError
from engine.ledger.projections import versions
from engine.steps.aim import pin_of, withdrawals
from engine.steps.dropped import dropped_versions, not_kept
from engine.steps.facts import Sync, Tools
from engine.steps.pin import known_good, pin

STEPS_MAX = 1_000


def steps_left(tools: Tools, sync: Sync, first: VersionNumber, last: VersionNumber) -> list[VersionNumber]:
    """The good versions from ``first`` to ``last``, without those that a backfill to ``last`` has left behind.

    Raises `ConfigurationError` where one end is no good version, where they are too many, and where the sync is pinned.
    """
    if first > last:
        raise _unfit(f"Version {first} is newer than version {last}", "give the older one to --from")
    for end in (first, last):
        known_good(tools, sync.dataset, end)
    found = pin_of(tools, sync.id)
    begins_at = first
    if found is not None:
        is_ours = found.dataset == sync.dataset.id and found.through == last
        if not is_ours or not first <= found.version <= last:
            goes_on = f", or give --to {found.through} to go on with the backfill" if found.through else ""
            raise _unfit(
                f"{sync.id} is pinned: version {found.version}, {found.reason or 'without a reason'}",
                f"`tidegate unpin {sync.id} --yes` lets it go{goes_on}",
            )
        begins_at = found.version
    for version, drop in sorted(dropped_versions(tools, sync.dataset.id).items()):
        if begins_at <= version <= last:
            raise not_kept(sync.dataset.id, version, drop)
    bad = withdrawals(tools, sync.dataset.id)
    listed = [row.version for row in versions.listing(tools.database, sync.dataset.id)]
    steps = [version for version in listed if begins_at <= version <= last and version not in bad]
    if len(steps) > STEPS_MAX:
        raise _unfit(f"That is {len(steps):,} versions, and {STEPS_MAX:,} at most are sent one by one", "take a part")
    return steps


def step(tools: Tools, sync: Sync, version: VersionNumber, last: VersionNumber, reason: str) -> None:
    """Let the next run bring the sync to ``version``, one step of a backfill to ``last``; raises as `pin`."""
    found = pin_of(tools, sync.id)
    if found is None or found.version != version:
        pin(tools, sync, version, reason, through=last)


def _unfit(what: str, next_step: str) -> ConfigurationError:
    return ConfigurationError(what, safe="Nothing was changed.", next=next_step)
