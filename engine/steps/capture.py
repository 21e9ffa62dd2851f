"""Capture: read a source once, judge what came, and accept it as a version when it differs from the last.

A candidate that is blocked, a read that fails and a crash at any line leave the version before as it was: only the
event at the end makes a version, and it is appended against the stream's expected position.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
from ibis.expr.types import Table

from engine.core.diff import IncomparableTypes, change_rows, changed_keys
from engine.core.events import CaptureBlocked, CaptureUnchanged, CheckResult, VersionAccepted
from engine.core.names import DatasetId, Position, SegmentRef, VersionNumber, dataset_stream
from engine.core.verdict import Verdict, blocked, passed, warned, worst
from engine.failpoints import failpoint
from engine.ledger.projections import versions
from engine.ledger.projections.versions import VersionRow
from engine.segments.compute import Session
from engine.segments.files import Storage
from engine.sources.normalise import Normalised, ValueViolation, canonical_types, normalise
from engine.steps.anchors import dataset_anchor, drop_anchor
from engine.steps.facts import Dataset, Tools
from engine.steps.gate import gate
from engine.steps.snapshots import drop_candidate, snapshot_table, version_folder

DRIFT = "contract.columns"
VALUES = "contract.values"
KEY_TYPE = "contract.key_type"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A new version stands in the ledger; ``gate_seconds`` of its capture were spent on checks."""

    version: VersionNumber
    rows: int
    inserts: int
    updates: int
    deletes: int
    checks: tuple[CheckResult, ...]
    gate_seconds: float


@dataclass(frozen=True, slots=True)
class Unchanged:
    """The source holds what ``version`` holds."""

    version: VersionNumber
    rows: int
    gate_seconds: float


@dataclass(frozen=True, slots=True)
class Blocked:
    """A gate refused the candidate; ``version`` (None before the first) stays current."""

    dataset: DatasetId
    version: VersionNumber | None
    checks: tuple[CheckResult, ...]
    gate_seconds: float


Captured = Accepted | Unchanged | Blocked


@dataclass(frozen=True, slots=True)
class Read:
    """A candidate that was written and judged; ``ref`` is None when it could not be written."""

    ref: SegmentRef | None
    checks: tuple[CheckResult, ...]
    gate_seconds: float = 0.0


def capture(tools: Tools, dataset: Dataset) -> Captured:
    """Read, judge and accept; returns what became of the read.

    Raises `SourceError` when the source cannot be read whole and `LedgerConflict` when another capture of the same
    dataset was accepted meanwhile; both leave everything as it was.
    """
    stream = dataset_stream(dataset.id)
    expected = tools.ledger.head(stream)
    before = versions.latest(tools.database, dataset.id)
    with tools.compute.session() as session:
        candidate = judge_candidate(tools, session, dataset, before, drafts=tools.storage)
        if candidate.ref is None or worst(candidate.checks).stops:
            return _refuse(tools, dataset, before, candidate, expected)
        if before is None:
            return _accept(tools, dataset, None, candidate.ref, None, (candidate.ref.rows, 0, 0), candidate, expected)
        if candidate.ref.digest == before.snapshot.digest and _same_columns(dataset, before):
            return _unchanged(tools, dataset, before, candidate, expected)
        return _compare(tools, session, dataset, before, candidate, expected)


def judge_candidate(
    tools: Tools, session: Session, dataset: Dataset, before: VersionRow | None, *, drafts: Storage
) -> Read:
    """Read the source into a candidate snapshot in ``drafts`` and judge it; appends nothing."""
    with dataset.read() as reading:
        normalised = normalise(reading, dataset.schema)
        drift = _drift(normalised)
        if worst(drift) is Verdict.BLOCK:
            return Read(None, drift)
        watched = _Watched(normalised.reader)
        number = (before.version if before else 0) + 1
        try:
            with drafts.writing(version_folder(dataset.id), f"{number:08d}-snapshot") as draft:
                session.write_reader(watched.reader(), draft.local)
        except ValueViolation as violation:
            return Read(None, (*drift, blocked(VALUES, str(violation))))
        except Exception:
            if isinstance(watched.raised, ValueViolation):
                return Read(None, (*drift, blocked(VALUES, str(watched.raised))))
            if watched.raised is not None:
                raise watched.raised from None
            raise
    began = tools.clock.monotonic()

    def rows(version: VersionRow) -> Table:
        return snapshot_table(tools, session, dataset.id, version.version)

    found = gate(tools, session, dataset, session.table(drafts.local(draft.ref)), before, rows)
    return Read(draft.ref, (*drift, *found), tools.clock.monotonic() - began)


class _Watched:
    """An Arrow stream that keeps the error which ended it: the database turns exceptions into text."""

    def __init__(self, reader: pa.RecordBatchReader) -> None:
        self._reader = reader
        self.raised: Exception | None = None

    def reader(self) -> pa.RecordBatchReader:
        return pa.RecordBatchReader.from_batches(self._reader.schema, self._batches())

    def _batches(self) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._reader
        except Exception as error:
            self.raised = error
            raise


