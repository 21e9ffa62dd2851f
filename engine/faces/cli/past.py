"""Time travel: the story of one record, and what a destination held at a moment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.text import Text

from engine.errors import ConfigurationError
from engine.faces.cli.group import Command
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import count, moment, plain
from engine.faces.cli.render import Column, Lines, cell, facts, figure, table, title, value_cell
from engine.faces.cli.render import show as show_report
from engine.service.past_state import StateReport, write_state
from engine.service.records import RecordReport, StoryLine, moment_of, show_record


@click.command(cls=Command)
@click.argument("sync")
@click.option("--key", required=True, help="The match key, as text, as the destination knows it.")
@click.option("--at", metavar="TIME", help="As it was then (ISO 8601; UTC if it says none).")
@click.option("--version", type=click.IntRange(min=1), help="As it was when this version was the newest.")
@click.pass_context
def show(context: click.Context, sync: str, key: str, at: str | None, version: int | None) -> int:
    """Show one record: delivered, wanted, and why, with its whole story.

    Values classified above internal are masked.
    """
    if at is not None and version is not None:
        raise click.UsageError("choose one of --at, --version", context)
    asked = None if at is None else moment_given(at, "--at")
    with opened(context) as app:
        report = show_record(app, sync, key, moment_of(app, sync, asked, version))
    show_report(context, report, record_view)
    return 0


@click.command(cls=Command)
@click.argument("sync")
@click.option("--at", required=True, metavar="TIME", help="The moment (ISO 8601; UTC if it says none).")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="A new Parquet file, for its owner only.",
)
@click.pass_context
def state(context: click.Context, sync: str, at: str, out: Path) -> int:
    """Write what a destination had acknowledged at a moment to a file.

    One row per record, with all its values: the file is as sensitive as the destination.
    """
    asked = moment_given(at, "--at")
    with opened(context) as app:
        report = write_state(app, sync, asked, out)
    show_report(context, report, state_view)
    return 0


def moment_given(text: str, option: str) -> datetime:
    """A moment that an operator gave, in UTC where it names no zone; raises `ConfigurationError`."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"`{text}` is no moment",
            where=option,
            safe="Nothing was changed.",
            next="write it as ISO 8601, such as 2026-01-31T09:30:00Z",
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def record_view(report: RecordReport) -> Lines:
    """What a comparison says, each field as delivered and as wanted, then the story."""
    when = f"at {moment(report.at)}, version {report.version}" if report.at else ""
    yield title(f"{report.sync}: record {report.id}", when)
    verdict = f"{report.verdict} ({report.reason})" if report.reason else report.verdict
    yield from facts(
        [
            ("destination holds it", cell(_yes_no(report.holds, unknown=report.unknown))),
            ("it is wanted", cell(_yes_no(report.desired, unknown=False))),
            ("something is owed", cell(_yes_no(report.owed, unknown=False))),
            ("rejected attempts", figure(report.attempts)),
            ("the next run says", cell(verdict)),
            *([("plans are kept since", cell(moment(report.kept_since)))] if report.kept_since else []),
        ]
    )
    names = dict.fromkeys((*report.wanted, *report.delivered))
    if names:
        columns = [Column("field"), Column("delivered"), Column("wanted")]
        yield from table(
            columns,
            ([cell(n), value_cell(report.delivered.get(n)), value_cell(report.wanted.get(n))] for n in names),
        )
    if report.story:
        yield title("story")
        columns = [Column("when"), Column("what"), Column("")]
        yield from table(columns, (_line(line) for line in report.story))


def _line(line: StoryLine) -> list[Text]:
    changed = f": {', '.join(line.changed)}" if line.changed else ""
    return [cell(moment(line.at) if line.at else ""), cell(line.kind), cell(line.what + changed)]


def state_view(report: StateReport) -> Lines:
    """How much was held, and where it stands now."""
    yield title(report.sync, f"at {report.at}")
    held = count(report.records, "record")
    yield Text(plain(f"{held} in {report.file}; of {report.unknown:,} nobody knew whether the destination has them so"))


def _yes_no(fact: bool, *, unknown: bool) -> str:  # noqa: FBT001 - a fact to say in a word
    return "unknown" if unknown else "yes" if fact else "no"
