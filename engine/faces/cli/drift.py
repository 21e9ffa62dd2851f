"""What a destination holds otherwise than it was delivered, as text."""

from __future__ import annotations

from rich.text import Text

from engine.faces.cli.plain import count, plain
from engine.faces.cli.render import Lines, cell, value_cell
from engine.service.drift import DriftReport


def drift_facts(report: DriftReport) -> list[tuple[str, Text]]:
    """The counts."""
    of = f"{count(report.compared, 'record')} compared"
    found = (
        f"{report.missing:,} missing there, {report.changed:,} changed there, {report.present:,} present though removed"
    )
    lines = [("drift", Text(f"{of}: {found}"))]
    if report.fields:
        fields = ", ".join(f"{plain(name)} ({number:,})" for name, number in report.fields.items())
        lines.append(("changed fields", Text(fields)))
    if report.left_out:
        lines.append(("not compared", Text(f"{count(report.left_out, 'record')} in doubt or unsubscribed")))
    return lines


def drift_lines(report: DriftReport) -> Lines:
    """Some of the records: what was delivered, and what is there."""
    for sample in report.samples:
        yield Text.assemble(("! ", "yellow"), cell(sample.id), (f"  ({sample.difference})", "dim"))
        for name, there in sample.there.items():
            line = Text.assemble("    ", (plain(name), "bold"), ": ").append_text(
                value_cell(sample.delivered.get(name))
            )
            yield line.append(" there is ", style="dim").append_text(value_cell(there))
