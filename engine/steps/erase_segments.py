"""Write segments again without somebody: which rows are about them, and one pass over each file that holds some.

The new file is on disk before the event that names it, and the old one goes after that event; whatever ends this in
between, the next attempt finds either the old file or the new one named, and the other is removed.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import ibis
import pyarrow as pa
from ibis.expr.types import BooleanValue, Table

from engine.core.canonical import key_text, text
from engine.core.erasure import keys_about, subjects_of
from engine.core.events import CaptureBlocked, ErasedSegment, SegmentsErased, VersionHeld
from engine.core.named_segments import named_segments
from engine.core.names import DatasetId, Position, SegmentRef, StreamId, dataset_stream
from engine.core.relations import union
from engine.errors import LedgerConflict
from engine.ledger.projections import versions
from engine.ledger.projections.replaced import current_of, superseded
from engine.segments.compute import FILE, Session
from engine.steps.erased import Erased
from engine.steps.facts import Tools

REPLACED_FOLDER = "erasure/replaced"
Mine = Callable[[Table], BooleanValue]
"""Which rows of a segment are about these people, or say something of them."""
Left = Callable[[Table], Table]
"""From the rows of a segment to what is left of them."""


@dataclass(frozen=True, slots=True)
class People:
    """Who is forgotten, as the segments write them: texts ``subject``, and ``pk`` of the rows that were about them."""

    subjects: Table
    keys: Table

    def about(self, rows: Table, columns: Sequence[str]) -> BooleanValue:
        """Which rows have one of them in a subject column."""
        found = [text(rows[column]).isin(self.subjects.subject).fill_null(False) for column in columns]
        return ibis.or_(*found) if found else ibis.literal(False)

    def of_subject(self, rows: Table) -> BooleanValue:
        """Which rows have one of them in the column ``subject``."""
        return self.about(rows, ["subject"])


@dataclass(frozen=True, slots=True)
class Versions:
    """The segments of a dataset that hold its rows, and by which columns."""

    dataset: DatasetId
    columns: tuple[str, ...]
    key: tuple[str, ...]
    segments: tuple[SegmentRef, ...]


def stored_versions(tools: Tools, dataset: DatasetId, columns: tuple[str, ...]) -> Versions:
    """What is kept of a dataset; ``columns`` are its subject columns by its file, empty when it has no file any more."""
    newest = versions.latest(tools.database, dataset)
    key, named = newest.key if newest else (), list[SegmentRef]()
    for fact in tools.ledger.read(dataset_stream(dataset)):
        named += named_segments(fact.event)
        if newest is None and isinstance(fact.event, CaptureBlocked | VersionHeld):
            # Rows of candidates are kept as well before there is any version.
            key = fact.event.key
    return Versions(dataset, columns or (key if len(key) == 1 else ()), key, kept_segments(tools, named))


def kept_segments(tools: Tools, named: Iterable[SegmentRef]) -> tuple[SegmentRef, ...]:
    """Those of some segments that are still stored, each once and as it stands today."""
    today = dict.fromkeys(current_of(tools.database, named).values())
    return tuple(ref for ref in today if tools.storage.exists(ref))


def people_of(tools: Tools, session: Session, erased: Erased, kept: Versions, also: Sequence[Table]) -> People:
    """Who of the forgotten the segments of a dataset know, and ``also`` other rows by their column ``subject``.

    A row that is about somebody else today is not theirs, although it once was.
    """
    groups = session.groups(tools.storage.local(ref) for ref in kept.segments)
    tables = [(table, [c for c in kept.columns if c in table.columns]) for table in groups]
    texts = [subjects_of(table, columns) for table, columns in tables if columns]
    texts += [rows.select("subject") for rows in also]
    if not texts:
        return nobody(session)
    subjects = erased.among(session, union(*texts, distinct=True))
    usable = [(table, columns) for table, columns in tables if columns and set(kept.key) <= set(table.columns)]
    if not usable:
        return People(subjects, nobody(session).keys)
    theirs = union(*(keys_about(table, columns, kept.key, subjects) for table, columns in usable), distinct=True)
    keys = session.cached(theirs)
    newest, columns = _newest(tools, session, kept) or usable[-1]
    others = newest.filter(~People(subjects, keys).about(newest, columns))
    still = others.select(pk=key_text([others[c] for c in kept.key]))
    return People(subjects, session.cached(keys.anti_join(still, "pk")))


def nobody(session: Session) -> People:
    """No people at all."""
    empty = session.rows(pa.table({"subject": pa.array([], pa.string()), "pk": pa.array([], pa.string())}))
    return People(empty.select("subject"), empty.select("pk"))


def _newest(tools: Tools, session: Session, kept: Versions) -> tuple[Table, list[str]] | None:
    """The rows of the newest version and by which columns people are found in them; None when none was accepted."""
    row = versions.latest(tools.database, kept.dataset)
    if row is None:
        return None
    ref = row.snapshot if tools.storage.exists(row.snapshot) else kept.segments[-1]
    table = session.table(tools.storage.local(ref))
    return table, [c for c in kept.columns if c in table.columns]


def rewritten(
    tools: Tools, session: Session, refs: Iterable[SegmentRef], mine: Mine, left: Left
) -> Iterator[ErasedSegment]:
    """Write those of some segments again of which something has to go; the caller names what this yields in an event.

    All are asked at once which they are, and each of these is read once more.
    """
    known = {str(path): (path, ref) for ref in refs for path in [tools.storage.local(ref)]}
    for rows in session.groups(path for path, _ in known.values()):
        found = session.fetch(rows.filter(mine(rows)).select(FILE).distinct().order_by(FILE))
        if not found:
            continue
        write = session.writing_each(known[found[0][FILE]][0], left)
        for row in found:
            local, ref = known[row[FILE]]
            path = PurePosixPath(ref.path)
            with tools.storage.writing(str(path.parent), path.stem.rpartition("-")[0] or path.stem) as draft:
                write(local, draft.local)
            yield ErasedSegment(ref, draft.ref)


def dropping(mine: Mine) -> Left:
    """Leave rows out."""
    return lambda rows: rows.filter(~mine(rows))


def note_replaced(tools: Tools, stream: StreamId, event: SegmentsErased) -> None:
    """Write down beside the segments which stand in for which, before an event says so.

    A ledger that is restored from before that event names files that are no more, and learns from here what holds them.
    """
    if event.segments:
        content = {"stream": stream, "segments": [dataclasses.asdict(segment) for segment in event.segments]}
        tools.storage.put_note(f"{REPLACED_FOLDER}/{tools.entropy.token(8)}.json", json.dumps(content).encode() + b"\n")


def commit_rewritten(tools: Tools, stream: StreamId, event: SegmentsErased, expected: Position) -> None:
    """Note and append what was rewritten; when somebody appended first, what was written is dropped again.

    Raises `LedgerConflict` then.
    """
    note_replaced(tools, stream, event)
    try:
        tools.ledger.append(stream, event, expected=expected)
    except LedgerConflict:
        for segment in event.segments:
            tools.storage.remove_path(segment.after.path)
        raise


def lost_replacements(tools: Tools) -> dict[StreamId, SegmentsErased]:
    """What the storage knows of replaced segments and the ledger does not; the work is then to be looked at again."""
    pairs = list[tuple[StreamId, ErasedSegment]]()
    for content in tools.storage.notes(REPLACED_FOLDER, ".json").values():
        data = json.loads(content)
        for pair in data["segments"]:
            segment = ErasedSegment(SegmentRef(**pair["before"]), SegmentRef(**pair["after"]))
            pairs.append((StreamId(data["stream"]), segment))
    after = {segment.before.path: segment.after for _, segment in pairs}
    known, found = set(superseded(tools.database)), dict[StreamId, list[ErasedSegment]]()
    for stream, segment in pairs:
        last = segment.after
        while last.path in after:
            last = after[last.path]
        # A note whose event was never appended leads to a file that was dropped again.
        if segment.before.path not in known and tools.storage.exists(last):
            found.setdefault(stream, []).append(segment)
    return {stream: SegmentsErased(through=0, segments=tuple(segments)) for stream, segments in found.items()}


def remove_old(tools: Tools, segments: Sequence[ErasedSegment]) -> None:
    """Delete the files that others stand in for, and local copies of them."""
    for segment in segments:
        tools.storage.forget_copy(segment.before)
        tools.storage.remove_path(segment.before.path)
