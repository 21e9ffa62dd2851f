"""Look: syncs, runs, versions, differences and single records. Nothing here changes anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import click
from rich.text import Text

from engine.faces.cli.group import Command
from engine.faces.cli.halt import pause_words
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import age, count, moment, plain, seconds
from engine.faces.cli.previews import samples_option
from engine.faces.cli.render import (
    Column,
    Lines,
    cell,
    changes,
    delivered,
    figure,
    next_step,
    sample_lines,
    status_cell,
    table,
    title,
)
from engine.faces.cli.render import (
    show as show_report,
)
from engine.service.accounts import AccountReport
from engine.service.look import (
    DiffReport,
    VersionReport,
    diff_versions,
    run_list,
    version_list,
)
from engine.service.reports import RunReport
from engine.service.status import SyncStatus, sync_statuses

LIMIT_MAX = 10_000


@click.command(cls=Command)
@click.argument("sync", required=False)
@click.pass_context
def status(context: click.Context, sync: str | None) -> int:
    """Show every sync at a glance."""
    with opened(context) as app:
        report = sync_statuses(app, sync)
    show_report(context, report, status_view)
    return 0


@click.command(cls=Command)
@click.argument("sync")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=20, show_default=True, help="Runs to list.")
@click.pass_context
def runs(context: click.Context, sync: str, limit: int) -> int:
    """List the runs of a sync, newest first."""
    with opened(context) as app:
        report = run_list(app, sync, limit)
    show_report(context, report, runs_view)
    return 0


@click.command(cls=Command)
@click.argument("dataset")
@click.pass_context
def versions(context: click.Context, dataset: str) -> int:
    """List the versions of a dataset."""
    with opened(context) as app:
        report = version_list(app, dataset)
    show_report(context, report, versions_view)
    return 0


@click.command(cls=Command)
@click.argument("dataset")
@click.argument("a", type=click.IntRange(min=1))
@click.argument("b", type=click.IntRange(min=1))
@samples_option("Rows to show per kind of change.")
@click.pass_context
def diff(context: click.Context, dataset: str, a: int, b: int, samples: int) -> int:
    """Compare two versions of a dataset.

    Values classified above internal are masked.
    """
    with opened(context) as app:
        report = diff_versions(app, dataset, a, b, samples=samples)
    show_report(context, report, diff_view)
    return 0


def status_view(report: Sequence[SyncStatus]) -> Lines:
    """One row a sync in a hundred columns; below it what a row has no room for, and what accounts ask for.

    ``fresh`` and ``ended`` are ages, ``next`` is in how long a schedule has it run, ``aside`` counts rows and records in quarantine, ``budget`` is what is used of a day,
    or ``open`` while the destination's circuit is.
    """
    if not report:
        yield Text("The project has no syncs.")
        return
    if len(report) == 1:
        (only,) = report
        yield title(only.sync, f"{only.dataset} to {only.destination}, mode {only.mode}")
    is_timed = any(sync.next_run for sync in report)
    columns = [
        *(Column(name) for name in ("sync", "version")),
        *(Column(name, is_number=True) for name in ("fresh", "lag", "held", "owed", "aside", "budget")),
        *(Column(name) for name in ("last run", "ended")),
        *((Column("next"),) if is_timed else ()),
    ]
    yield from table(columns, (_status_row(sync, is_timed=is_timed) for sync in report))
    for sync in report:
        yield from _words(sync)
    for told in dict.fromkeys(sync.notice for sync in report if sync.notice):
        yield Text.assemble(("warning: ", "yellow"), plain(told))
    for held in dict.fromkeys(sync.held_version for sync in report if sync.held_version):
        yield Text.assemble(cell(held, "bold"), " waits for approval")
        yield from next_step(f"tidegate approve {held}")
    for destination, account in {sync.destination: sync.account for sync in report}.items():
        if said := "; ".join(_account(account)):
            users = ", ".join(sync.sync for sync in report if sync.destination == destination)
            yield Text.assemble(cell(destination, "bold"), f" ({plain(users)}): ", plain(said))


def _words(sync: SyncStatus) -> Lines:
    """What the row does not say of a sync."""
    if sync.reason:
        yield Text.assemble(cell(sync.sync, "bold"), ": ", plain(sync.reason))
    if sync.paused is not None:
        yield Text.assemble(cell(sync.sync, "bold"), ": ", plain(pause_words(sync.paused)))
        yield from next_step(f"tidegate resume {sync.sync}")
    if sync.pinned_version is not None:
        kept = f"pinned to version {sync.pinned_version}; `tidegate unpin {sync.sync}` lets it go on"
        yield Text.assemble(cell(sync.sync, "bold"), ": ", plain(kept))
    if sync.kept_rows:
        kept = f"{count(sync.kept_rows, 'row')} kept at an older version; `tidegate unpin {sync.sync}` lets them go on"
        yield Text.assemble(cell(sync.sync, "bold"), ": ", plain(kept))
    if sync.erasures_owed:
        owed = f": {count(sync.erasures_owed, 'removal')} owed to forgotten people"
        yield Text.assemble(cell(sync.sync, "bold"), owed)
        yield from next_step("tidegate erasures list")


def _account(account: AccountReport) -> Iterable[str]:
    """What an account does not simply allow."""
    if account.circuit == "open":
        yield f"circuit open, probe in {account.probe_in_seconds:.0f} s"
    if account.held_until:
        yield f"no calls until {moment(account.held_until)}"
    for day in account.daily:
        yield f"{day.used:,} of {day.limit:,} {day.unit} used until {moment(day.resets_at)}"
    if account.learned_rate is not None:
        declared = f" of {account.declared_rate:,.4g} declared" if account.declared_rate else ""
        yield f"throttled to {account.learned_rate:,.4g} calls per second{declared}"


def _status_row(sync: SyncStatus, *, is_timed: bool) -> list[Text]:
    return [
        cell(sync.sync),
        cell(_versions(sync), "yellow" if sync.pinned_version is not None else ""),
        cell(age(sync.freshness_seconds)),
        cell(age(sync.lag_seconds), "yellow" if sync.lag_seconds else ""),
        figure(sync.held),
        figure(sync.owed),
        figure(sync.quarantined + sync.quarantined_rows),
        cell("open" if sync.account.circuit == "open" else _share(sync.budget_used)),
        status_cell("paused" if sync.paused is not None else sync.last_status),
        cell(age(sync.ended_seconds)),
        *((cell(age(sync.next_seconds)),) if is_timed else ()),
    ]


def _versions(sync: SyncStatus) -> str:
    """What is delivered of what there is: ``41/42``, or ``41 pinned``."""
    if sync.pinned_version is not None:
        return f"{sync.pinned_version} pinned"
    there = " ".join(str(part) for part in (sync.delivered_from, sync.delivered_version or "-") if part)
    is_new = sync.latest_version is None and sync.delivered_version is None
    return "" if is_new else f"{there}/{sync.latest_version or '-'}"


def _share(used: float | None) -> str:
    return "" if used is None else f"{used:.0%}"


def runs_view(report: Sequence[RunReport]) -> Lines:
    """One row a run with its reason."""
    if not report:
        yield Text("There is no run yet.")
        return
    columns = [
        *(Column(name) for name in ("run", "status")),
        Column("version", is_number=True),
        Column("delivered"),
        *(Column(name, is_number=True) for name in ("rejected", "owed", "time")),
        Column("reason"),
    ]
    yield from table(columns, (_run_row(run) for run in report))


def _run_row(run: RunReport) -> list[Text]:
    return [
        cell(run.run),
        status_cell(run.status.value),
        cell(run.version),
        delivered(run.delivered.inserts, run.delivered.updates, run.delivered.deletes),
        figure(run.rejected),
        figure(run.failed + run.unknown),
        cell(seconds(run.seconds.get("total", 0.0))),
        cell(run.reason),
    ]


def versions_view(report: Sequence[VersionReport]) -> Lines:
    """One row a version."""
    if not report:
        yield Text("There is no version yet.")
        return
    yield title(report[0].dataset)
    columns = [
        Column("version", is_number=True),
        Column("status"),
        Column("accepted"),
        Column("contract"),
        *(Column(name, is_number=True) for name in ("rows", "quarantined", "inserts", "updates", "deletes")),
        Column("kept as"),
    ]
    yield from table(
        columns,
        (
            [
                cell(v.version),
                status_cell(v.status),
                cell(moment(v.accepted_at)),
                cell(v.contract),
                figure(v.rows),
                figure(v.quarantined),
                figure(v.inserts),
                figure(v.updates),
                figure(v.deletes),
                cell("" if v.status == "dropped" else "snapshot" if v.snapshot_kept else "changes"),
            ]
            for v in report
        ),
    )
    for v in report:
        if v.withdrawn is not None:
            yield Text.assemble(cell(f"version {v.version}", "bold"), ": withdrawn: ", plain(v.withdrawn))
        if v.legal_hold is not None:
            yield Text.assemble(cell(f"version {v.version}", "bold"), ": under legal hold: ", plain(v.legal_hold))
    for held in (v.candidate for v in report if v.candidate):
        yield from next_step(f"tidegate approve {held}")


def diff_view(report: DiffReport) -> Lines:
    """Counts, then samples."""
    yield title(f"{report.dataset}: version {report.a} to {report.b}")
    yield changes(report.inserts, report.updates, report.deletes)
    yield from sample_lines(report.samples)
