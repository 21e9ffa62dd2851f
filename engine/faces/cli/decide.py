"""Decide: which plans wait, and approve or reject the one that a run was held for."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.text import Text

from engine.faces.cli.group import Command
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import moment, plain
from engine.faces.cli.render import Column, Lines, cell, changes, next_step, show, table
from engine.service.approvals import DecisionReport, HeldReport, approve_run, held_plans, reject_run

DIGEST_SHOWN = 12
_COMMENT = click.option("--comment", default="", metavar="TEXT", help="Why; kept in the ledger with who decided.")


@click.command(cls=Command)
@click.argument("run")
@_COMMENT
@click.pass_context
def approve(context: click.Context, run: str, comment: str) -> int:
    """Let the next run send the plan that a run was held for.

    Exactly that plan, by its digest: anything that changes it voids the approval.
    """
    with opened(context) as app:
        report = approve_run(app, run, comment=comment)
    show(context, report, decision_view)
    return 0


@click.command(cls=Command)
@click.argument("run")
@_COMMENT
@click.pass_context
def reject(context: click.Context, run: str, comment: str) -> int:
    """Refuse the plan that a run was held for.

    The next run plans again, and is held again if the gate says so.
    """
    with opened(context) as app:
        report = reject_run(app, run, comment=comment)
    show(context, report, decision_view)
    return 0


@click.command(cls=Command)
@click.pass_context
def approvals(context: click.Context) -> int:
    """List the plans that runs are held for.

    With who asked, what was decided, and until when an approval counts.
    """
    with opened(context) as app:
        report = held_plans(app)
    show(context, report, held_view)
    return 0


def held_view(report: Sequence[HeldReport]) -> Lines:
    """One row a plan; below it why it is held and what to type."""
    if not report:
        yield Text("No plan waits for a decision.")
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


def decision_view(report: DecisionReport) -> Lines:
    """What was decided on which plan."""
    yield Text(plain(f"{report.sync}: the plan of run {report.run} is {report.decision} (digest {report.digest})"))
    yield from next_step(report.next)
