"""Who was asked to be forgotten, as captures, plans and deliveries see it: rows about them are not part of anything.

The ledger holds keyed tombstones and storage holds the key, each worthless without the other. Without the key nobody can
tell whom a tombstone is about, so everything that would read or send stops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import ibis
import pyarrow as pa
from ibis.expr.types import Table

from engine.core.canonical import text
from engine.core.desired import Refusal
from engine.core.erasure import ErasureKey, keys_about, subjects_of, tombstoned
from engine.core.events import ErasureRequested
from engine.core.names import ERASURE_STREAM, Position, SegmentRef, dataset_stream
from engine.errors import ErasureKeyMissing
from engine.ledger.projections.replaced import erased_through
from engine.segments.compute import Session
from engine.segments.files import Storage
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
    if erased_through(tools.database, dataset_stream(dataset.id)) >= found.through:
        # No version holds them, and no capture takes them in.
        return None
    people = found.among(session, subjects_of(rows, dataset.subjects))
    about = keys_about(rows, dataset.subjects, dataset.schema.key, people)
    return session.cached(about.mutate(reason=ibis.literal(Refusal.ERASURE.value)))


def without_erased(
    tools: Tools,
    session: Session,
    dataset: Dataset,
    before: Callable[[], Table] | None,
    ref: SegmentRef,
    drafts: Storage,
) -> SegmentRef:
    """A candidate in which none of these people is: ``ref`` itself, or what is left of it.

    Only subjects that the version ``before`` does not have are looked at, if that holds nobody of them.
    """
    found = erased(tools)
    if found is None or not dataset.subjects:
        return ref
    rows = session.table(drafts.local(ref))
    subjects = subjects_of(rows, dataset.subjects)
    is_clean = erased_through(tools.database, dataset_stream(dataset.id)) >= found.through
    if is_clean and before is not None and set(dataset.subjects) <= set((known := before()).columns):
        subjects = subjects.anti_join(subjects_of(known, dataset.subjects), "subject")
    people = found.among(session, subjects)
    if not session.single(people.aggregate(n=people.count()))["n"]:
        return ref
    about = [text(rows[column]).isin(people.subject).fill_null(False) for column in dataset.subjects]
    folder, name = ref.path.rpartition("/")[::2]
    with drafts.writing(folder, name.rpartition("-")[0]) as draft:
        session.write(rows.filter(~ibis.or_(*about)), draft.local)
    drafts.remove(ref)
    return draft.ref


def _lost(key: ErasureKey | None) -> ErasureKeyMissing:
    what = "is not there" if key is None else "is another one than people were forgotten with"
    return ErasureKeyMissing(
        f"The key of the tombstones {what}, so nobody can tell who must not be sent",
        where=f"{KEY_FOLDER}/{KEY_FILE} in the storage, or `erasure.key` in tidegate.yaml",
        safe="Nothing was read from a source, written or sent.",
        next="put that key back, from where it is kept or from a backup of the storage",
    )
