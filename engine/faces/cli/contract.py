"""Contracts: what changed between two and whom it concerns, and until when a major may be used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click
from rich.text import Text

from config.folder import find_project
from config.problems import InvalidProject
from config.project import Project
from engine.contracts.difference import Bump, Kind
from engine.faces.cli.group import Command, Group, asked
from engine.faces.cli.opening import loaded, opened
from engine.faces.cli.plain import plain
from engine.faces.cli.render import Column, Lines, cell, next_step, show, table, title
from engine.service.contract_changes import Concerned, ContractDiff, contract_diff
from engine.service.deprecations import DeprecationReport
from engine.service.deprecations import deprecate as deprecated
from engine.service.deprecations import reinstate as reinstated

NOT_COVERED = 2
"""The exit code of a change that its version does not admit: a file has to change first."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_REASON = click.option("--reason", default="", metavar="TEXT", help="Why; kept in the ledger with who decided.")
_STYLES = {Kind.ADDITIVE: "green", Kind.COMPATIBLE: "dim", Kind.BREAKING: "red"}


@click.group(cls=Group)
def contract() -> None:
    """Compare contracts, end a major, and tell how they came to be."""


@contract.command(cls=Command)
@click.argument("old", type=_FILE)
@click.argument("new", type=_FILE)
@click.pass_context
def diff(context: click.Context, old: Path, new: Path) -> int:
    """Compare two contracts: what breaks, and whom it concerns.

    Every change with its kind and the reason, the part of the version that it asks for, and the syncs of this project that
    it reaches. Exit code 2 when the new contract's version does not grow by as much.
    """
    report = contract_diff(old, new, _project(context))
    show(context, report, diff_view)
    return 0 if report.covered else NOT_COVERED


@contract.command(cls=Command)
@click.argument("dataset", metavar="DATASET@MAJOR")
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), required=True, metavar="DATE", help="The day on which it ends."
)
@click.option("--use", required=True, metavar="DATASET@MAJOR", help="What takes its place.")
@_REASON
@click.pass_context
def deprecate(context: click.Context, dataset: str, until: datetime, use: str, reason: str) -> int:
    """End a major of a contract on a day.

    Until then everything that uses it warns, with the day and what takes its place. From that day on (UTC) it warns still,
    and where plans need an approval (`require_approval`) nothing is read under it any more.
    """
    with opened(context) as app:
        report = deprecated(app, dataset, until.date(), use, reason)
    show(context, report, deprecation_view)
    return 0


@contract.command(cls=Command)
@click.argument("dataset", metavar="DATASET@MAJOR")
@_REASON
@click.pass_context
def reinstate(context: click.Context, dataset: str, reason: str) -> int:
    """Take back that a major of a contract ends."""
    with opened(context) as app:
        report = reinstated(app, dataset, reason)
    show(context, report, deprecation_view)
    return 0


def deprecation_view(report: DeprecationReport) -> Lines:
    """When it ends, and whom that concerns."""
    yield Text(plain(report.notice or f"{report.dataset} does not end any more."))
    if report.concerned:
        yield from _concerned(report.concerned)
    else:
        yield Text("No sync of this project reads it.")
    yield from next_step(report.next)


def _concerned(concerned: Sequence[Concerned]) -> Lines:
    yield title("concerned")
    named = [Column(name) for name in ("sync", "destination", "object", "owner", "columns")]
    yield from table(
        named,
        (
            [cell(c.sync), cell(c.destination), cell(c.object), cell(c.owner or ""), cell(", ".join(c.columns))]
            for c in concerned
        ),
    )


def _project(context: click.Context) -> Project | None:
    """The project that is asked for, or the one around; contracts can be compared without any."""
    if asked(context).project is None:
        try:
            find_project(Path.cwd())
        except InvalidProject:
            return None
    return loaded(context)


def diff_view(report: ContractDiff) -> Lines:
    """Every change, the syncs that it reaches, and what the version must become."""
    yield title(f"{report.old} → {report.new}", f"{len(report.changes)} changes" if report.changes else "no change")
    columns = [Column(name) for name in ("kind", "what", "before", "after", "because")]
    rows = (
        [cell(c.kind, _STYLES[c.kind]), cell(c.what), cell(c.before), cell(c.after), cell(c.reason)]
        for c in report.changes
    )
    yield from table(columns, rows)
    if report.concerned:
        yield from _concerned(report.concerned)
    if not report.covered:
        yield from next_step(f"raise the {report.bump} number of `version`" + _majors(report.bump))


def _majors(bump: Bump) -> str:
    if bump is not Bump.MAJOR:
        return ""
    return ", and give the new major a dataset file of its own, so that both live side by side"
