"""When something is an alert: pure functions of how everything stands.

What has one cause is one alert: a refused dataset stands for the syncs that read it, and a destination that does not
answer for all that deliver to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.core.alert import Alert, Severity, owners_of
from engine.core.health import AccountHealth, DatasetHealth, Health, SyncHealth
from engine.core.names import SyncId
from engine.core.objectives import BurnRule
from engine.core.outcome import RunStatus

FAILING_FOR = timedelta(minutes=10)
"""A run that failed once may be mended by the next."""
WAITING_FOR = timedelta(hours=4)
"""What people are asked is theirs to decide, until it waits for long."""
UNFINISHED_FOR = timedelta(minutes=15)
"""A run without an end whose lease nobody holds is gone on with by the next, which ought to come."""
DAY_USED_MAX = 1.0
OWED_SHARE_MAX = 0.05
OWED_MIN = 20
"""Records that do not arrive are worth an alert when they are many, and many of all."""
LEDGER = "ledger"


@dataclass(frozen=True, slots=True)
class Burning:
    """A sync uses up the budget of an objective as fast as ``rule`` says, and last began to miss it at ``since``."""

    sync: SyncId
    objective: str
    target: float
    rule: BurnRule
    since: datetime


@dataclass(frozen=True, slots=True)
class Told:
    """What conditions need beside health: owners of datasets and syncs, leases that are held, objectives that are missed.

    ``fresh_for`` is how old what a dataset was read from, or what a destination holds, may be at most, where one says so.
    ``lost`` names what the ledger does not hold any more; empty when it holds all that the storage knows of.
    """

    owners: Mapping[str, str]
    fresh_for: Mapping[str, timedelta]
    held_leases: frozenset[str]
    burning: tuple[Burning, ...] = ()
    lost: str = ""


def alerts(health: Health, told: Told) -> tuple[Alert, ...]:
    """Every alert that there is, by id."""
    found = [
        *_of_ledger(health, told),
        *_of_erasures(health),
        *(alert for account in health.accounts.values() for alert in _of_account(account, health, told)),
        *(alert for dataset in health.datasets.values() for alert in _of_dataset(dataset, health, told)),
        *(alert for sync in health.syncs.values() for alert in _of_sync(sync, health, told)),
        *(_of_budget(burning, health, told) for burning in told.burning),
    ]
    return tuple(sorted(found, key=lambda alert: alert.id))


def _of_ledger(health: Health, told: Told) -> Iterator[Alert]:
    if told.lost:
        yield Alert(
            kind="ledger.regressed",
            subject=LEDGER,
            severity=Severity.PAGE,
            since=health.at,
            what="The ledger lacks events that it once held; nothing is sent until that is decided.",
            cause=told.lost,
            runbook="ledger-unreachable",
            datasets=tuple(health.datasets),
            syncs=tuple(health.syncs),
            destinations=tuple(health.accounts),
            next=("tidegate ledger verify", "tidegate ledger accept-regression --help"),
        )


def _of_erasures(health: Health) -> Iterator[Alert]:
    late = {request: due for request, due in health.erasures_due.items() if due <= health.at}
    if late:
        yield Alert(
            kind="erasure.overdue",
            subject=LEDGER,
            severity=Severity.PAGE,
            since=min(late.values()),
            what=f"{len(late):,} requests to forget people are past their deadline and not complete.",
            runbook="erasure-overdue",
            next=("tidegate erasures list", "tidegate erasures resume"),
        )


def _of_account(account: AccountHealth, health: Health, told: Told) -> Iterator[Alert]:
    name = account.destination
    users = [sync for sync in health.syncs.values() if sync.destination == name]
    syncs, datasets = tuple(sync.sync for sync in users), tuple(sorted({sync.dataset for sync in users}))
    reach = {
        "datasets": datasets,
        "syncs": syncs,
        "destinations": (name,),
        "owners": owners_of((*datasets, *syncs), told.owners),
    }
    if account.is_open:
        yield Alert(
            kind="destination.silent",
            subject=name,
            severity=Severity.PAGE,
            since=health.at,
            what=f"{name} does not answer call after call; it is left alone but for a probe now and then.",
            cause=next((s.reason for s in users if s.behind_since is not None and s.reason), ""),
            runbook="destination-outage",
            next=(f"tidegate destination check {name}", "tidegate status"),
            **reach,
        )
    used = [day.unit for day in account.days if day.used >= day.limit * DAY_USED_MAX]
    if used:
        yield Alert(
            kind="destination.day_used",
            subject=name,
            severity=Severity.TICKET,
            since=health.at,
            what=f"The day of {name} is used up: no more {' or '.join(used)} before it resets.",
            cause="",
            runbook="throttling",
            next=("tidegate status",),
            **reach,
        )


def _of_dataset(dataset: DatasetHealth, health: Health, told: Told) -> Iterator[Alert]:
    syncs = tuple(sync.sync for sync in health.syncs.values() if sync.dataset == dataset.dataset)
    reach = {
        "datasets": (dataset.dataset,),
        "syncs": syncs,
        "destinations": tuple(sorted({health.syncs[sync].destination for sync in syncs})),
        "owners": owners_of((dataset.dataset, *syncs), told.owners),
    }
    since, is_held = dataset.bad_since, dataset.status == RunStatus.HELD.value
    if since is not None and (not is_held or health.at - since >= WAITING_FOR):
        word = "waits for a decision" if is_held else "is refused"
        command = "tidegate approvals" if is_held else f"tidegate gates {dataset.dataset} --samples 5"
        yield Alert(
            kind="dataset.held" if is_held else "dataset.refused",
            subject=dataset.dataset,
            severity=Severity.TICKET,
            since=since,
            what=f"What was read of {dataset.dataset} {word}; the version before stays current.",
            cause=dataset.reason,
            runbook="contract-drift",
            next=(command, f"tidegate versions {dataset.dataset}"),
            **reach,
        )
    limit = told.fresh_for.get(dataset.dataset)
    if limit is not None and dataset.read_at is not None and health.at - dataset.read_at > limit:
        yield Alert(
            kind="dataset.stale",
            subject=dataset.dataset,
            severity=Severity.PAGE,
            since=dataset.read_at + limit,
            what=f"{dataset.dataset} was last read and found good more than {span(limit)} ago.",
            cause=dataset.reason,
            runbook="stale-source",
            next=(f"tidegate capture {dataset.dataset}", f"tidegate versions {dataset.dataset}"),
            **reach,
        )


def _of_sync(sync: SyncHealth, health: Health, told: Told) -> Iterator[Alert]:
    if sync.paused_since is not None:
        return
    if not _is_told_upstream(sync, health):
        yield from _behind(sync, health, told)
    yield from _owing(sync, health, told)
    limit = told.fresh_for.get(sync.sync)
    if limit is not None and sync.level_at is not None and sync.pinned_since is None:
        late = sync.level_at + limit
        if health.at > late:
            what = f"{sync.destination} does not hold what the source of {sync.sync} held {span(limit)} ago."
            more = (f"tidegate runs {sync.sync}", f"tidegate run {sync.sync}")
            yield _sync_alert("sync.stale", sync, health, told, Severity.PAGE, late, what, "stale-source", more)


def _is_told_upstream(sync: SyncHealth, health: Health) -> bool:
    """Whether the alert of its dataset or of its destination stands for the sync as well."""
    dataset, account = health.datasets.get(sync.dataset), health.accounts.get(sync.destination)
    is_refused = dataset is not None and dataset.bad_since is not None
    return is_refused or (account is not None and account.is_open)


def _behind(sync: SyncHealth, health: Health, told: Told) -> Iterator[Alert]:
    """Runs that do not bring it level, by why the newest did not; only a person ends a run as cancelled."""
    if sync.ended_at is None and sync.started_at is not None:
        is_left = sync.sync not in told.held_leases and health.at - sync.started_at >= UNFINISHED_FOR
        if is_left:
            what = f"A run of {sync.sync} has no end, and nobody goes on with it."
            more = (f"tidegate run {sync.sync}", f"tidegate runs {sync.sync}")
            yield _sync_alert(
                "sync.unfinished", sync, health, told, Severity.TICKET, sync.started_at, what, "stuck-job", more
            )
        return
    since = sync.behind_since
    if since is None:
        return
    match sync.status:
        case RunStatus.HELD.value if health.at - since >= WAITING_FOR:
            what = f"A plan of {sync.sync} waits for a decision."
            more = ("tidegate approvals", f"tidegate plan {sync.sync}")
            yield _sync_alert("sync.held", sync, health, told, Severity.TICKET, since, what, "mass-delete-block", more)
        case RunStatus.BLOCKED.value:
            what = f"A gate does not let {sync.sync} send its plan."
            more = (f"tidegate gates {sync.sync}", f"tidegate plan {sync.sync}")
            yield _sync_alert(
                "sync.blocked", sync, health, told, Severity.TICKET, since, what, "mass-delete-block", more
            )
        case RunStatus.FAILED.value | RunStatus.PARTIAL.value if health.at - since >= FAILING_FOR:
            what = f"Runs of {sync.sync} do not bring {sync.destination} level with the source."
            more = (f"tidegate runs {sync.sync}", f"tidegate destination check {sync.destination}")
            yield _sync_alert(
                "sync.failing", sync, health, told, Severity.TICKET, since, what, "destination-outage", more
            )
        case _:
            return


def _owing(sync: SyncHealth, health: Health, told: Told) -> Iterator[Alert]:
    dataset = health.datasets.get(sync.dataset)
    rows = dataset.rows if dataset else 0
    if sync.owed >= OWED_MIN and sync.owed > rows * OWED_SHARE_MAX:
        what = f"{sync.owed:,} records of {sync.sync} are not delivered as they should be."
        more = (f"tidegate quarantine list {sync.sync}", f"tidegate runs {sync.sync}")
        since = sync.ended_at or health.at
        yield _sync_alert("sync.owing", sync, health, told, Severity.TICKET, since, what, "poison-records", more)


def _of_budget(burning: Burning, health: Health, told: Told) -> Alert:
    """Page and ticket are two alerts, so that what becomes worse is told again."""
    sync, rule = health.syncs[burning.sync], burning.rule
    what = (
        f"{sync.sync} uses up what {burning.target:.6g} {burning.objective} leaves for 30 days"
        f" {rule.threshold:.3g} times as fast as it lasts, for {span(rule.long)}."
    )
    kind = f"objective.{burning.objective}.{rule.severity.value}"
    more = (f"tidegate runs {sync.sync}", f"tidegate status {sync.sync}")
    return _sync_alert(kind, sync, health, told, rule.severity, burning.since, what, "stale-source", more)


def _sync_alert(
    kind: str,
    sync: SyncHealth,
    health: Health,
    told: Told,
    severity: Severity,
    since: datetime,
    what: str,
    runbook: str,
    more: tuple[str, ...],
) -> Alert:
    return Alert(
        kind=kind,
        subject=sync.sync,
        severity=severity,
        since=since,
        what=what,
        cause=_cause(sync, health),
        runbook=runbook,
        datasets=(sync.dataset,),
        syncs=(sync.sync,),
        destinations=(sync.destination,),
        owners=owners_of((sync.sync, sync.dataset), told.owners),
        next=more,
    )


def _cause(sync: SyncHealth, health: Health) -> str:
    """Why its newest run ended as it did, and the version that came to be since the destination was level."""
    dataset = health.datasets.get(sync.dataset)
    accepted = dataset.accepted_at if dataset else None
    words = [sync.reason] if sync.reason else []
    if dataset is not None and accepted is not None and sync.level_at is not None and accepted > sync.level_at:
        words.append(f"{sync.dataset} has version {dataset.version} since {accepted:%Y-%m-%d %H:%M} UTC")
    return "; ".join(words)


def span(length: timedelta) -> str:
    """``90 s``, ``15 min``, ``4 h``, ``3 d``: the largest unit that says it in whole numbers."""
    seconds = round(length.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
