"""What an erasure looks at when it is done: rows that are left, files that nobody names, and every byte that is no row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import ibis
import pyarrow as pa
from ibis.expr.types import Table
from sqlalchemy import select

from engine.core.named_segments import named_segments
from engine.core.names import (
    CONSENT_STREAM,
    DatasetId,
    SegmentRef,
    StreamId,
    SyncId,
    pin_stream,
    run_stream,
    sync_stream,
)
from engine.core.relations import union
from engine.errors import ConfigurationError, ErasureKeyMissing
from engine.ledger.database import reading
from engine.ledger.projections import runs, states
from engine.ledger.tables import event as log
from engine.segments.compute import Session
from engine.service.app import App
from engine.service.erasure_report import Verified, read_report, verified
from engine.steps.collect import SYNC_KINDS
from engine.steps.erase_proof import Searched, chunks_of, count_about, own_values, search, sweep
from engine.steps.erase_segments import People, Versions, kept_segments, people_of
from engine.steps.erased import Erased, stored_key
from engine.steps.facts import Tools
from engine.steps.snapshots import version_folder

REPORTS_FOLDER = "erasure/reports"


@dataclass(frozen=True, slots=True)
class Theirs:
    """What belonged to nobody but those who are forgotten: values anywhere, and in each dataset keys of rows, ``pk``."""

    values: set[str]
    keys: Mapping[DatasetId, pa.Table]


@dataclass(frozen=True, slots=True)
class Proof:
    """Rows about them that are left in each dataset and each sync, and what a search of everything else found."""

    datasets: Mapping[DatasetId, int]
    syncs: Mapping[SyncId, int]
    searched: Searched

    @property
    def left(self) -> list[tuple[str, int]]:
        """How many rows, by what holds them."""
        return [*self.datasets.items(), *((f"sync {sync}", rows) for sync, rows in self.syncs.items())]


def theirs_of(app: App, people: Erased, kept: Sequence[Versions]) -> Theirs:
    """Asked while their rows are still there to tell."""
    values, keys = set[str](), dict[DatasetId, pa.Table]()
    with app.tools.compute.session() as session:
        for one in kept:
            known = app.datasets.get(one.dataset)
            identifiers = known.rules.identifiers.columns if known else ()
            who = people_of(app.tools, session, people, one, ())
            values |= own_values(app.tools, session, one, identifiers, who)
            keys[one.dataset] = session.stream(who.keys).read_all()
    return Theirs(values, keys)


def prove(app: App, people: Erased, kept: Sequence[Versions], theirs: Theirs) -> Proof:
    """Ask every stored row again, remove what no event names, and search everything else."""
    left = dict[DatasetId, int]()
    with app.tools.compute.session() as session:
        for one in kept:
            found = people_of(app.tools, session, people, one, ())
            who = People(found.subjects, union(found.keys, session.rows(theirs.keys[one.dataset])))
            tables = session.groups(app.tools.storage.local(ref) for ref in one.segments)
            left[one.dataset] = count_about(session, tables, one.columns, who)
            named = {ref.path for ref in one.segments}

            def holds(path: Path, one: Versions = one, session: Session = session) -> bool:
                table = session.table(path)
                columns = [c for c in one.columns if c in table.columns]
                texts = [table.select(subject=table[c].cast("string")).distinct() for c in columns]
                return any(session.fetch(people.among(session, text).limit(1)) for text in texts)

            sweep(app.tools, [version_folder(one.dataset)], named, holds)
        syncs = _prove_syncs(app.tools, session, people)
    return Proof(left, syncs, search(_sources(app), theirs.values))


def verify_report(app: App, file: Path, subject: str | None) -> Verified:
    """Whether a report is as this project signed it, and about ``subject``."""
    key = stored_key(app.tools)
    if key is None:
        raise ErasureKeyMissing("There is no key to verify a report with", next="use the project that signed it")
    return verified(read_report(file), key, subject)


def report_file(app: App, request: str) -> bytes:
    """The signed report of a request as its file holds it."""
    found = app.tools.storage.notes(REPORTS_FOLDER, f"{request}.json")
    if f"{request}.json" not in found:
        raise ConfigurationError(
            "There is no report of such a request", next="`tidegate erasures list` shows the requests"
        )
    return found[f"{request}.json"]


def _prove_syncs(tools: Tools, session: Session, people: Erased) -> dict[SyncId, int]:
    """Remove what is left over, and count the rows of plans and states that still say whom they are about.

    One that stays for a removal that is owed is no such row.
    """

    def holds(path: Path) -> bool:
        table = session.table(path)
        if "subject" not in table.columns:
            return False
        return bool(session.fetch(people.among(session, table.select("subject").distinct()).limit(1)))

    left = dict[SyncId, int]()
    for sync in states.syncs(tools.database):
        of_runs = (run_stream(r.run) for r in runs.history(tools.database, sync))
        folders = [f"syncs/{sync}/{kind}" for kind in SYNC_KINDS]
        refs = _named(tools, [sync_stream(sync), pin_stream(sync), *of_runs])
        sweep(tools, folders, {ref.path for ref in refs}, holds)
        left[sync] = _count_named(session, session.groups(tools.storage.local(ref) for ref in refs), people)
    sweep(tools, ["consent/decisions"], {ref.path for ref in _named(tools, [CONSENT_STREAM])}, holds)
    return left


def _count_named(session: Session, tables: Sequence[Table], people: Erased) -> int:
    found = 0
    for table in (table for table in tables if "subject" in table.columns):
        owed = [table[c].fill_null(False) for c in ("erase", "was_erase") if c in table.columns]
        rows = table.filter(~ibis.or_(*owed)) if owed else table
        about = rows.semi_join(people.among(session, rows.select("subject").distinct()), "subject")
        found += int(session.single(about.aggregate(n=about.count()))["n"])
    return found


def _named(tools: Tools, streams: Iterable[StreamId]) -> tuple[SegmentRef, ...]:
    refs = (ref for stream in streams for fact in tools.ledger.read(stream) for ref in named_segments(fact.event))
    return kept_segments(tools, refs)


def _sources(app: App) -> Iterator[tuple[str, Iterable[bytes]]]:
    """Everything that is no segment: the ledger, the folder for spools and logs, the notes beside the segments."""
    yield "the ledger's events", _events(app)
    database = app.tools.database
    if database.dialect.name == "sqlite":
        for suffix in ("", "-wal"):
            path = Path(f"{database.url.database}{suffix}")
            yield path.name, chunks_of(path)
    for path in sorted(app.scratch.rglob("*")):
        if path.is_file() and path.suffix not in {".parquet", ".db", ".key"}:
            yield str(path.relative_to(app.scratch)), chunks_of(path)
    for folder in ("anchors", "erasure/requests", "erasure/reports"):
        for name, content in app.tools.storage.notes(folder, ".json").items():
            yield f"{folder}/{name}", [content]


def _events(app: App) -> Iterator[bytes]:
    found = select(log.c.data).execution_options(yield_per=1000)
    with reading(app.tools.database) as connection, connection.execute(found) as rows:
        for row in rows:
            yield row.data.encode()
