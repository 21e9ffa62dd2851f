"""The checker: replays a sync's ledger against the destination's own record of what it received.

It reads events, plans and exceptions as files and shares no code with the planner, the executor or the fold, so that
a fault in those cannot hide itself. The ids of the rules are those of the invariants that each proves.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from sqlalchemy import Engine, create_engine, text

from tests.receiver import Received

Payload = Mapping[str, Any] | str
"""The fields of a record that was set, or the operation that named none."""
UNSUBSCRIBED = "unsubscribed"
WITHOUT_FIELDS = ("delete", "unsubscribe")
EXCEPTIONAL = ("rejected", "failed", "unknown", "withheld")
FINAL = frozenset({"succeeded", "unchanged"})


@dataclass(frozen=True)
class Row:
    """One row of a plan; without an ``id`` it was about somebody who is forgotten, and what it held is not known."""

    id: str | None
    change: str
    payload: Payload


@dataclass
class RunStory:
    """What the ledger says of one run."""

    run: str
    rows: list[Row] = field(default_factory=list)
    intended: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    received: dict[int, dict[str, Any]] = field(default_factory=dict)
    exceptions: dict[int, str] = field(default_factory=dict)
    uncertain: set[int] = field(default_factory=set)
    status: str | None = None
    is_adoption: bool = False
    is_adopted: bool = False
    """Its plan was recorded as delivered without being sent."""

    def batches(self) -> Iterator[tuple[int, dict[str, Any]]]:
        for window, batches in self.intended.items():
            for batch in batches:
                yield window, batch

    def covers(self, window: int, ordinal: int) -> bool:
        return any(b["first"] <= ordinal <= b["last"] for b in self.intended[window])


@dataclass(frozen=True)
class Checked:
    """What a check counted: acknowledged rows, and records that arrived again under a plan they were sent for before."""

    acknowledged: int
    again: int


def check(
    ledger: str, storage: Path, sync: str, journal: Sequence[Received], records: Mapping[str, Mapping[str, Any]]
) -> Checked:
    """Raise `AssertionError` naming the invariant that the ledger and the destination's record break together."""
    engine = create_engine(ledger)
    try:
        stories = _stories(engine, storage, sync)
        state = _folded_state(engine, storage, sync)
    finally:
        engine.dispose()
    again = _intent_before_effect(stories, journal)
    _same_key_same_bytes(journal)
    acknowledged = _acknowledged_was_received(stories, journal)
    _conserved(stories)
    _end_state(stories, records)
    _state_is_the_replay(stories, state)
    return Checked(acknowledged, again)


def _events(engine: Engine, prefix: str) -> list[tuple[str, dict[str, Any]]]:
    statement = text("SELECT type, data FROM event WHERE stream LIKE :prefix ORDER BY seq")
    with engine.connect() as connection:
        rows = connection.execute(statement, {"prefix": f"{prefix}%"}).all()
    return [(type, json.loads(data) if isinstance(data, str) else data) for type, data in rows]


def _today(engine: Engine, storage: Path, path: str) -> Path:
    """Where a segment is that was perhaps written again without somebody."""
    erased = [pair for type, data in _events(engine, "") if type == "segments.erased" for pair in data["segments"]]
    after = {pair["before"]["path"]: pair["after"]["path"] for pair in reversed(erased)}
    while path in after:
        path = after[path]
    return storage / path


def _stories(engine: Engine, storage: Path, sync: str) -> list[RunStory]:
    stories: dict[str, RunStory] = {}
    for type, data in _events(engine, "run:"):
        if type == "run.started" and data["sync"] == sync:
            stories[data["run"]] = RunStory(data["run"])
        story = stories.get(data["run"])
        if story is None:
            continue
        if type == "run.plan_made" and data["segment"]:
            story.is_adoption = data["comparison"] == "adoption"
            story.rows = list(_plan(_today(engine, storage, data["segment"]["path"])))
        elif type == "run.window_intended":
            story.intended[data["window"]] = data["batches"]
        elif type == "run.window_received":
            assert data["window"] in story.intended, "I4: a receipt without an intent"
            story.received[data["window"]] = data
            if data["exceptions"]:
                table = pq.read_table(_today(engine, storage, data["exceptions"]["path"]))
                for exception in table.to_pylist():
                    story.exceptions[exception["ordinal"]] = exception["outcome"]
                    if exception["outcome"] == "unknown" or exception["uncertain"]:
                        story.uncertain.add(exception["ordinal"])
        elif type == "run.finished":
            sent = not data["reason"].startswith("recorded and not sent")
            story.status = data["status"] if sent and not story.is_adoption else "recorded"
            story.is_adopted = story.is_adoption and data["status"] == "succeeded"
    return list(stories.values())


