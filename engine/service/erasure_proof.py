"""What an erasure looks at when it is done: rows that are left, files that nobody names, and every byte that is no row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import select

from engine.core.names import CONSENT_STREAM, DatasetId, StreamId, run_stream, sync_stream
from engine.errors import ConfigurationError, ErasureKeyMissing
from engine.ledger.database import reading
from engine.ledger.projections import runs, states
from engine.ledger.tables import event as log
from engine.segments.compute import Session
from engine.service.app import App
from engine.service.erasure_report import Verified, read_report, verified
from engine.steps.erase_proof import Searched, chunks_of, count_about, own_values, search, sweep
from engine.steps.erase_segments import Versions, kept_segments, named_segments, people_of
from engine.steps.erased import Erased, stored_key
from engine.steps.facts import Tools
from engine.steps.snapshots import version_folder

REPORTS_FOLDER = "erasure/reports"
RUNS_MAX = 100_000


def values_of(app: App, people: Erased, kept: Sequence[Versions]) -> set[str]:
    """Values that belong to nobody but those who are forgotten, while their rows are still there to tell."""
    found = set[str]()
    with app.tools.compute.session() as session:
        for one in kept:
            known = app.datasets.get(one.dataset)
            identifiers = known.rules.identifiers.columns if known else ()
            who = people_of(app.tools, session, people, one, ())
            found |= own_values(app.tools, session, one, identifiers, who)
    return found


def prove(
    app: App, people: Erased, kept: Sequence[Versions], values: set[str]
) -> tuple[dict[DatasetId, int], Searched]:
    """Rows about them that are left in each dataset, and what a search of everything else found."""
    left = dict[DatasetId, int]()
    with app.tools.compute.session() as session:
        for one in kept:
            who = people_of(app.tools, session, people, one, ())
            tables = session.groups(app.tools.storage.local(ref) for ref in one.segments)
            left[one.dataset] = count_about(session, tables, one.columns, who)
            named = {ref.path for ref in one.segments}

            def holds(path: Path, one: Versions = one, session: Session = session) -> bool:
                table = session.table(path)
                columns = [c for c in one.columns if c in table.columns]
                texts = [table.select(subject=table[c].cast("string")).distinct() for c in columns]
                return any(session.fetch(people.among(session, text).limit(1)) for text in texts)

            sweep(app.tools, [version_folder(one.dataset)], named, holds)
        _sweep_syncs(app.tools, session, people)
    return left, search(_sources(app), values)


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


def _sweep_syncs(tools: Tools, session: Session, people: Erased) -> None:
    def holds(path: Path) -> bool:
        table = session.table(path)
        if "subject" not in table.columns:
            return False
        return bool(session.fetch(people.among(session, table.select("subject").distinct()).limit(1)))

    for sync in states.syncs(tools.database):
        streams = [sync_stream(sync), *(run_stream(r.run) for r in runs.listing(tools.database, sync, RUNS_MAX))]
        folders = [f"syncs/{sync}/{kind}" for kind in ("plans", "state", "exceptions")]
        sweep(tools, folders, _named(tools, streams), holds)
    sweep(tools, ["consent/decisions"], _named(tools, [CONSENT_STREAM]), holds)


def _named(tools: Tools, streams: Iterable[StreamId]) -> set[str]:
    refs = (ref for stream in streams for fact in tools.ledger.read(stream) for ref in named_segments(fact.event))
    return {ref.path for ref in kept_segments(tools, refs)}


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
    with reading(app.tools.database) as connection:
        rows = connection.execution_options(yield_per=1000).execute(select(log.c.data))
        for row in rows:
            yield row.data.encode()
