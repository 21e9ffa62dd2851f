"""Undo and redo what a destination rejected: list, show, release, drop, and release and run at once."""

from __future__ import annotations

import click
from rich.text import Text

from engine.core.outcome import exit_code
from engine.faces.cli.group import Command, Group
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import count, plain
from engine.faces.cli.progress import watched
from engine.faces.cli.render import (
    Column,
    Lines,
    cell,
    facts,
    figure,
    next_step,
    sample_lines,
    show,
    table,
    title,
    value_cell,
)
from engine.faces.cli.run import run_view
from engine.service.quarantine import (
    QuarantineDecision,
    QuarantinedRecord,
    QuarantineReport,
    quarantine_drop,
    quarantine_list,
    quarantine_release,
    quarantine_show,
    retry_sync,
)
from engine.service.quarantined_rows import (
    QuarantinedRowReport,
    QuarantinedRows,
    is_dataset,
    quarantined_row,
    quarantined_rows,
)

LIMIT_MAX = 10_000
_KEYS = click.option("--key", "keys", multiple=True, metavar="KEY", help="Only this record; may be given again.")
_STANDINGS = {
    "quarantined": "set aside",
    "in_doubt": "in doubt: look whether the destination has it",
    "owed": "tried again by the next run",
    "dropped": "given up until its values change",
    "settled": "nothing is owed",
}


@click.group(cls=Group, no_args_is_help=True)
def quarantine() -> None:
    """See what a destination rejects or a contract sets aside, and decide about what is rejected."""


@quarantine.command("list")
@click.argument("sync", metavar="SYNC|DATASET")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=50, show_default=True, help="Records to list.")
@click.pass_context
def list_records(context: click.Context, sync: str, limit: int) -> int:
    """List rejected records with the destination's own reason.

    First those that are set aside, then those that the next run tries again. The reason is that of the newest
    rejection. For a dataset: the rows of its newest version that a rule of its contract sets aside, by key.
    """
    with opened(context) as app:
        if is_dataset(app, sync):
            show(context, quarantined_rows(app, sync, limit), rows_view)
            return 0
        report = quarantine_list(app, sync, limit)
    show(context, report, list_view)
    return 0


@quarantine.command("show")
@click.argument("sync", metavar="SYNC|DATASET")
@click.option(
    "--key", required=True, help="The match key, as the destination knows it; for a dataset the primary key. As text."
)
@click.pass_context
def show_one(context: click.Context, sync: str, key: str) -> int:
    """Show one record: every rejection, and what would be sent now.

    For a dataset: one row that is set aside, and why. Values classified above internal are masked.
    """
    with opened(context) as app:
        if is_dataset(app, sync):
            show(context, quarantined_row(app, sync, key), row_view)
            return 0
        report = quarantine_show(app, sync, key)
    show(context, report, record_view)
    return 0


@quarantine.command("release")
@click.argument("sync")
@_KEYS
@click.pass_context
def release(context: click.Context, sync: str, keys: tuple[str, ...]) -> int:
    """Let attempts start again; the next run sends the newest values.

    Without --key, all that `quarantine list` names. What was dropped is released only by its key.
    """
    with opened(context) as app:
        report = quarantine_release(app, sync, keys)
    show(context, report, decision_view)
    return 0


@quarantine.command("drop")
@click.argument("sync")
@_KEYS
@click.pass_context
def drop(context: click.Context, sync: str, keys: tuple[str, ...]) -> int:
    """Give rejected records up until their values change.

    Without --key, all that are set aside; one that is still tried again must be named. The removal of somebody without
    consent cannot be given up.
    """
    with opened(context) as app:
        report = quarantine_drop(app, sync, keys)
    show(context, report, decision_view)
    return 0


@click.command(cls=Command)
@click.argument("sync")
@_KEYS
@click.pass_context
def retry(context: click.Context, sync: str, keys: tuple[str, ...]) -> int:
    """Release what was rejected and run the sync now.

    The report and the exit code are those of `tidegate run`.
    """
    with opened(context) as app, watched(context) as (stop, observe):
        reports = retry_sync(app, sync, keys, stop, observe)
    show(context, reports, run_view)
    return exit_code(report.status for report in reports)


def list_view(report: QuarantineReport) -> Lines:
    """How many there are, then one row a record with its reason last, since that may be long."""
    if not report.records:
        yield Text("Nothing is rejected or in doubt.")
        return
    yield Text(
        f"{count(report.quarantined, 'record')} set aside (after {count(report.attempts_max, 'attempt')}), "
        f"{count(report.owed, 'record')} tried again by the next run"
    )
    columns = [
        Column("key"),
        Column("status"),
        Column("attempts", is_number=True),
        Column("since run"),
        Column("code"),
        Column("message"),
    ]
    yield from table(
        columns,
        (
            [
                cell(r.id),
                cell(_STANDINGS.get(r.standing, r.standing)),
                figure(r.attempts),
                cell(r.since),
                cell(r.code),
                cell(r.message),
            ]
            for r in report.records
        ),
    )
    if report.in_doubt:
        yield Text(f"{count(report.in_doubt, 'record')} in doubt: nobody knows whether the destination has them")
    left = report.quarantined + report.in_doubt + report.owed - len(report.records)
    if left:
        yield Text(f"and {count(left, 'record')} more")
    yield from next_step(f"tidegate quarantine show {report.sync} --key KEY, or tidegate retry {report.sync}")


def record_view(report: QuarantinedRecord) -> Lines:
    """Where the record stands, its rejections, then what would leave."""
    yield title(f"{report.sync}: record {report.id}")
    yield from facts(
        [
            ("status", cell(_STANDINGS.get(report.standing, report.standing))),
            ("rejected attempts", Text(f"{report.attempts} of {report.attempts_max}")),
        ]
    )
    if report.rejections:
        columns = [Column("rejected by run"), Column("code"), Column("message")]
        yield from table(columns, ([cell(r.run), cell(r.code), cell(r.message)] for r in report.rejections))
    else:
        yield Text("No rejection in the newest runs.")
    if report.sends is not None:
        yield title("what would be sent now")
        yield from sample_lines([report.sends])


def rows_view(report: QuarantinedRows) -> Lines:
    """How many rows are set aside, then one row each."""
    if not report.quarantined:
        yield Text(plain(f"{report.dataset}: no row of version {report.version} is set aside."))
        return
    yield Text(
        plain(
            f"{report.dataset}: {count(report.quarantined, 'row')} of {report.rows:,} of version {report.version} "
            "set aside; what was delivered of them stays"
        )
    )
    columns = [Column("key"), Column("rules that it breaks")]
    yield from table(columns, ([cell(row.key), cell(", ".join(row.reasons))] for row in report.records))
    if left := report.quarantined - len(report.records):
        yield Text(f"and {count(left, 'row')} more")
    yield from next_step("mend these rows in the source; they come back by themselves")


def row_view(report: QuarantinedRowReport) -> Lines:
    """Why the row is set aside, then its columns."""
    yield title(f"{report.dataset}: row {report.key}", f"version {report.version}")
    for reason in report.reasons:
        yield Text.assemble("breaks ", plain(reason))
    names = report.columns.items()
    yield from table([Column("column"), Column("value")], ([cell(n), value_cell(v)] for n, v in names))


def decision_view(report: QuarantineDecision) -> Lines:
    """How many records were decided about."""
    changed = count(report.records, "record") if report.records else "no record"
    yield Text(plain(f"{report.sync}: {changed} {report.decision}"))
    yield from next_step(report.next)
