"""Drills: a failure, its runbook, and the seconds until it was noticed and until all was well."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence

import click
from rich.text import Text

from engine.clock import SystemClock
from engine.faces.cli.group import Command
from engine.faces.cli.main import exit_code_of
from engine.faces.cli.plain import plain, seconds
from engine.faces.cli.render import Column, Lines, cell, show, table
from engine.service.drill import DrillReport, Ended
from engine.service.drill import drill as played


@click.command(cls=Command)
@click.argument("name")
@click.pass_context
def drill(context: click.Context, name: str) -> int:
    """Break something in a project of its own, and follow its runbook.

    Against a sandbox on this machine, in a folder that is thrown away. Ends with 1 when the page did not lead to a
    destination as desired.
    """
    report = played(name, _typed, SystemClock())
    show(context, report, drill_view)
    return 0 if report.restored else 1


def _typed(arguments: Sequence[str]) -> Ended:
    """A command in this process, through the same door."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = exit_code_of(list(arguments))
    try:
        return Ended(code, json.loads(out.getvalue()))
    except ValueError:
        return Ended(code, None)


def drill_view(report: DrillReport) -> Lines:
    """What was typed, then what came of it."""
    columns = [Column("step"), Column("command"), Column("exit", is_number=True)]
    yield from table(columns, ([cell(t.step), cell(t.command), cell(t.code)] for t in report.commands))
    noticed = f"noticed after {seconds(report.seconds_to_detect)}"
    if report.restored:
        yield Text(f"{report.runbook}: {noticed}, well again after {seconds(report.seconds_to_restore)}.")
    else:
        yield Text.assemble(cell(report.runbook), ": ", ("not restored: ", "red"), plain(report.why), f" ({noticed})")
