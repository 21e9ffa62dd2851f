"""Forget people: suppress first, then remove, rewrite, prove and report; and go on with what could not be done yet."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from functools import partial

from engine.core.compare import REMOVALS
from engine.core.events import ErasureReported, ErasureRequested
from engine.core.names import ERASURE_STREAM, DatasetId, Digest, SyncId, erasure_stream
from engine.delivery.stop import StopRequest
from engine.errors import Busy, Interrupted, TidegateError
from engine.failpoints import failpoint
from engine.ledger.projections import runs, states, versions
from engine.ledger.recorded import Recorded
from engine.service.app import App
from engine.service.erasure_proof import REPORTS_FOLDER, prove, theirs_of
from engine.service.erasure_report import (
    DatasetErasure,
    ErasureReport,
    SearchReport,
    SyncErasure,
    signed,
)
from engine.steps.decisions import erase_decisions
from engine.steps.erase_segments import Versions, stored_versions
from engine.steps.erase_sync import clean_sync, is_marked, mark_sync, people_in
from engine.steps.erase_versions import erase_versions
from engine.steps.erased import Erased, erased
from engine.steps.forget import erasure_lease, suppress
from engine.steps.halt import is_paused, pause_of
from engine.steps.removals import owed_count, why_not
from engine.steps.run import remove
from engine.steps.sync_lease import sync_lease
from engine.steps.trip import unobserved

RUNS_LOOKED_AT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class ErasureStatus:
    """One request at a glance: ``complete``, ``open`` or ``overdue``; ``owed`` counts records still at destinations."""

    request: str
    status: str
    people: int
    reason: str
    requested_at: str
    due: str
    owed: int
    open: int


@dataclass(slots=True)
class _Work:
    """What one pass finds: who, what it could not do, and what it looked at."""

    app: App
    people: Erased
    open: list[str] = field(default_factory=list)
    segments: dict[DatasetId, int] = field(default_factory=dict)

    def kept(self, dataset: DatasetId) -> Versions:
        known = self.app.datasets.get(dataset)
        return stored_versions(self.app.tools, dataset, known.subjects if known else ())


def forget(app: App, subjects: Sequence[str], reason: str, stop: StopRequest) -> ErasureReport:
    """Suppress, and do all that can be done now; returns the signed report, with what is still owed or open."""
    event = suppress(app.tools, subjects, reason, app.project.environment.erasure.deadline)
    reports = {report.request: report for report in resume(app, stop)}
    return reports[event.request]


def resume(app: App, stop: StopRequest) -> list[ErasureReport]:
    """Go on with every request that is not complete; returns a report of each. Raises `Busy` while another does."""
    people = erased(app.tools)
    waiting = [fact for fact in _requests(app) if not _is_complete(app, fact)]
    if people is None or not waiting:
        return []
    with erasure_lease(app.tools):
        work = _Work(app, people)
        datasets = sorted({*versions.datasets(app.tools.database), *app.datasets})
        theirs = theirs_of(work.app, people, [work.kept(dataset) for dataset in datasets])
        for sync in sorted({*states.syncs(app.tools.database), *app.syncs}):
            _attempt(work, f"sync {sync}", partial(_remove, work, SyncId(sync), stop))
        _attempt(work, "consent decisions", lambda: erase_decisions(app.tools, people))
        for dataset in datasets:
            _attempt(work, f"dataset {dataset}", partial(_rewrite, work, dataset))
        kept = [work.kept(dataset) for dataset in datasets]
        proof = prove(app, people, kept, theirs)
        work.open += [f"a value of somebody stands in {name}" for name in proof.searched.found_in]
        proved = [
            DatasetErasure(k.dataset, k.columns, work.segments.get(k.dataset, 0), proof.datasets[k.dataset])
            for k in kept
        ]
        work.open += [f"{rows:,} rows about them are left in {name}" for name, rows in proof.left if rows]
        syncs = _syncs(work)
        search = SearchReport(**asdict(proof.searched))
        return [_reported(work, fact, tuple(syncs), tuple(proved), search) for fact in waiting]


def statuses(app: App) -> list[ErasureStatus]:
    """Every request, newest first."""
    now, owed = app.tools.clock.now(), _owed(app)
    found = []
    for fact in reversed(_requests(app)):
        event, last = _requested(fact), _last(app, fact)
        is_complete = last is not None and last.is_complete
        late = "overdue" if datetime.fromisoformat(event.due) <= now else "open"
        found.append(
            ErasureStatus(
                request=event.request,
                status="complete" if is_complete else late,
                people=len(event.tombstones),
                reason=event.reason,
                requested_at=fact.recorded_at.isoformat(),
                due=event.due,
                owed=0 if is_complete else sum(owed.values()),
                open=0 if is_complete else (last.open if last else 1),
            )
        )
    return found


def finish_open(app: App, stop: StopRequest) -> None:
    """What a run does at its end for requests that are not complete.

    Its own report is not lost by what cannot be done here: the request stays open and is shown.
    """
    try:
        resume(app, stop)
    except Interrupted:
        raise
    except TidegateError:
        return


def _attempt(work: _Work, what: str, act: Callable[[], object]) -> None:
    try:
        act()
    except Interrupted:
        raise
    except Busy:
        work.open.append(f"{what} is busy: the next run goes on")
    except TidegateError as error:
        work.open.append(f"{what}: {error.what}")


def _remove(work: _Work, name: SyncId, stop: StopRequest) -> None:
    app = work.app
    if (pause := pause_of(app.tools, name)) is not None:
        _mark(work, name)
        raise is_paused(name, pause)
    if name in app.syncs:
        remove(app.tools, app.syncs[name], stop, unobserved)
        return
    last = runs.last(app.tools.database, name)
    assert last is not None, "it folded"
    if last.finished_at is None:
        work.open.append(f"sync {name} is not in the project any more, and its run {last.run} did not end")
        return
    _mark(work, name)


def _mark(work: _Work, name: SyncId) -> None:
    """Let the state of a sync say what is to be removed, and clean what is kept of it; nothing is sent.

    Nothing while a run has not ended, for its fold would take that back.
    """
    app, last = work.app, runs.last(work.app.tools.database, name)
    if last is None or last.finished_at is None:
        return
    with sync_lease(app.tools, name) as lease, app.tools.compute.session() as session:
        theirs = people_in(app.tools, session, work.people, name, work.kept(last.dataset))
        mark_sync(app.tools, session, work.people, name, theirs, lease.fence)
        clean_sync(app.tools, session, work.people, name, theirs, lease.fence)


def _rewrite(work: _Work, dataset: DatasetId) -> None:
    """Under the leases of all who read the dataset, once none of them needs it to know whom it delivered."""
    app = work.app
    readers = [s for s in app.syncs.values() if dataset in {s.dataset.id, *(r.id for r in s.registers)}]
    with ExitStack() as leases:
        for sync in sorted(readers, key=lambda sync: sync.id):
            leases.enter_context(sync_lease(app.tools, sync.id))
        behind = [
            sync
            for sync in states.syncs(app.tools.database)
            if not is_marked(app.tools, work.people.through, sync) and _reads(app, sync, dataset)
        ]
        if behind:
            work.open.append(f"dataset {dataset} waits for {', '.join(behind)}")
            return
        work.segments[dataset] = erase_versions(app.tools, work.people, work.kept(dataset))


def _reads(app: App, sync: SyncId, dataset: DatasetId) -> bool:
    last = runs.last(app.tools.database, sync)
    return last is not None and last.dataset == dataset


def _owed(app: App) -> dict[SyncId, int]:
    with app.tools.compute.session() as session:
        return {sync: owed_count(app.tools, session, sync) for sync in states.syncs(app.tools.database)}


def _syncs(work: _Work) -> list[SyncErasure]:
    app, owed = work.app, _owed(work.app)
    found = []
    for name, count in owed.items():
        state, sync = states.current(app.tools.database, name), app.syncs.get(name)
        why = "it is not in the project any more: remove the records by hand" if sync is None else ""
        if sync is not None and state is not None:
            pause = pause_of(app.tools, name)
            why = why_not(sync, state) or (f"{pause}; `tidegate resume {name}`" if pause else "")
        rows = [r for r in runs.listing(app.tools.database, name, RUNS_LOOKED_AT_MAX) if r.comparison == REMOVALS]
        last = rows[0].reason if rows and count else ""
        found.append(
            SyncErasure(
                sync=name,
                destination=state.place.destination if state else "",
                removed=sum(row.delivered_deletes for row in rows),
                owed=count,
                runs=tuple(row.run for row in rows),
                why=(why or last) if count else "",
            )
        )
    return found


def _reported(
    work: _Work,
    fact: Recorded,
    syncs: tuple[SyncErasure, ...],
    datasets: tuple[DatasetErasure, ...],
    search: SearchReport,
) -> ErasureReport:
    app, event, now = work.app, _requested(fact), work.app.tools.clock.now()
    owed = sum(sync.owed for sync in syncs)
    late = "overdue" if datetime.fromisoformat(event.due) <= now else "open"
    report = ErasureReport(
        request=event.request,
        status=late if owed or work.open else "complete",
        people=len(event.tombstones),
        reason=event.reason,
        requested_at=fact.recorded_at.isoformat(),
        requested_by=fact.actor,
        due=event.due,
        reported_at=now.isoformat(),
        key=event.key,
        owed=owed,
        open=tuple(work.open),
        syncs=syncs,
        datasets=datasets,
        search=search,
        tombstones=event.tombstones,
    )
    content = signed(report, work.people.key)
    app.tools.storage.put_note(f"{REPORTS_FOLDER}/{event.request}.json", content)
    failpoint("report.before_commit")
    said = ErasureReported(
        request=event.request,
        report=Digest(hashlib.sha256(content).hexdigest()),
        owed=owed,
        open=len(work.open),
    )
    last = _last(app, fact)
    if last is None or (last.owed, last.open) != (said.owed, said.open):
        app.tools.ledger.append(erasure_stream(event.request), said)
    return replace(report, signature=work.people.key.signature(content))


def _requests(app: App) -> list[Recorded]:
    return list(app.tools.ledger.read(ERASURE_STREAM))


def _requested(fact: Recorded) -> ErasureRequested:
    assert isinstance(fact.event, ErasureRequested)
    return fact.event


def _last(app: App, fact: Recorded) -> ErasureReported | None:
    for recorded in app.tools.ledger.tail(1, erasure_stream(_requested(fact).request), ErasureReported):
        assert isinstance(recorded.event, ErasureReported)
        return recorded.event
    return None


def _is_complete(app: App, fact: Recorded) -> bool:
    last = _last(app, fact)
    return last is not None and last.is_complete
