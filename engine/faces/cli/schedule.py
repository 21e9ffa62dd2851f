"""Look: when syncs are due next, and what came of their last turns."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.text import Text

from engine.faces.cli.group import Command
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import moment
from engine.faces.cli.render import Column, Lines, cell, next_step, show, status_cell, table
from engine.service.next_runs import NextRuns, next_runs

MOMENTS_OF_ONE = 10
MOMENTS_MAX = 1_000


@click.command(cls=Command)
@click.argument("sync", required=False)
@click.option(
    "--next", "count", type=click.IntRange(1, MOMENTS_MAX), help="Moments to show; 1, or 10 of a sync that is named."
)
@click.pass_context
def schedule(context: click.Context, sync: str | None, count: int | None) -> int:
    """Show when syncs are due next.

    A moment that has passed waits for a daemon. Syncs without a schedule are left out.
    """
    with opened(context) as app:
        report = next_runs(app, sync, count or (1 if sync is None else MOMENTS_OF_ONE))
    show(context, report, schedule_view)
    return 0


def schedule_view(report: Sequence[NextRuns]) -> Lines:
    """One row a sync; below it the further moments of each."""
    if not report:
        yield Text("No sync has a schedule.")
        yield from next_step("write one into a file below syncs/, such as `schedule: {every: 10m}`")
        return
    columns = [Column(name) for name in ("sync", "schedule", "next", "last turn", "was due")]
    yield from table(columns, (_row(one) for one in report))
    for one in report:
        for later in one.next[1:]:
            yield Text.assemble(cell(one.sync, "bold"), f"  {moment(later)}")


def _row(one: NextRuns) -> list[Text]:
    return [
        cell(one.sync),
        cell(one.schedule),
        cell(moment(one.next[0] if one.next else "")),
        status_cell(one.last_status) if one.last_status else cell(""),
        cell(moment(one.last_due)),
    ]
