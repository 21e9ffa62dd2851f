"""Reports as text: aligned tables, before and after, and where to go next.

A view is a function from a report to `Lines`; `show` prints it, or the report itself as JSON. Whatever comes from outside
goes through `cell`, so that no value can steer the terminal or be read as markup.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO, TypeAlias, TypeVar

import click
from rich.console import Console
from rich.text import Text

from engine.core.events import CheckResult
from engine.core.outcome import RunStatus
from engine.core.verdict import Verdict
from engine.faces.cli.group import asked
from engine.faces.cli.output import without_secrets, write, write_document, write_lists
from engine.faces.cli.plain import number, plain
from engine.observe.redact import Redactor
from engine.service.samples import MASK, Sample

Lines: TypeAlias = Iterable[Text]
_Report = TypeVar("_Report")
_Other = TypeVar("_Other")

VALUE_LENGTH_MAX = 120

_STYLES: Mapping[str, str] = {
    RunStatus.SUCCEEDED.value: "green",
    RunStatus.UNCHANGED.value: "dim",
    RunStatus.RUNNING.value: "cyan",
    RunStatus.PARTIAL.value: "yellow",
    RunStatus.HELD.value: "yellow",
    RunStatus.PAUSED.value: "yellow",
    RunStatus.BUSY.value: "yellow",
    RunStatus.CANCELLED.value: "yellow",
    RunStatus.BLOCKED.value: "red",
    RunStatus.FAILED.value: "red",
    "accepted": "green",
    Verdict.WARN.value: "yellow",
    Verdict.HOLD.value: "yellow",
    Verdict.BLOCK.value: "red",
    "insert": "green",
    "update": "yellow",
    "delete": "red",
}
_SIGNS: Mapping[str, str] = {"insert": "+", "update": "~", "delete": "-"}
ARROW = "→"
_IN_ASCII: Mapping[str, str] = {ARROW: "->", MASK: "***"}


def show(context: click.Context, report: _Report, view: Callable[[_Report], Lines]) -> None:
    """Print ``report`` on stdout: as one JSON document with ``--json``, else as ``view`` lays it out."""
    report = without_secrets(report, (context.find_object(Redactor) or Redactor()).redact)
    if asked(context).as_json:
        write_document(report)
        return
    screen = console(sys.stdout)
    with screen.capture() as captured:
        for line in view(report):
            screen.print(line, soft_wrap=True)
    write(captured.get())


def show_stream(
    context: click.Context,
    first: str,
    items: Iterable[_Report],
    view: Callable[[_Report], Lines],
    second: str,
    more: Iterable[_Other],
    view_more: Callable[[_Other], Lines],
) -> None:
    """Print two lists one item after the other, none of which is held: as one JSON document with ``--json``, else as text."""
    redact = (context.find_object(Redactor) or Redactor()).redact
    parts: tuple[tuple[str, Iterable[Any], Callable[[Any], Lines]], ...] = (
        (first, items, view),
        (second, more, view_more),
    )
    if asked(context).as_json:
        write_lists((name, (without_secrets(item, redact) for item in listed)) for name, listed, _ in parts)
        return
    screen = console(sys.stdout)
    for _, listed, lines in parts:
        for item in listed:
            with screen.capture() as captured:
                for line in lines(without_secrets(item, redact)):
                    screen.print(line, soft_wrap=True)
            write(captured.get())


def console(stream: TextIO) -> Console:
    """A console that interprets nothing in what it prints; colours only on a terminal that wants them."""
    return Console(file=stream, markup=False, emoji=False, highlight=False)


@dataclass(frozen=True, slots=True)
class Column:
    """A heading; numbers stand right."""

    title: str
    is_number: bool = False


def table(columns: Sequence[Column], rows: Iterable[Sequence[Text]]) -> Lines:
    """Aligned columns without rules, at their natural width.

    Nothing is squeezed or cut: a terminal that is too narrow wraps the line, and no number ever loses digits.
    """
    lines = [[Text(column.title, style="bold") for column in columns], *(list(row) for row in rows)]
    widths = [max(line[i].cell_len for line in lines) for i in range(len(columns))]
    for line in lines:
        drawn = Text()
        for column, width, text in zip(columns, widths, line, strict=True):
            gap = " " * (width - text.cell_len)
            drawn.append_text(Text.assemble(gap, text) if column.is_number else Text.assemble(text, gap)).append("  ")
        drawn.rstrip()
        yield drawn


def cell(text: object, style: str = "") -> Text:
    """Any value as one safe line; nothing is shown as a dash."""
    shown = _carried(plain(str(text))) if text is not None and text != "" else "-"
    return Text(shown, style=style)


def figure(value: int | None) -> Text:
    """A count with thousands separators; zero stands back."""
    if value is None:
        return Text("-", style="dim")
    return Text(number(value), style="dim" if value == 0 else "")


def status_cell(status: str) -> Text:
    """A status, change or verdict in its colour."""
    return cell(status, _STYLES.get(status, ""))


def title(text: str, rest: str = "") -> Text:
    """A heading: what, and beside it what about it."""
    line = Text(plain(text), style="bold")
    return line.append(f"  {plain(rest)}", style="not bold dim") if rest else line


def facts(pairs: Iterable[tuple[str, Text]]) -> Lines:
    """Names and values, one pair a line."""
    known = list(pairs)
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        yield Text.assemble((name.ljust(width), "dim"), "  ", value)


def next_step(text: str) -> Lines:
    """The last line of a report: what to do now, if there is something."""
    return [Text.assemble(("Next: ", "bold"), plain(text))] if text else []


def changes(inserts: int, updates: int, deletes: int) -> Text:
    """``+ 12 inserts, ~ 3 updates, - 1 delete``."""
    line = Text()
    for kind, value in (("insert", inserts), ("update", updates), ("delete", deletes)):
        plural = "" if value == 1 else "s"
        style = _STYLES[kind] if value else "dim"
        line.append(", " if line else "").append(f"{_SIGNS[kind]} {number(value)} {kind}{plural}", style=style)
    return line


def delivered(inserts: int, updates: int, deletes: int) -> Text:
    """The same in a table's cell: ``+12,345 ~3 -0``."""
    line = Text()
    for kind, value in (("insert", inserts), ("update", updates), ("delete", deletes)):
        line.append(" " if line else "").append(
            f"{_SIGNS[kind]}{number(value)}", style=_STYLES[kind] if value else "dim"
        )
    return line


