"""Which version to bring a destination to."""

from __future__ import annotations

from collections.abc import Collection

from engine.core.names import VersionNumber


def aim(newest: VersionNumber, withdrawn: Collection[VersionNumber], bound: VersionNumber | None) -> VersionNumber:
    """The newest version that nobody withdrew, no newer than ``bound``; 0 when there is none.

    A version that was withdrawn stays bad for a sync that is pinned to it: it gets the one before.
    """
    highest = newest if bound is None else min(newest, bound)
    return next((VersionNumber(n) for n in range(highest, 0, -1) if n not in withdrawn), VersionNumber(0))
