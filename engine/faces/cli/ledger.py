"""Care of the ledger: read its end, verify it, fold it again, accept that it lost events, bring its schema up to date."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.text import Text

from config.settings import read_settings
from engine.bootstrap import ledger_url
from engine.faces.cli.group import Group
from engine.faces.cli.opening import loaded, opened
from engine.faces.cli.plain import count, moment, plain
from engine.faces.cli.reasons import reason_option
from engine.faces.cli.render import Column, Lines, cell, figure, next_step, show, table
from engine.ledger.database import open_database
from engine.service.ledgers import (
    EventReport,
    RebuildReport,
    RegressionReport,
    UpgradeReport,
    VerifyReport,
    accept_ledger_regression,
    rebuild_projections,
    tail,
    upgrade_ledger,
    verify_ledger,
)

LIMIT_MAX = 100_000


@click.group(cls=Group, no_args_is_help=True)
def ledger() -> None:
    """Read, verify and rebuild the event log."""


@click.group(cls=Group, no_args_is_help=True)
def db() -> None:
    """Care for the ledger's database."""


@ledger.command("tail")
@click.option("--limit", type=click.IntRange(1, LIMIT_MAX), default=20, show_default=True, help="Events to show.")
@click.option("--stream", help="Only this stream, such as run:20260102T030405-9f2c or sync:NAME.")
@click.pass_context
def tail_events(context: click.Context, limit: int, stream: str | None) -> int:
    """Show the newest events, newest last."""
    with opened(context) as app:
        report = tail(app, limit, stream)
    show(context, report, tail_view)
    return 0


@ledger.command("verify")
@click.pass_context
def verify(context: click.Context) -> int:
    """Compare every event with its hash and its neighbours.

    Ends with 1 and names the first event that was edited, removed or moved.
    """
    with opened(context) as app:
        report = verify_ledger(app)
    show(context, report, verify_view)
    return 0 if report.ok else 1


@ledger.command("rebuild")
@click.pass_context
def rebuild(context: click.Context) -> int:
    """Fold every read model again from the log."""
    with opened(context) as app:
        report = rebuild_projections(app)
    show(context, report, rebuild_view)
    return 0


@ledger.command("accept-regression")
@reason_option(required=True)
@click.pass_context
def accept_regression(context: click.Context, reason: str) -> int:
    """Let runs go on from a ledger that went back in time.

    Only for when the newer ledger is lost. The next run of every sync that lost events sends all its records again. What
    was first delivered in the lost time and has left the source, or lost its consent, since then is not known any
    more: nothing deletes it.
    """
    with opened(context) as app:
        report = accept_ledger_regression(app, reason)
    show(context, report, regression_view)
    return 0


@db.command("upgrade")
@click.pass_context
def upgrade(context: click.Context) -> int:
    """Bring the ledger's schema to this version of Tidegate."""
    project = loaded(context)
    database = open_database(ledger_url(project, read_settings()))
    try:
        report = upgrade_ledger(database)
    finally:
        database.dispose()
    show(context, report, upgrade_view)
    return 0


def tail_view(report: Sequence[EventReport]) -> Lines:
    """One row an event."""
    if not report:
        yield Text("There is no event yet.")
        return
    columns = [
        Column("seq", is_number=True),
        Column("recorded"),
        Column("stream"),
        Column("pos", is_number=True),
        Column("event"),
        Column("facts"),
    ]
    yield from table(
        columns,
        (
            [
                cell(e.sequence),
                cell(moment(e.recorded_at)),
                cell(e.stream),
                figure(e.position),
                cell(e.type, "bold"),
                cell(e.summary),
            ]
            for e in report
        ),
    )


def verify_view(report: VerifyReport) -> Lines:
    """That every chain holds, or the first event that does not."""
    if report.ok:
        events, streams = count(report.events, "event"), count(report.streams, "stream")
        yield Text.assemble(("The ledger holds: ", "green"), f"{events} in {streams}")
        return
    if not report.stream:
        yield Text.assemble(("The ledger is broken: ", "red"), plain(report.why))
        yield from next_step("stop every run, then make the read models anew with `tidegate ledger rebuild`")
        return
    place = f"event {report.sequence} (stream {report.stream}, position {report.position})"
    yield Text.assemble(("The ledger is broken: ", "red"), plain(f"{place}: {report.why}"))
    yield from next_step("stop every run and restore the ledger from a backup; nothing may be sent from it")


def rebuild_view(report: RebuildReport) -> Lines:
    """How much was folded."""
    yield Text(f"Folded {count(report.events, 'event')} again.")


def regression_view(report: RegressionReport) -> Lines:
    """What was accepted and what follows from it."""
    if not report.lost:
        yield Text("The ledger holds every event that its storage knows of; there is nothing to accept.")
        return
    yield Text(f"Accepted. {count(len(report.lost), 'anchor')} named what the ledger does not hold:")
    for lost in report.lost:
        place = "cannot be read" if lost.position is None else f"{lost.stream} position {lost.position}"
        yield Text(plain(f"  {lost.anchor}: {place}"))
    for doubt in report.doubted:
        again = count(doubt.records, "record")
        yield Text(plain(f"{doubt.sync}: the next run sends again, or deletes, {again} that it believes delivered"))
    yield Text("What was first delivered in the lost time and has left the source, or lost its consent, is not known.")
    yield from next_step("tidegate plan SYNC shows what would be sent; compare the destination with the source")


def upgrade_view(report: UpgradeReport) -> Lines:
    """The schema before and after."""
    if report.before == report.after:
        yield Text(f"The ledger's schema is current ({plain(report.after)}).")
    else:
        yield Text(f"The ledger's schema went from {plain(report.before)} to {plain(report.after)}.")
