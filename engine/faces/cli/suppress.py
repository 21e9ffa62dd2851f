"""Suppression lists: read one in, list them, take people out."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from engine.core.suppression import Identifier
from engine.faces.cli.group import Command, Group
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import count, plain
from engine.faces.cli.render import Column, Lines, cell, figure, next_step, show, table
from engine.service.suppression import Import, ListReport, SuppressionReport, import_list, listing, remove_list

_KIND = click.Choice([kind.value for kind in Identifier])
_HASHED = click.option("--hashed", type=click.Choice(["sha256"]), help="The file holds hashes, in a column `sha256`.")
_FILE = click.Path(path_type=Path)


@click.group(cls=Group, no_args_is_help=True)
def suppress() -> None:
    """Keep people in lists away from destinations."""


@suppress.command("import", cls=Command)
@click.argument("file", type=_FILE)
@click.option("--kind", type=_KIND, required=True, help="What the list knows people by; also the column's name.")
@_HASHED
@click.option("--destination", metavar="NAME", help="Only for this destination; else for every one.")
@click.option("--list", "name", default="", metavar="NAME", help="Which list; else the usual one of its kind.")
@click.option("--reason", default="", metavar="TEXT", help="Why, without saying who; kept in the ledger.")
@click.pass_context
def import_command(
    context: click.Context,
    file: Path,
    kind: str,
    hashed: str | None,
    destination: str | None,
    name: str,
    reason: str,
) -> int:
    """Add every value of a Parquet, CSV or JSON-lines file to a list, or none of it.

    It counts at once: a run that is under way sends nothing about these people from its next window on, and the next run
    removes what is held.
    """
    with opened(context) as app:
        report = import_list(app, Import(file, Identifier(kind), hashed is not None, destination, name, reason))
    show(context, report, changed_view)
    return 0


@suppress.command("list", cls=Command)
@click.pass_context
def list_command(context: click.Context) -> int:
    """Show every list: what it knows people by, how many, and which syncs must honour it."""
    with opened(context) as app:
        reports = listing(app)
    show(context, reports, lists_view)
    return 0


@suppress.command("remove", cls=Command)
@click.argument("name", metavar="LIST")
@click.argument("file", type=_FILE, required=False)
@_HASHED
@click.option("--reason", required=True, metavar="TEXT", help="Why, without saying who; kept in the ledger.")
@click.pass_context
def remove_command(context: click.Context, name: str, file: Path | None, hashed: str | None, reason: str) -> int:
    """Take the values of FILE out of a list, or the whole list away: who consents may be sent again."""
    with opened(context) as app:
        report = remove_list(app, name, file, is_hashed=hashed is not None, reason=reason)
    show(context, report, changed_view)
    return 0


def changed_view(report: SuppressionReport) -> Lines:
    """What became of a list."""
    where = f"away from {report.destination}" if report.destination else "away from every destination"
    change = f"{report.added:,} more" if report.added or not report.removed else f"{report.removed:,} fewer"
    yield Text(plain(f"{report.list}: {count(report.entries, report.kind)} kept {where}, {change}"))
    if report.next:
        yield from next_step(report.next)


def lists_view(reports: list[ListReport]) -> Lines:
    """A row a list."""
    if not reports:
        yield Text("no suppression list")
        return
    columns = (Column("list"), Column("of"), Column("people", is_number=True), Column("destination"), Column("syncs"))
    rows = (
        (
            cell(each.name),
            cell(each.kind),
            figure(each.entries),
            cell(each.destination or "every one"),
            cell(", ".join(each.syncs)),
        )
        for each in reports
    )
    yield from table(columns, rows)
