"""Contracts: what changed between two, and whom it concerns."""

from __future__ import annotations

from pathlib import Path

import click

from config.folder import find_project
from config.problems import InvalidProject
from config.project import Project
from engine.contracts.difference import Bump, Kind
from engine.faces.cli.group import Command, Group, asked
from engine.faces.cli.opening import loaded
from engine.faces.cli.render import Column, Lines, cell, next_step, show, table, title
from engine.service.contract_changes import ContractDiff, contract_diff

NOT_COVERED = 2
"""The exit code of a change that its version does not admit: a file has to change first."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_STYLES = {Kind.ADDITIVE: "green", Kind.COMPATIBLE: "dim", Kind.BREAKING: "red"}


@click.group(cls=Group)
def contract() -> None:
    """Compare two contracts: what breaks, and whom it concerns."""


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
        yield title("concerned")
        named = [Column(name) for name in ("sync", "destination", "object", "owner", "columns")]
        yield from table(
            named,
            (
                [cell(c.sync), cell(c.destination), cell(c.object), cell(c.owner or ""), cell(", ".join(c.columns))]
                for c in report.concerned
            ),
        )
    if not report.covered:
        yield from next_step(f"raise the {report.bump} number of `version`" + _majors(report.bump))


def _majors(bump: Bump) -> str:
    if bump is not Bump.MAJOR:
        return ""
    return ", and give the new major a dataset file of its own, so that both live side by side"
