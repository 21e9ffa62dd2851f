"""What the storage knows of dropped plans and an older ledger does not: which files are no more, and what was ever sent.

Before an event drops anything it is noted beside the segments. A ledger that is restored from before that event names files
that are gone, the delivered state perhaps among them, and learns from here what its destinations may hold.
"""

from __future__ import annotations

import json

from engine.core.event_codec import decode, encode
from engine.core.events import PlansDropped
from engine.core.names import SyncId, sync_stream
from engine.ledger.recorded import told
from engine.steps.facts import Tools

FOLDER = "retention/plans"


def note_dropped(tools: Tools, event: PlansDropped) -> str:
    """Write an event down before it is appended; returns the note's name."""
    type_name, schema, data = encode(event)
    name = f"{FOLDER}/{tools.clock.now():%Y%m%dT%H%M%S%f}-{tools.entropy.token(4)}.json"
    content = {"type": type_name, "schema": schema, "data": data}
    tools.storage.put_note(name, json.dumps(content).encode() + b"\n")
    return name


def lost_drops(tools: Tools, sync: SyncId) -> list[PlansDropped]:
    """The events of a sync that were noted and are not in the ledger, oldest first; but for those that never came to be."""
    known = [fact.event for fact in told(tools.database, sync_stream(sync), PlansDropped)]
    notes = sorted(tools.storage.notes(FOLDER, ".json").items())
    events = [decode(one["type"], one["schema"], one["data"]) for one in (json.loads(text) for _, text in notes)]
    mine = [event for event in events if isinstance(event, PlansDropped) and event.sync == sync and event not in known]
    # A later one dropped what an earlier one had written; of one that was never appended nothing is left.
    replaced = {ref for event in mine for ref in event.segments}
    return [event for event in mine if event.sent in replaced or tools.storage.exists(event.sent)]