def _plan(path: Path) -> Iterator[Row]:
    for row in pq.read_table(path).to_pylist():
        fields = {n[2:]: json.loads(v) for n, v in row.items() if n.startswith("f:") and v is not None}
        yield Row(row["id"], row["change"], row["op"] if row["op"] in WITHOUT_FIELDS else fields)


def _folded_state(engine: Engine, storage: Path, sync: str) -> dict[str, dict[str, Any]] | None:
    """Records that the delivered state calls acknowledged, with their fields; None when nothing was folded yet."""
    folds = [data for type, data in _events(engine, f"sync:{sync}") if type == "sync.state_folded"]
    if not folds:
        return None
    rows: dict[str, dict[str, Any]] = {}
    for segment in folds[-1]["segments"]:
        for row in pq.read_table(_today(engine, storage, segment["path"])).to_pylist():
            rows[row["id"]] = row
    return {
        id: {n[2:]: json.loads(v) for n, v in row.items() if n.startswith("f:") and v is not None}
        | ({UNSUBSCRIBED: True} if row["inert"] else {})
        for id, row in rows.items()
        if row["acked"] and not row["gone"] and not row.get("erase")
    }


def _payload(record: Mapping[str, Any]) -> Payload:
    payload: Payload = record["op"] if record["op"] in WITHOUT_FIELDS else record["fields"]
    return payload


def _intent_before_effect(stories: Sequence[RunStory], journal: Sequence[Received]) -> int:
    """I4: whatever arrived is a contiguous part of an intended batch; returns how many records came again."""
    places: dict[str | None, list[tuple[RunStory, int]]] = defaultdict(list)
    for story in stories:
        for ordinal, row in enumerate(story.rows):
            places[row.id].append((story, ordinal))
    seen: Counter[tuple[str, int]] = Counter()
    for entry in journal:
        found = _origin([*places[entry.records[0]["id"]], *places[None]], entry)
        assert found is not None, f"I4: records arrived that no intent covers: {entry.key}"
        story, first = found
        seen.update((story.run, first + offset) for offset in range(len(entry.records)))
    return sum(count - 1 for count in seen.values())


def _origin(places: Sequence[tuple[RunStory, int]], entry: Received) -> tuple[RunStory, int] | None:
    found = None
    size = len(entry.records)
    for story, first in places:
        rows = story.rows[first : first + size]
        told = [(r["id"], _payload(r)) for r in entry.records]
        if len(rows) != size or any(
            r.id is not None and (r.id, r.payload) != t for r, t in zip(rows, told, strict=True)
        ):
            continue
        batches = [b for _, b in story.batches() if b["first"] <= first and first + size - 1 <= b["last"]]
        if any(b["key"] == entry.key for b in batches):
            return story, first
        if batches:
            found = story, first
    return found


def _same_key_same_bytes(journal: Sequence[Received]) -> None:
    contents: dict[str, Any] = {}
    for entry in journal:
        assert contents.setdefault(entry.key, entry.records) == entry.records, "I6: one key, two contents"


def _acknowledged_was_received(stories: Sequence[RunStory], journal: Sequence[Received]) -> int:
    """I5: every row that a receipt calls delivered was applied by the destination with just that payload."""
    applied: dict[str, list[Payload]] = defaultdict(list)
    for entry in journal:
        if entry.applied:
            for record in entry.records:
                applied[record["id"]].append(_payload(record))
    count = 0
    for story in stories:
        for ordinal in _delivered(story):
            row = story.rows[ordinal]
            if row.id is None:
                continue
            assert row.payload in applied[row.id], f"I5: {row.id} is called delivered and never arrived"
            count += 1
    return count


