"""Backfill: send a range of versions, in its newest state or step by step."""

from __future__ import annotations

import click
from rich.text import Text

from engine.core.outcome import exit_code
from engine.faces.cli.group import Command
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import count
from engine.faces.cli.previews import preview_code, samples_option, yes_option
from engine.faces.cli.progress import watched
from engine.faces.cli.reasons import reason_option
from engine.faces.cli.render import Column, Lines, figure, show, table
from engine.faces.cli.resync import preview_view
from engine.faces.cli.run import run_view
from engine.faces.cli.undo import move_view
from engine.service.backfill import StepsPreview, backfill_newest, backfill_steps, preview_newest, preview_steps

_VERSION = click.IntRange(min=1)


@click.command(cls=Command)
@click.argument("sync")
@click.option(
    "--from", "first", type=_VERSION, required=True, metavar="VERSION", help="The first version of the range."
)
@click.option("--to", "last", type=_VERSION, metavar="VERSION", help="The last one; else the newest.")
@click.option("--every-step", is_flag=True, help="Bring the destination through each version, one after the other.")
@reason_option()
@yes_option
@samples_option()
@click.pass_context
def backfill(
    context: click.Context,
    sync: str,
    first: int,
    last: int | None,
    every_step: bool,  # noqa: FBT001 - click passes by name
    reason: str,
    yes: bool,  # noqa: FBT001 - click passes by name
    samples: int,
) -> int:
    """Send a range of versions.

    What changed with them is sent again, as it is wanted now. With --every-step the destination is brought to the first
    version and then through each that follows, with a plan of its own; interrupted or held, the same command goes on.
    Shows what it would take; with --yes it is done. The source is not read.
    """
    with opened(context) as app:
        if not yes:
            if every_step:
                steps = preview_steps(app, sync, first, last, samples=samples)
                show(context, steps, steps_view)
                return preview_code(blocked=steps.first.blocked)
            newest = preview_newest(app, sync, first, last, samples=samples)
            show(context, newest, preview_view)
            return preview_code(blocked=newest.blocked)
        with watched(context) as (stop, observe):
            act = backfill_steps if every_step else backfill_newest
            reports = act(app, sync, first, last, reason, stop, observe)
    show(context, reports, run_view)
    return exit_code(report.status for report in reports)


def steps_view(report: StepsPreview) -> Lines:
    """The versions in their order with what each changed, then what the first would send."""
    yield Text(f"{count(len(report.steps), 'step')}, each with a plan of its own:")
    columns = [Column(name, is_number=True) for name in ("version", "rows", "inserts", "updates", "deletes")]
    rows = ((s.version, s.rows, s.inserts, s.updates, s.deletes) for s in report.steps)
    yield from table(columns, ([figure(number) for number in row] for row in rows))
    yield from move_view(report.first, "the same command with --yes")
