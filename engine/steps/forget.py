"""Forget somebody, first of all: from one event on nothing about them leaves, whatever else is still to be done.

The event holds keyed tombstones and no name. They are written down beside the segments as well, so that a ledger which
is restored from before that event learns of them again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta

from engine.core.erasure import ErasureKey
from engine.core.events import ErasureRequested
from engine.core.names import ERASURE_STREAM
from engine.core.reason import check_reason, naming
from engine.errors import ConfigurationError
from engine.failpoints import failpoint
from engine.ledger.lease import HeldLease
from engine.steps.anchors import check_anchors, drop_anchor
from engine.steps.erased import KEY_FILE, KEY_FOLDER, erased, stored_key
from engine.steps.facts import Tools

ERASURE_ANCHOR = "erasure"
ERASURE_LEASE = "erasure"
LEASE_SECONDS = 15.0
REQUESTS_FOLDER = "erasure/requests"
SUBJECTS_MAX = 100_000
"""People in one request: each is 64 characters of one event."""
_KEY_BYTES = 32


def erasure_lease(tools: Tools) -> HeldLease:
    """Held by whoever works on erasures; entering it raises `Busy` while another process does."""
    return HeldLease(tools.database, tools.clock, ERASURE_LEASE, tools.holder, LEASE_SECONDS)


def suppress(tools: Tools, subjects: Sequence[str], reason: str, deadline: timedelta) -> ErasureRequested:
    """Let nothing about ``subjects`` leave any more; returns what the ledger says of it when that is durable.

    Raises `ErasureKeyMissing` when people were forgotten under a key that is lost, `ConfigurationError` for a reason that
    names one of them, and `Busy` while another process works on erasures.
    """
    check_anchors(tools)
    people = tuple(dict.fromkeys(subjects))
    if not people or len(people) > SUBJECTS_MAX:
        raise ConfigurationError(
            f"A request names from one to {SUBJECTS_MAX:,} people, and this one {len(people):,}",
            safe="Nothing was written.",
            next="split the list",
        )
    check_reason(reason, naming(people), safe="Nothing was written.")
    with erasure_lease(tools) as lease:
        known = erased(tools)
        key = known.key if known else _key(tools)
        now = tools.clock.now()
        event = ErasureRequested(
            request=f"{now:%Y%m%dT%H%M%S}-{tools.entropy.token(3)}",
            key=key.id,
            tombstones=tuple(key.tombstone(person) for person in people),
            reason=reason,
            due=(now + deadline).isoformat(timespec="seconds"),
        )
        # Before the event: a tombstone that only the storage knows is one too many, and one that only a ledger knew is lost.
        note_request(tools, event)
        failpoint("forget.before_commit")
        tools.ledger.append(ERASURE_STREAM, event, fence=lease.fence)
        failpoint("forget.after_commit")
        drop_anchor(tools, ERASURE_ANCHOR, ERASURE_STREAM)
    return event


def note_request(tools: Tools, event: ErasureRequested) -> None:
    """Write a request down beside the segments."""
    content = {
        "request": event.request,
        "key": event.key,
        "tombstones": event.tombstones,
        "reason": event.reason,
        "due": event.due,
    }
    tools.storage.put_note(f"{REQUESTS_FOLDER}/{event.request}.json", json.dumps(content).encode() + b"\n")


def lost_requests(tools: Tools) -> list[ErasureRequested]:
    """Requests that the storage knows and the ledger does not: it was restored from before them."""
    known = {
        recorded.event.request
        for recorded in tools.ledger.read(ERASURE_STREAM)
        if isinstance(recorded.event, ErasureRequested)
    }
    found = (json.loads(content) for content in tools.storage.notes(REQUESTS_FOLDER, ".json").values())
    return [
        ErasureRequested(
            request=data["request"],
            key=data["key"],
            tombstones=tuple(data["tombstones"]),
            reason=data["reason"],
            due=data["due"],
        )
        for data in found
        if data["request"] not in known
    ]


def _key(tools: Tools) -> ErasureKey:
    """The key that is there, or a new one beside the segments; under the lease, so that there is never a second."""
    found = stored_key(tools)
    if found is None:
        found = ErasureKey(tools.entropy.token(_KEY_BYTES).encode())
        tools.storage.put_note(f"{KEY_FOLDER}/{KEY_FILE}", found.secret + b"\n")
    return found
