"""Explain: every check that applies, in words, with what it found last."""

from __future__ import annotations

import click
from rich.text import Text

from engine.faces.cli.group import Command
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import moment, plain
from engine.faces.cli.previews import samples_option
from engine.faces.cli.render import Column, Lines, cell, next_step, show, status_cell, table, title, value_cell
from engine.service.failing_rows import FailingRow
from engine.service.gates import NEVER, GateReport, GatesReport
from engine.service.gates import gates as gates_of


@click.command(cls=Command)
@click.argument("name", metavar="SYNC|DATASET")
@samples_option("Failing rows to show per check: their keys and the columns that it looks at.", default=0)
@click.pass_context
def gates(context: click.Context, name: str, samples: int) -> int:
    """Explain every check: its rule, and what it found last.

    Of a sync with those of the datasets that it reads. Values classified above internal are masked.
    """
    with opened(context) as app:
        report = gates_of(app, name, samples=samples)
    show(context, report, gates_view)
    return 0


def gates_view(report: GatesReport) -> Lines:
    """One row a rule by where it is judged; then what did not pass, in words and rows; then what to do."""
    for of, where in dict.fromkeys((gate.of, gate.where) for gate in report.gates):
        yield title(of, f"judged on each {where}")
        mine = [gate for gate in report.gates if (gate.of, gate.where) == (of, where)]
        columns = [Column(name) for name in ("check", "last", "when", "rule", "found")]
        yield from table(columns, (_row(gate) for gate in mine))
        for gate in mine:
            yield from _told(gate)
    yield from next_step(report.next)


def _row(gate: GateReport) -> list[Text]:
    verdict = cell(gate.verdict, "dim") if gate.verdict == NEVER else status_cell(gate.verdict)
    return [cell(gate.check), verdict, cell(moment(gate.at)), cell(gate.rule), cell(gate.message)]


def _told(gate: GateReport) -> Lines:
    if gate.verdict in {NEVER, "pass"}:
        return
    yield Text.assemble("  ", status_cell(gate.verdict), "  ", (plain(gate.check), "bold"), "  ", plain(gate.message))
    for row in gate.failing:
        yield _failing(row)
    if gate.note:
        yield Text(f"    {plain(gate.note)}", style="dim")


def _failing(row: FailingRow) -> Text:
    line = Text("    ")
    for place, (name, value) in enumerate({**row.key, **row.values}.items()):
        line.append(", " if place else "").append(f"{plain(name)}: ", style="bold" if name in row.key else "")
        line.append_text(Text("null", style="dim italic") if value is None else value_cell(value))
    return line
