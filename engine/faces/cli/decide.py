"""Decide: approve or reject the plan that a run was held for."""

from __future__ import annotations

import click
from rich.text import Text

from engine.faces.cli.group import Command
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import plain
from engine.faces.cli.render import Lines, next_step, show
from engine.service.approvals import DecisionReport, approve_run, reject_run

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


def decision_view(report: DecisionReport) -> Lines:
    """What was decided on which plan."""
    yield Text(plain(f"{report.sync}: the plan of run {report.run} is {report.decision} (digest {report.digest})"))
    yield from next_step(report.next)
