"""A candidate: one read of a source, written as a snapshot and judged. Nothing here is appended to the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
from ibis.expr.types import Table

from engine.core.events import CheckResult
from engine.core.names import SegmentRef
from engine.core.verdict import Verdict, blocked, passed, sentences, stopping, warned, worst
from engine.ledger.projections.versions import VersionRow
from engine.segments.compute import Session
from engine.segments.files import Storage
from engine.sources.normalise import Normalised, ValueViolation, canonical_types, normalise
from engine.steps.erased import without_erased
from engine.steps.facts import Dataset, Tools
from engine.steps.gate import gate
from engine.steps.quarantined_rows import write_quarantine
from engine.steps.queries import asked
from engine.steps.snapshots import snapshot_table, version_folder

DRIFT = "contract.columns"
VALUES = "contract.values"


@dataclass(frozen=True, slots=True)
class Read:
    """A candidate that was written and judged; ``ref`` is None when it could not be written.

    ``quarantine`` names the rows that are set aside; None when there are none.
    """

    ref: SegmentRef | None
    checks: tuple[CheckResult, ...]
    gate_seconds: float = 0.0
    quarantine: SegmentRef | None = None


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

    def rows(version: VersionRow) -> Table:
        return snapshot_table(tools, session, dataset.id, version.version)

    ref = without_erased(tools, session, dataset, None if before is None else lambda: rows(before), draft.ref, drafts)
    began = tools.clock.monotonic()
    local = drafts.local(ref)
    table = session.table(local)
    answers = asked(tools.compute, local, dataset.demands.queries, dataset.rules.query_seconds_max)
    checks = (*drift, *gate(tools, session, dataset, table, before, rows), *answers)
    quarantine: SegmentRef | None = None
    if worst(checks) is not Verdict.BLOCK:
        quarantine, judged = write_quarantine(session, dataset, table, number, checks, drafts)
        checks = (*checks, *judged)
    return Read(ref, checks, tools.clock.monotonic() - began, quarantine)


def is_settled(dataset: Dataset, before: VersionRow, checks: tuple[CheckResult, ...]) -> bool:
    """Whether rows that are the current version's need neither a new version nor a person.

    What was approved is not asked about again: the version that people accepted stands with just these findings.
    """
    if dict(before.columns) != dict(canonical_types(dataset.schema)) or tuple(before.key) != dataset.schema.key:
        return False
    asked = sentences(stopping(checks))
    return not asked or asked == sentences(stopping(before.checks))


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
