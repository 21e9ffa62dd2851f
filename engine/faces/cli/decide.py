"""Decide: which plans and versions wait, and approve or reject one."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.text import Text

from engine.faces.cli.group import Command
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import moment, plain
from engine.faces.cli.reasons import reason_option
from engine.faces.cli.render import Column, Lines, cell, changes, figure, next_step, show, table
from engine.service.approvals import DecisionReport, HeldReport, approve_held, held_plans, reject_held
from engine.service.held_versions import HeldVersionReport, VersionDecisionReport, held_versions

DIGEST_SHOWN = 12
_COMMENT = reason_option("--comment")


@click.command(cls=Command)
@click.argument("run")
@_COMMENT
@click.pass_context
def approve(context: click.Context, run: str, comment: str) -> int:
    """Allow what a run was held for: let the next run send its plan, or accept its version.

    Exactly that plan or version, by its digest: anything that changes it voids the approval. A version may also be named
    itself, in the words of `tidegate approvals`.
    """
    with opened(context) as app:
        report = approve_held(app, run, comment=comment)
    show(context, report, decision_view)
    return 0


@click.command(cls=Command)
@click.argument("run")
@_COMMENT
@click.pass_context
def reject(context: click.Context, run: str, comment: str) -> int:
    """Refuse what a run was held for: its plan, or its version.

    The next run plans again, and is held again if the gate says so. A version is dropped, and what is read again with the
    same rows is blocked; it may also be named itself, in the words of `tidegate approvals`.
    """
    with opened(context) as app:
        report = reject_held(app, run, comment=comment)
    show(context, report, decision_view)
    return 0


@click.command(cls=Command)
@click.pass_context
def approvals(context: click.Context) -> int:
    """List the versions and plans that wait for a decision.

    With who asked, what was decided, and until when an approval counts.
    """
    with opened(context) as app:
        report: list[HeldReport | HeldVersionReport] = [*held_versions(app), *held_plans(app)]
    show(context, report, waiting_view)
    return 0


def waiting_view(report: Sequence[HeldReport | HeldVersionReport]) -> Lines:
    """The versions, then the plans: which are few, and rarely both."""
    if not report:
        yield Text("No plan and no version waits for a decision.")
        return
    yield from version_view([held for held in report if isinstance(held, HeldVersionReport)])
    yield from held_view([held for held in report if isinstance(held, HeldReport)])


def version_view(report: Sequence[HeldVersionReport]) -> Lines:
    """One row a version; below it why it is held and what to type."""
    if not report:
        return
    names = [Column(name) for name in ("version", "changes", "asked by", "since")]
    columns = [names[0], Column("rows", is_number=True), *names[1:]]
    yield from table(columns, (_version_row(held) for held in report))
    for held in report:
        yield Text.assemble(cell(held.candidate, "bold"), ": ", plain(held.reason))
        yield from next_step(held.next)


def _version_row(held: HeldVersionReport) -> list[Text]:
    return [
        cell(held.candidate),
        figure(held.rows),
        changes(held.inserts, held.updates, held.deletes),
        cell(held.asked_by),
        cell(moment(held.asked_at)),
    ]


def held_view(report: Sequence[HeldReport]) -> Lines:
    """One row a plan; below it why it is held and what to type."""
    if not report:
        return
    names = ("sync", "run", "changes", "digest", "asked by", "since", "decision", "by", "until")
    yield from table([Column(name) for name in names], (_held_row(held) for held in report))
    for held in report:
        note = f"; the newest approval does not count: {held.note}" if held.note else ""
        yield Text.assemble(cell(held.sync, "bold"), ": ", plain(held.reason + note))
        yield from next_step(held.next)


def _held_row(held: HeldReport) -> list[Text]:
    return [
        cell(held.sync),
        cell(held.run),
        changes(held.inserts, held.updates, held.deletes),
        cell(held.digest[:DIGEST_SHOWN]),
        cell(held.asked_by),
        cell(moment(held.asked_at)),
        cell(held.decision),
        cell(held.by),
        cell(moment(held.until)),
    ]


def decision_view(report: DecisionReport | VersionDecisionReport) -> Lines:
    """What was decided on which plan or version."""
    if isinstance(report, VersionDecisionReport):
        yield Text(plain(f"{report.dataset}: version {report.candidate} is {report.decision}"))
    else:
        yield Text(plain(f"{report.sync}: the plan of run {report.run} is {report.decision} (digest {report.digest})"))
    yield from next_step(report.next)
