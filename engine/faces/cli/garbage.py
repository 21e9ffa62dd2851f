"""Collect garbage: remove files that no event names."""

from __future__ import annotations

from datetime import timedelta

import click
from rich.text import Text

from engine.faces.cli.group import Command
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import count, plain
from engine.faces.cli.render import Column, Lines, cell, figure, next_step, show, table
from engine.service.garbage import OLDER_THAN, GarbageReport, collect_garbage

_HOURS = int(OLDER_THAN / timedelta(hours=1))


@click.command(cls=Command)
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@click.option(
    "--older-than",
    type=click.IntRange(min=0),
    default=_HOURS,
    show_default=True,
    metavar="HOURS",
    help="Leave what was written in the last so many hours.",
)
@click.pass_context
def gc(context: click.Context, dry_run: bool, older_than: int) -> int:  # noqa: FBT001 - click passes by name
    """Drop what is old, and remove files that no event names.

    The files of datasets say which versions are old, those of syncs which plans. Files without a name are what crashes,
    refused captures and lost races left. Nothing else that the ledger knows of is touched, and runs and captures may go on.
    """
    with opened(context) as app:
        report = collect_garbage(app, older_than=timedelta(hours=older_than), dry_run=dry_run)
    show(context, report, garbage_view)
    return 0


def dropped_lines(report: GarbageReport) -> Lines:
    """A line a dataset, and a line a sync."""
    verb = "would drop" if report.dry_run else "dropped"
    for one in report.dropped:
        said = f"{verb} {count(len(one.versions), 'version')} and {count(one.files, 'file')}, {one.bytes:,} bytes"
        if one.merged:
            said += f"; changes in {count(one.merged, 'file')} put together in {one.merged_into}"
        yield Text.assemble(cell(one.dataset, "bold"), ": ", plain(one.left or said))
    for sync in report.sent:
        said = f"{verb} what {count(sync.runs, 'run')} left, {count(sync.files, 'file')}, {sync.bytes:,} bytes"
        yield Text.assemble(cell(sync.sync, "bold"), ": ", plain(sync.left or said))


def garbage_view(report: GarbageReport) -> Lines:
    """What was dropped of each dataset, a row a folder without names, then the sum."""
    yield from dropped_lines(report)
    if report.folders:
        columns = [Column("folder"), Column("files", is_number=True), Column("bytes", is_number=True), Column("left")]
        rows = ([cell(f.folder), figure(f.files), figure(f.bytes), cell(f.left)] for f in report.folders)
        yield from table(columns, rows)
    done = "would be removed" if report.dry_run else "removed"
    yield Text(plain(f"{count(report.files, 'file')} that no event names {done}, {report.bytes:,} bytes."))
    if report.dry_run and report.files:
        yield from next_step("tidegate gc")
