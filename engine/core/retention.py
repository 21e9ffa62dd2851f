"""Which versions of a dataset stay, and which of their files: some as whole snapshots, the others as changes since one.

A version is rebuilt from the nearest older snapshot and the changes after it. So what is old goes by whole stretches, each
from one snapshot to the next, and a version on which another rests stays as long as that one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.core.names import VersionNumber

SNAPSHOT_EVERY = 100
"""At most so many versions are rebuilt from one snapshot: beyond, putting one together takes too long."""
OUTWEIGHED = 1.5
"""How many times the weight of a snapshot the changes since it may have: a row among few takes more bytes than among many."""
STRETCHES = 4
"""Where only some versions are kept, a stretch is at most this part of them: so little more than was asked for stays."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A version is kept while it is among the newest ``versions`` or younger than ``age``; both None keep every version."""

    versions: int | None = None
    age: timedelta | None = None


KEEP_ALL = Rule()


@dataclass(frozen=True, slots=True)
class Stored:
    """A version that can be rebuilt; ``is_whole`` where its snapshot is still there, ``changes_bytes`` 0 of a first one."""

    version: VersionNumber
    accepted_at: datetime
    snapshot_bytes: int
    changes_bytes: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """The versions that can be rebuilt from here on, and those of them that stay as whole snapshots."""

    versions: frozenset[VersionNumber]
    snapshots: frozenset[VersionNumber]


def retained(
    stored: Sequence[Stored],
    rule: Rule,
    needed: Collection[VersionNumber],
    read: Collection[VersionNumber],
    now: datetime,
) -> Kept:
    """What stays of some versions, given oldest first.

    Whatever the rule says, the newest stays, whole, and so does every version that is ``needed``; those that are ``read``
    just now stay whole as well.
    """
    if not stored:
        return Kept(frozenset(), frozenset())
    newest = stored[-1].version
    whole = {newest, *read, *_stretches(stored, _every(rule))}
    snapshots = {row.version for row in stored if row.is_whole and row.version in whole}
    wanted = {*_ruled(stored, rule, now), *needed, *read, newest}
    kept = set[VersionNumber]()
    stretch = list[VersionNumber]()
    for row in reversed(stored):
        if stretch or row.version in wanted:
            stretch.append(row.version)
        if row.version in snapshots:
            kept.update(stretch)
            stretch = []
    # What has no snapshot below it any more is damaged and not for this rule to drop.
    kept.update(stretch)
    return Kept(frozenset(kept), frozenset(snapshots & kept))


def _every(rule: Rule) -> int:
    return SNAPSHOT_EVERY if rule.versions is None else max(1, min(SNAPSHOT_EVERY, rule.versions // STRETCHES))


def _ruled(stored: Sequence[Stored], rule: Rule, now: datetime) -> Iterator[VersionNumber]:
    for place, row in enumerate(reversed(stored)):
        is_recent = rule.versions is not None and place < rule.versions
        is_young = rule.age is not None and now - row.accepted_at < rule.age
        if is_recent or is_young or rule == KEEP_ALL:
            yield row.version


def _stretches(stored: Sequence[Stored], every: int) -> Iterator[VersionNumber]:
    """Where a stretch begins: the changes since the last snapshot outweigh it, there are too many, or some are gone."""
    start, weight, before = None, 0, None
    for row in stored:
        weight += row.changes_bytes
        is_next = before is not None and row.version == before + 1
        before = row.version
        if (
            start is not None
            and is_next
            and weight < OUTWEIGHED * start.snapshot_bytes
            and row.version - start.version < every
        ):
            continue
        if row.is_whole:
            yield row.version
            start, weight = row, 0
