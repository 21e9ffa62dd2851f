"""Who was asked to be forgotten, as captures, plans and deliveries see it: rows about them are not part of anything.

The ledger holds keyed tombstones and storage holds the key, each worthless without the other. Without the key nobody can
tell whom a tombstone is about, so everything that would read or send stops.
"""

from __future__ import annotations

from dataclasses import dataclass

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from engine.core.desired import Refusal
from engine.core.erasure import ErasureKey, keys_about, subjects_of, tombstoned
from engine.core.events import ErasureRequested
from engine.core.names import ERASURE_STREAM, Position
from engine.errors import ErasureKeyMissing
from engine.segments.compute import Session
from engine.steps.facts import Dataset, Tools

KEY_FOLDER = "erasure"
KEY_FILE = "tombstones.key"


@dataclass(frozen=True, slots=True)
class Erased:
    """The tombstones of everybody who was asked to be forgotten, as of request number ``through``, and their key."""

    through: Position
    key: ErasureKey
    tombstones: tuple[str, ...]

    def among(self, session: Session, subjects: Table) -> Table:
        """Which of some distinct texts ``subject`` are these people; held in memory, for there are few."""
        marks = session.rows(pa.table({"tombstone": pa.array(self.tombstones, pa.string())}))
        return session.cached(tombstoned(subjects, marks, self.key))


def erasures_head(tools: Tools) -> Position:
    """How often people were asked to be forgotten; 0 when never."""
    return tools.ledger.head(ERASURE_STREAM)


def erased(tools: Tools) -> Erased | None:
    """Everybody who was asked to be forgotten; None when nobody was.

    Raises `ErasureKeyMissing` when the key is not the one that the tombstones were made with.
    """
    through, marks, keys = Position(0), dict[str, None](), set[str]()
    for recorded in tools.ledger.read(ERASURE_STREAM):
        assert isinstance(recorded.event, ErasureRequested)
        through = recorded.position
        marks |= dict.fromkeys(recorded.event.tombstones)
        keys.add(recorded.event.key)
    if not through:
        return None
    key = stored_key(tools)
    if key is None or keys != {key.id}:
        raise _lost(key)
    return Erased(through, key, tuple(marks))


def stored_key(tools: Tools) -> ErasureKey | None:
    """The operator's key, or the one beside the segments; None where there is neither."""
    if tools.erasure_key is not None:
        return ErasureKey(tools.erasure_key)
    content = tools.storage.notes(KEY_FOLDER, KEY_FILE).get(KEY_FILE)
    return None if content is None else ErasureKey(content.strip())


def barred(tools: Tools, session: Session, dataset: Dataset, rows: Table) -> Table | None:
    """``pk`` and ``reason`` of the rows that must not be sent whatever consent says; None when there can be none."""
    found = erased(tools)
    if found is None or not dataset.subjects:
        return None
    people = found.among(session, subjects_of(rows, dataset.subjects))
    about = keys_about(rows, dataset.subjects, dataset.schema.key, people)
    return session.cached(about.mutate(reason=ibis.literal(Refusal.ERASURE.value)))


def _lost(key: ErasureKey | None) -> ErasureKeyMissing:
    what = "is not there" if key is None else "is another one than people were forgotten with"
    return ErasureKeyMissing(
        f"The key of the tombstones {what}, so nobody can tell who must not be sent",
        where=f"{KEY_FOLDER}/{KEY_FILE} in the storage, or `erasure.key` in tidegate.yaml",
        safe="Nothing was read from a source, written or sent.",
        next="put that key back, from where it is kept or from a backup of the storage",
    )
