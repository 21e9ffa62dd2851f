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
from engine.contracts.difference import Bump, Change, Kind
from engine.contracts.succession import told_change
from engine.errors import ConfigurationError
from engine.faces.cli.group import Command, Group, asked
from engine.faces.cli.opening import loaded, opened
from engine.faces.cli.plain import moment, number, plain
from engine.faces.cli.previews import preview_code, samples_option
from engine.faces.cli.reasons import reason_option
from engine.faces.cli.render import Column, Lines, cell, next_step, show, table, title
from engine.faces.cli.run import plan_lines
from engine.service.contract_changes import Concerned, ContractDiff, contract_diff
from engine.service.contract_notes import ContractNote, NotesReport, contract_notes
from engine.service.deprecations import DeprecationReport
from engine.service.deprecations import deprecate as deprecated
from engine.service.deprecations import reinstate as reinstated
from engine.service.promotion import PromotionReport
from engine.service.promotion import promote as promoted

NOT_COVERED = 2
"""The exit code of a change that its version does not admit: a file has to change first."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_REASON = reason_option()
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


@contract.command(cls=Command)
@click.argument("dataset")
@click.pass_context
def notes(context: click.Context, dataset: str) -> int:
    """Write release notes from the ledger, as Markdown.

    Every contract that data of the dataset was accepted under, newest first: when it came, with which version, what it
    changed, of what kind that is and why.
    """
    with opened(context) as app:
        report = contract_notes(app, dataset)
    show(context, report, notes_view)
    return 0


@contract.command(cls=Command)
@click.argument("sync")
@click.option("--write", is_flag=True, help="Change the line in the sync's file; everything else of it stays as it is.")
@samples_option()
@click.pass_context
def promote(context: click.Context, sync: str, write: bool, samples: int) -> int:  # noqa: FBT001 - click passes by name
    """Move a sync to the next major of its dataset.

    Shows what the new contract changes, what a run would send once the sync reads it, and the one line to change. Nothing is
    sent and nothing is recorded. Exit code 2 when the sync's file has to change in other places too.
    """
    with opened(context) as app:
        report = promoted(app, sync, samples=samples, write=write)
    show(context, report, promotion_view)
    if report.plan is None:
        return ConfigurationError.exit_code
    return preview_code(blocked=report.plan.blocked)


def promotion_view(report: PromotionReport) -> Lines:
    """The changes of the contract, the plan, and the line."""
    yield title(report.sync, f"{report.before} → {report.after}")
    yield from _changes(report.changes)
    for problem in report.problems:
        yield Text(plain(str(problem)))
    if report.plan is not None:
        yield from plan_lines(report.plan)
    word = "changed" if report.written else "the line to change"
    yield Text.assemble(cell(f"{report.file}:{report.line}", "bold"), f": {word}: ", plain(report.becomes))
    yield from next_step(report.next)


def notes_view(report: NotesReport) -> Lines:
    """Markdown: a heading a contract, a line a change."""
    yield Text(plain(f"# Contracts of {report.name}"))
    for told in report.ends:
        yield Text()
        yield Text(plain(f"{told}."))
    for note in report.notes:
        bad = ", which was withdrawn" if note.withdrawn else ""
        came = f"From version {number(note.version)}{bad}, on {moment(note.since)}, by {note.by}. {_kind(note)}"
        yield from (Text(), Text(plain(f"## {note.dataset}: {note.contract}")), Text(), Text(plain(came)))
        if note.changes:
            yield Text()
        for change in note.changes:
            yield Text(plain(f"- {change.kind}: {told_change(change)}: {change.reason}"))
    if not report.notes:
        yield from (Text(), Text("No contract was recorded yet: the next capture records one."))


def _kind(note: ContractNote) -> str:
    if not note.before:
        return "The first that was recorded."
    if not note.changes:
        return f"Nothing changed since {note.before} that is acted upon."
    return f"{note.kind.capitalize()}, since {note.before}:"


def deprecation_view(report: DeprecationReport) -> Lines:
    """When it ends, and whom that concerns."""
    yield Text(plain(report.notice or f"{report.dataset} does not end any more."))
    if report.concerned:
        yield from _concerned(report.concerned)
    else:
        yield Text("No sync of this project reads it.")
    yield from next_step(report.next)


def _changes(changes: Sequence[Change]) -> Lines:
    columns = [Column(name) for name in ("kind", "what", "before", "after", "because")]
    rows = (
        [cell(c.kind, _STYLES[c.kind]), cell(c.what), cell(c.before), cell(c.after), cell(c.reason)] for c in changes
    )
    yield from table(columns, rows)


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
    yield from _changes(report.changes)
    if report.concerned:
        yield from _concerned(report.concerned)
    if not report.covered:
        yield from next_step(f"raise the {report.bump} number of `version`" + _majors(report.bump))


def _majors(bump: Bump) -> str:
    if bump is not Bump.MAJOR:
        return ""
    return ", and give the new major a dataset file of its own, so that both live side by side"
