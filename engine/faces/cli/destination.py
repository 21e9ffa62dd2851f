"""Destinations of a project, and the adapters that are installed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from engine.faces.cli.group import Group
from engine.faces.cli.opening import opened
from engine.faces.cli.render import Column, Lines, cell, facts, figure, next_step, show, table, title
from engine.service.adapters import AdapterReport, adapters, describe
from engine.service.conformance import ConformanceReport, conformance
from engine.service.destinations import CheckReport, DestinationReport, check, listing
from engine.service.new_adapter import new_adapter

_REPEATS = {"keyed": "is recognised by its key", "natural": "changes nothing more", "none": "may double an effect"}
"""What a batch does that is sent a second time."""


@click.group(cls=Group, no_args_is_help=True)
def destination() -> None:
    """List and check destinations; write and test adapters."""


@destination.command("list")
@click.pass_context
def list_destinations(context: click.Context) -> int:
    """List the destinations that the environment may use, with the limits in force."""
    with opened(context) as app:
        report = listing(app)
    show(context, report, listing_view)
    return 0


@destination.command("check")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.pass_context
def check_destinations(context: click.Context, names: tuple[str, ...]) -> int:
    """Dial out to destinations, all when none is named; changes nothing there."""
    with opened(context) as app:
        report = [check(app, name) for name in (names or sorted(app.destinations))]
    show(context, report, check_view)
    return 0 if all(one.ok for one in report) else 1


@destination.command("adapters")
@click.option("--markdown", is_flag=True, help="The table of docs/destinations.")
@click.pass_context
def list_adapters(context: click.Context, *, markdown: bool) -> int:
    """List the installed adapters: the types that a destination may have."""
    show(context, adapters(), markdown_view if markdown else adapters_view)
    return 0


@destination.command("describe")
@click.argument("name", metavar="TYPE")
@click.pass_context
def describe_adapter(context: click.Context, name: str) -> int:
    """Say what an installed adapter can do, its limits, its settings, and what it cannot take back."""
    show(context, describe(name), adapter_view)
    return 0


@destination.command("new")
@click.argument("name")
@click.argument("folder", required=False, metavar="[DIR]", type=click.Path(file_okay=False, path_type=Path))
@click.pass_context
def write_adapter(context: click.Context, name: str, folder: Path | None) -> int:
    """Write the package of a new adapter, with a test that passes as it stands.

    Goes to DIR, or to a folder that is named after the adapter.
    """
    show(context, new_adapter(name, folder or Path(f"tidegate-{name}")), written_view)
    return 0


@destination.command("test")
@click.argument("name")
@click.pass_context
def check_adapter(context: click.Context, name: str) -> int:
    """Run the conformance suite of an installed adapter against its fake; dials nothing."""
    report = conformance(name)
    show(context, report, conformance_view)
    return 1 if report.failed else 0


def listing_view(report: Sequence[DestinationReport]) -> Lines:
    """One row a destination."""
    if not report:
        yield Text("The environment has no destinations.")
        return
    columns = [
        *(Column(name) for name in ("destination", "type", "operations", "clearance")),
        Column("records a batch", is_number=True),
        Column("rate"),
    ]
    yield from table(
        columns,
        (
            [cell(d.name), cell(d.type), _words(d.operations), cell(d.clearance), figure(d.records), cell(d.rate)]
            for d in report
        ),
    )


def check_view(report: Sequence[CheckReport]) -> Lines:
    """One row a destination: whether it answered, and what it said."""
    if not report:
        yield Text("The environment has no destinations.")
        return
    columns = [Column("destination"), Column("answer"), Column("message")]
    yield from table(
        columns,
        ([cell(c.name), cell("ok", "green") if c.ok else cell("failed", "red"), cell(c.message)] for c in report),
    )


def adapters_view(report: Sequence[AdapterReport]) -> Lines:
    """One row an adapter: what it can do, how it treats repeats, what it cannot take back."""
    columns = [
        *(Column(name) for name in ("type", "title", "operations", "idempotency")),
        Column("undo"),
    ]
    yield from table(
        columns,
        ([cell(a.name), cell(a.title), _words(a.operations), cell(a.idempotency), cell(a.undo)] for a in report),
    )


def adapter_view(report: AdapterReport) -> Lines:
    """What an adapter can do and cannot, a line each; then its settings."""
    yield title(report.name, report.title)
    yield from facts(
        (
            ("operations", _words(report.operations)),
            ("a call carries", cell(f"at most {report.records:,} records and {report.bytes:,} bytes")),
            ("pace", cell(report.rate)),
            ("match by", cell(report.match)),
            ("a repeat", cell(_again(report))),
            ("answers", cell("later, as a job" if report.jobs else "at once")),
            ("a withdrawal", cell(_unsubscribed(report))),
            ("erasure", cell(_forgotten(report))),
            ("cannot undo", cell(report.undo)),
            ("its page", cell(report.docs)),
        )
    )
    yield Text()
    columns = [Column(name) for name in ("config", "", "when silent")]
    words = ((key, "required" if key.required else "") for key in report.config)
    yield from table(columns, ([cell(key.name), cell(word), cell(key.default)] for key, word in words))


def markdown_view(report: Sequence[AdapterReport]) -> Lines:
    """The same as `adapters_view`, with limits and erasure, as documents hold it."""
    yield Text("| `type` | operations | a call carries | pace | a repeat | jobs | erasure | cannot be undone |")
    yield Text("|---|---|---|---|---|---|---|---|")
    for one in report:
        size = f"{one.records:,} records, {one.bytes / 1e6:g} MB"
        jobs = "yes" if one.jobs else "no"
        parts = (
            f"`{one.name}`",
            ", ".join(one.operations),
            size,
            one.rate,
            _again(one),
            jobs,
            _forgotten(one),
            one.undo,
        )
        yield Text.assemble("| ", Text(" | ").join(cell(part) for part in parts), " |")


def _again(report: AdapterReport) -> str:
    return _REPEATS.get(report.idempotency, report.idempotency)


def _forgotten(report: AdapterReport) -> str:
    return report.erasure or "a delete"


def _unsubscribed(report: AdapterReport) -> str:
    if "unsubscribe" not in report.operations:
        return "deletes the record"
    return "can unsubscribe" + (
        "; a later write subscribes again" if report.resubscribes else "; only the person can undo it"
    )


def written_view(paths: Sequence[Path]) -> Lines:
    """The files that were written, and what to do with them."""
    for path in paths:
        yield Text(f"wrote {path}")
    yield from next_step(f"run `pytest {paths[0].parent}`, then let it speak to an API of yours")


def conformance_view(report: ConformanceReport) -> Lines:
    """What did not pass and what was skipped, a row each; then the counts."""
    shown = [check for check in report.checks if check.ended != "passed"]
    if shown:
        columns = [Column(name) for name in ("check", "case", "result", "why")]
        yield from table(columns, ([cell(c.check), cell(c.case), _ended(c.ended), cell(c.why)] for c in shown))
    yield Text(f"{report.adapter}: {report.passed:,} passed, {report.skipped:,} skipped, {report.failed:,} failed")


def _ended(ended: str) -> Text:
    return cell(ended, "red") if ended == "failed" else cell(ended)


def _words(operations: Sequence[str]) -> Text:
    return cell(", ".join(operations))
