"""Runbooks: list them, show one."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.text import Text

from engine.faces.cli.group import Command
from engine.faces.cli.plain import plain
from engine.faces.cli.render import Column, Lines, cell, next_step, show, table, title
from engine.service.runbooks import Runbook, runbooks
from engine.service.runbooks import runbook as page


@click.command(cls=Command)
@click.argument("name", required=False)
@click.pass_context
def runbook(context: click.Context, name: str | None) -> int:
    """Show what to do about a failure, step by step.

    Without a name, list the runbooks.
    """
    if name is None:
        show(context, runbooks(), list_view)
    else:
        show(context, page(name), page_view)
    return 0


def list_view(report: Sequence[Runbook]) -> Lines:
    """One row a page."""
    columns = [Column("runbook"), Column("about")]
    yield from table(columns, ([cell(one.name), cell(one.title)] for one in report))
    yield from next_step("tidegate runbook NAME")


def page_view(report: Runbook) -> Lines:
    """The page as it is written, with its headings in bold."""
    yield title(report.title)
    yield from _lines(report.about)
    for step in report.steps:
        yield Text()
        yield title(step.name)
        yield from _lines(step.text)


def _lines(text: str) -> Lines:
    return [Text(plain(line)) for line in text.splitlines()]