def _drift(normalised: Normalised) -> tuple[CheckResult, ...]:
    results = [(blocked if finding.breaking else warned)(DRIFT, finding.message, {}) for finding in normalised.drift]
    return tuple(results) or (passed(DRIFT, "the source has every column of the contract"),)


def _same_columns(dataset: Dataset, before: VersionRow) -> bool:
    return dict(before.columns) == dict(canonical_types(dataset.schema)) and tuple(before.key) == dataset.schema.key


def _compare(
    tools: Tools, session: Session, dataset: Dataset, before: VersionRow, candidate: Read, expected: Position
) -> Captured:
    assert candidate.ref is not None, "compared only when it was written"
    key = dataset.schema.key
    old = snapshot_table(tools, session, dataset.id, before.version)
    new = session.table(tools.storage.local(candidate.ref))
    if (reason := _key_moved(before, old, new, key)) is not None:
        checks = (*candidate.checks, blocked(KEY_TYPE, reason))
        return _refuse(tools, dataset, before, Read(candidate.ref, checks, candidate.gate_seconds), expected)
    try:
        keys = session.cached(changed_keys(old, new, key))
    except IncomparableTypes as error:
        checks = (*candidate.checks, blocked(DRIFT, f"{error}; give it a new contract major"))
        return _refuse(tools, dataset, before, Read(candidate.ref, checks, candidate.gate_seconds), expected)
    counted = {r["_change"]: int(r["n"]) for r in session.fetch(keys.group_by("_change").aggregate(n=keys.count()))}
    counts = (counted.get("insert", 0), counted.get("update", 0), counted.get("delete", 0))
    if not any(counts) and _same_columns(dataset, before):
        return _unchanged(tools, dataset, before, candidate, expected)
    with tools.storage.writing(version_folder(dataset.id), f"{before.version + 1:08d}-changes") as draft:
        session.write(change_rows(keys, old, new, key), draft.local)
    return _accept(tools, dataset, before, candidate.ref, draft.ref, counts, candidate, expected)


def _key_moved(before: VersionRow, old: Table, new: Table, key: Sequence[str]) -> str | None:
    if tuple(before.key) != tuple(key):
        return f"the primary key was {', '.join(before.key)} and is {', '.join(key)}; give it a new contract major"
    for name in key:
        left, right = old.schema()[name], new.schema()[name]
        if left.copy(nullable=True) != right.copy(nullable=True):
            return f"primary key column {name} was {left} and is {right}; give it a new contract major"
    return None


def _accept(
    tools: Tools,
    dataset: Dataset,
    before: VersionRow | None,
    snapshot: SegmentRef,
    changes: SegmentRef | None,
    counts: tuple[int, int, int],
    candidate: Read,
    expected: Position,
) -> Accepted:
    version = VersionNumber((before.version if before else 0) + 1)
    event = VersionAccepted(
        dataset=dataset.id,
        version=version,
        snapshot=snapshot,
        changes=changes,
        rows=snapshot.rows,
        inserts=counts[0],
        updates=counts[1],
        deletes=counts[2],
        contract=dataset.contract,
        key=dataset.schema.key,
        columns=canonical_types(dataset.schema),
        checks=candidate.checks,
    )
    failpoint("capture.before_commit")
    tools.ledger.append(dataset_stream(dataset.id), event, expected=expected)
    failpoint("capture.after_commit")
    drop_anchor(tools, dataset_anchor(dataset.id), dataset_stream(dataset.id))
    return Accepted(version, snapshot.rows, *counts, checks=candidate.checks, gate_seconds=candidate.gate_seconds)


def _unchanged(tools: Tools, dataset: Dataset, before: VersionRow, candidate: Read, expected: Position) -> Unchanged:
    assert candidate.ref is not None, "compared only when it was written"
    rows = candidate.ref.rows
    drop_candidate(tools, candidate.ref)
    event = CaptureUnchanged(dataset=dataset.id, version=before.version, rows=rows)
    tools.ledger.append(dataset_stream(dataset.id), event, expected=expected)
    return Unchanged(before.version, rows, candidate.gate_seconds)


def _refuse(tools: Tools, dataset: Dataset, before: VersionRow | None, candidate: Read, expected: Position) -> Blocked:
    rows = 0
    if candidate.ref is not None:
        rows = candidate.ref.rows
        drop_candidate(tools, candidate.ref)
    event = CaptureBlocked(dataset=dataset.id, rows=rows, checks=candidate.checks)
    tools.ledger.append(dataset_stream(dataset.id), event, expected=expected)
    return Blocked(dataset.id, before.version if before else None, candidate.checks, candidate.gate_seconds)
