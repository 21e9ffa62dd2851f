"""Undo: bring a sync back to an earlier version and keep it there, let it go on, withdraw a version from every sync."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.core.compare import INCOMPLETE
from engine.core.desired import ids
from engine.core.effort import effort
from engine.core.events import CheckResult
from engine.core.names import VersionNumber, name_of
from engine.core.state import live
from engine.core.verdict import Verdict, worst
from engine.delivery.pacer import RECORDS, REQUESTS
from engine.delivery.stop import StopRequest
from engine.errors import ConfigurationError
from engine.ledger.projections import states
from engine.owner_only import make_folder
from engine.segments.compute import Session
from engine.segments.files import Storage
from engine.service.app import App
from engine.service.plans import plan_counts, plan_samples
from engine.service.references import referred
from engine.service.reports import PlanCounts, RunReport
from engine.service.runs import Observe, run_as_captured
from engine.service.samples import Sample
from engine.steps.aim import pinned_version, wanted_version
from engine.steps.anchors import check_anchors
from engine.steps.delivered_state import state_layers
from engine.steps.facts import Dataset, Sync
from engine.steps.halt import refuse_paused
from engine.steps.kept_rows import KeptRows, keep, keeping, kept_rows, with_kept
from engine.steps.pin import known_good, pin, pin_to_take_away, unpin, withdraw
from engine.steps.plan import Planned, Settled, plan
from engine.steps.snapshots import snapshot_table


@dataclass(frozen=True, slots=True)
class MovePreview:
    """What it would take to bring a sync from the version that was delivered to ``version``; nothing was changed.

    ``delivered`` is None before a first delivery and after one that did not reach its end. ``stays`` counts records that the
    destination holds and the version has not, and which the sync's mode never deletes. ``cannot_undo`` is what the
    destination cannot take back, ``calls`` and ``seconds`` are the least that it takes (0 seconds: no pace is declared).
    """

    sync: str
    dataset: str
    delivered: int | None
    version: int
    plan: PlanCounts
    checks: tuple[CheckResult, ...]
    samples: tuple[Sample, ...]
    stays: int
    cannot_undo: str
    calls: int
    seconds: float
    blocked: bool
    held: bool


@dataclass(frozen=True, slots=True)
class WithdrawPreview:
    """What withdrawing a version would do to each sync of its dataset."""

    dataset: str
    version: int
    syncs: tuple[MovePreview, ...]


@dataclass(frozen=True, slots=True)
class UnpinReport:
    """A pin to ``version`` was taken away; ``next`` is what to type now."""

    sync: str
    version: int
    next: str


def preview_rollback(
    app: App, name: str, to: int, *, only: Sequence[str] | None = None, samples: int = 3
) -> MovePreview:
    """What `roll_back` would send, from the version as it was captured and under today's consent.

    With ``only``, match keys: what `roll_back_some` would.
    """
    sync = app.sync(name)
    check_anchors(app.tools)
    known_good(app.tools, sync.dataset, VersionNumber(to))
    return _preview(app, sync, VersionNumber(to), samples, only)


def roll_back_some(
    app: App, name: str, to: int, only: Sequence[str], reason: str, stop: StopRequest, observe: Observe | None = None
) -> list[RunReport]:
    """Keep the records with these match keys at a version and run the sync; all others follow the newest.

    As `roll_back` it reads no source; raises as `engine.steps.kept_rows.keep`.
    """
    sync = app.sync(name)
    refuse_paused(app.tools, sync.id)
    keep(app.tools, sync, VersionNumber(to), only, reason)
    return [run_as_captured(app, sync.id, stop, observe)]


def roll_back(
    app: App, name: str, to: int, reason: str, stop: StopRequest, observe: Observe | None = None
) -> list[RunReport]:
    """Pin the sync to a version and run it; the pin stands from the first moment, whatever becomes of the run.

    The source is not read: it may be what is broken.
    """
    sync = app.sync(name)
    refuse_paused(app.tools, sync.id)
    pin(app.tools, sync, VersionNumber(to), reason)
    return [run_as_captured(app, sync.id, stop, observe)]


def preview_unpin(app: App, name: str, *, samples: int = 3) -> MovePreview:
    """What the next run would send if the sync were not pinned and the source held what was captured last."""
    sync = app.sync(name)
    check_anchors(app.tools)
    pin_to_take_away(app.tools, sync)
    return _preview(app, sync, wanted_version(app.tools, sync.dataset.id, None), samples)


def unpin_sync(app: App, name: str, reason: str) -> UnpinReport:
    """Let the sync follow the newest version again, from its next run on."""
    sync = app.sync(name)
    was = unpin(app.tools, sync, reason)
    return UnpinReport(sync.id, was.version, f"tidegate run {sync.id}")


def preview_withdraw(app: App, reference: str, *, samples: int = 3) -> WithdrawPreview:
    """What `withdraw_version` would send through each sync that follows the version."""
    dataset, version = _referred(app, reference)
    check_anchors(app.tools)
    known_good(app.tools, dataset, version)
    found = [
        _preview(app, sync, wanted_version(app.tools, dataset.id, VersionNumber(version - 1)), samples)
        for sync in _following(app, dataset, version)
    ]
    return WithdrawPreview(dataset.id, version, tuple(found))


def withdraw_version(
    app: App, reference: str, reason: str, stop: StopRequest, observe: Observe | None = None
) -> list[RunReport]:
    """Mark a version as bad and bring every sync that followed it back to the newest good one before."""
    dataset, version = _referred(app, reference)
    syncs = _following(app, dataset, version)
    withdraw(app.tools, dataset, version, reason)
    return [run_as_captured(app, sync.id, stop, observe) for sync in syncs]


def _following(app: App, dataset: Dataset, version: VersionNumber) -> list[Sync]:
    """The syncs that would be brought to ``version``, or were: one that was interrupted may hold a part of it."""
    found = []
    with app.tools.compute.session() as session:
        keeping_it = {
            sync.id
            for sync in app.syncs.values()
            if (kept := kept_rows(app.tools, session, sync)) is not None and version in kept.versions.values()
        }
    for sync in (app.syncs[name] for name in app.sync_names):
        if sync.dataset.id != dataset.id:
            continue
        state = states.current(app.tools.database, sync.id)
        holds = state is not None and state.version in {version, INCOMPLETE}
        if (
            holds
            or sync.id in keeping_it
            or wanted_version(app.tools, dataset.id, pinned_version(app.tools, sync.id)) == version
        ):
            found.append(sync)
    return found


def _referred(app: App, reference: str) -> tuple[Dataset, VersionNumber]:
    dataset, version = referred(app, reference)
    name = name_of(dataset.id)
    if any(file.kind == "consent" for file in app.project.datasets.values() if file.name == name):
        raise ConfigurationError(
            f"{dataset.id} is a register of consent, and withdrawing a version of it could give back what was taken back",
            safe="Nothing was changed.",
            next="record the decisions that are right: `tidegate consent import FILE`",
        )
    return dataset, version


def _preview(app: App, sync: Sync, to: VersionNumber, samples: int, only: Sequence[str] | None = None) -> MovePreview:
    make_folder(app.scratch)
    with tempfile.TemporaryDirectory(dir=app.scratch) as folder, app.tools.compute.session() as session:
        drafts = Storage(folder, scratch=Path(folder), entropy=app.tools.entropy)
        kept = None if only is None else keeping(app.tools, session, sync, to, only, drafts)[0]
        whole = to if only is None else None
        planned = plan(app.tools, session, sync, drafts=drafts, to=whole, keeping=kept)
        shown = plan_samples(session, sync, planned, drafts, samples)
        stays = _stays(app, session, sync, planned, drafts, kept)
    return _report(app, sync, to, planned, shown, stays)


def _stays(
    app: App, session: Session, sync: Sync, planned: Planned | Settled, drafts: Storage, kept: KeptRows | None
) -> int:
    """Records that are held, have no row in the version, and are not removed by the plan."""
    state = states.current(app.tools.database, sync.id)
    if state is None or not state.segments or isinstance(planned, Settled) or planned.is_blocked:
        return 0
    rows = snapshot_table(app.tools, session, sync.dataset.id, planned.version)
    rows = with_kept(app.tools, session, sync, rows, kept)
    held = live(state_layers(app.tools, session, state))
    left = held.filter(held.acked).anti_join(ids(rows, sync.mapping, sync.dataset.schema.key), "id")
    if planned.segment is not None:
        left = left.anti_join(session.table(drafts.local(planned.segment)), "id")
    return int(session.single(left.aggregate(n=left.count()))["n"])


def _report(
    app: App, sync: Sync, to: VersionNumber, planned: Planned | Settled, samples: tuple[Sample, ...], stays: int
) -> MovePreview:
    counts = plan_counts(planned)
    checks = planned.checks if isinstance(planned, Planned) else ()
    state = states.current(app.tools.database, sync.id)
    target = sync.target
    sent = (counts.inserts + counts.updates, counts.deletes)
    least = effort(
        sent,
        target.limits_for(sum(sent)).records,
        calls_at=target.paces.get(REQUESTS),
        records_at=target.paces.get(RECORDS),
    )
    return MovePreview(
        sync=sync.id,
        dataset=sync.dataset.id,
        delivered=(state.version or None) if state else None,
        version=to,
        plan=counts,
        checks=checks,
        samples=samples,
        stays=stays,
        cannot_undo=target.destination.spec.undo,
        calls=least.calls,
        seconds=round(least.seconds, 1),
        blocked=worst(checks) is Verdict.BLOCK,
        held=worst(checks) is Verdict.HOLD,
    )