def check_lines(checks: Iterable[CheckResult]) -> Lines:
    """Every check that did not pass, by weight."""
    order = list(Verdict)
    notable = [c for c in checks if c.verdict != Verdict.PASS.value]
    for check in sorted(notable, key=lambda c: -order.index(Verdict(c.verdict))):
        yield Text.assemble(
            "  ", status_cell(check.verdict), "  ", (plain(check.check), "bold"), "  ", plain(check.message)
        )


def sample_lines(samples: Iterable[Sample]) -> Lines:
    """Records with what changes about them: after for an insert, before for a delete, both for an update."""
    for sample in samples:
        head = Text.assemble((f"{_SIGNS.get(sample.change, '?')} ", _STYLES.get(sample.change, "")), cell(sample.id))
        if sample.reason:
            head.append(f"  ({plain(sample.reason)})", style="dim")
        yield head
        yield from _fields(sample)


def _fields(sample: Sample) -> Lines:
    values = sample.before if sample.change == "delete" else sample.after
    names = [name for name in values if sample.change != "update" or name in sample.changed]
    for name in names:
        line = Text.assemble("    ", (plain(name), "bold"), ": ")
        if sample.change == "update":
            line.append_text(value_cell(sample.before.get(name))).append(f" {_carried(ARROW)} ", style="dim")
        yield line.append_text(value_cell(values[name]))


def value_cell(value: str | None) -> Text:
    """A JSON text, cut where it stops being readable; what is not there is said in a word that no JSON value is."""
    if value is None:
        return Text("absent", style="dim italic")
    shown = _carried(plain(value))
    if len(shown) > VALUE_LENGTH_MAX:
        shown = f"{shown[:VALUE_LENGTH_MAX]}... ({len(value):,} characters)"
    return Text(shown)


def _carried(text: str) -> str:
    """A sign of ours in a form that the stream can carry; any other text as it is."""
    if text not in _IN_ASCII:
        return text
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return _IN_ASCII[text]
    return text