def _delivered(story: RunStory) -> Iterator[int]:
    for window in story.received:
        for batch in story.intended[window]:
            for ordinal in range(batch["first"], batch["last"] + 1):
                if ordinal not in story.exceptions:
                    yield ordinal


def _conserved(stories: Sequence[RunStory]) -> None:
    for story in stories:
        covered = Counter(o for _, b in story.batches() for o in range(b["first"], b["last"] + 1))
        assert all(count == 1 for count in covered.values()), "I7: a row stands in two batches of one plan"
        assert all(0 <= ordinal < len(story.rows) for ordinal in covered), "I7: a batch beyond the plan"
        _receipts_count(story)
        if story.status in FINAL:
            assert set(covered) == set(range(len(story.rows))), f"I8: {story.run} succeeded with rows never sent"
            assert set(story.intended) == set(story.received), f"I8: {story.run} succeeded without a receipt"
            others = {kind for kind in story.exceptions.values() if kind != "withheld"}
            assert not others, f"I8: {story.run} succeeded with exceptions"


def _receipts_count(story: RunStory) -> None:
    """I7: what a receipt counts is what its batch and its exceptions say, row by row."""
    for window, receipt in story.received.items():
        batches = {b["number"]: b for b in story.intended[window]}
        assert {r["number"] for r in receipt["batches"]} == set(batches), "I7: receipts are not those of the intents"
        for counted in receipt["batches"]:
            batch = batches[counted["number"]]
            ordinals = range(batch["first"], batch["last"] + 1)
            kinds = Counter(story.exceptions.get(o, story.rows[o].change + "s") for o in ordinals)
            told = {name: counted[name] for name in ("inserts", "updates", "deletes", *EXCEPTIONAL)}
            assert told == {name: kinds[name] for name in told}, f"I7: a receipt miscounts: {told} is not {kinds}"


def apply(held: dict[str, dict[str, Any]], id: str, payload: Payload) -> None:
    """What a destination makes of one record: a write takes an unsubscribe back."""
    if payload == "delete":
        held.pop(id, None)
    elif payload == "unsubscribe":
        if id in held:
            held[id][UNSUBSCRIBED] = True
    else:
        assert not isinstance(payload, str)
        held.setdefault(id, {}).pop(UNSUBSCRIBED, None)
        held[id].update(payload)


def _replayed(stories: Sequence[RunStory]) -> tuple[dict[str, dict[str, Any]], set[str]]:
    """What the acknowledged rows add up to, and the ids of which a later send left the effect unknown."""
    held: dict[str, dict[str, Any]] = {}
    uncertain: set[str] = set()
    for story in stories:
        if story.is_adopted:
            for row in story.rows:
                if row.id is not None and not isinstance(row.payload, str):
                    apply(held, row.id, row.payload)
        delivered = set(_delivered(story))
        for _, batch in story.batches():
            for ordinal in range(batch["first"], batch["last"] + 1):
                row = story.rows[ordinal]
                if row.id is None:
                    continue
                if ordinal not in delivered:
                    if ordinal in story.uncertain or ordinal not in story.exceptions:
                        uncertain.add(row.id)
                    continue
                if row.payload != "unsubscribe":
                    # It says nothing of what became of the values that were sent before, or whether there is a record.
                    uncertain.discard(row.id)
                apply(held, row.id, row.payload)
    return held, uncertain


def _end_state(stories: Sequence[RunStory], records: Mapping[str, Mapping[str, Any]]) -> None:
    """I5, I9: the destination holds what was acknowledged, but where a send ended without an answer."""
    held, uncertain = _replayed(stories)
    touched = {row.id for story in stories for row in story.rows if row.id is not None}
    for id in touched - uncertain:
        assert records.get(id) == held.get(id), f"I5: the destination and the ledger disagree about {id}"


def _state_is_the_replay(stories: Sequence[RunStory], state: Mapping[str, Mapping[str, Any]] | None) -> None:
    """I1: the delivered state that plans build on is what the receipts add up to; asked once every run has folded."""
    if state is None or any(story.status is None for story in stories):
        return
    held, uncertain = _replayed(stories)
    for id in (set(state) | set(held)) - uncertain:
        assert state.get(id) == held.get(id), f"I1: the delivered state and the receipts disagree about {id}"
