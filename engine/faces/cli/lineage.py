"""Lineage and impact: where values come from, where they go, and whom a change reaches."""

from __future__ import annotations

from collections.abc import Iterator

import click
from rich.text import Text

from engine.clock import SystemClock
from engine.core.lineage import ColumnLineage, DatasetLineage, Impact, Known, Role, Use
from engine.faces.cli.group import Command, asked
from engine.faces.cli.mermaid import mermaid
from engine.faces.cli.opening import loaded
from engine.faces.cli.output import without_secrets, write, write_document
from engine.faces.cli.plain import count, plain
from engine.faces.cli.render import Column, Lines, cell, show, table, title
from engine.observe.redact import Redactor
from engine.service.lineage import ImpactReport, LineageReport
from engine.service.lineage import impact as impact_of
from engine.service.lineage import lineage as lineage_of
from engine.service.openlineage import openlineage

FORMATS = ("text", "mermaid", "openlineage")


@click.command(cls=Command)
@click.argument("name", metavar="DATASET|SYNC")
@click.option("--column", metavar="COLUMN", help="Only this column of the dataset.")
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="text", show_default=True, help="How to print it."
)
@click.pass_context
def lineage(context: click.Context, name: str, column: str | None, form: str) -> int:
    """Show from which column of a source each field of a destination comes.

    Read from the project's files: nothing is dialled. With --format openlineage one JSON document, an array of job events
    with column lineage; with --format mermaid a flow chart for a page of documentation.
    """
    if form == "mermaid" and asked(context).as_json:
        raise click.UsageError("a mermaid chart is no JSON: leave --json or --format mermaid out", context)
    report = lineage_of(loaded(context), name, column)
    report = without_secrets(report, (context.find_object(Redactor) or Redactor()).redact)
    if form == "openlineage":
        write_document(openlineage(report, SystemClock().now()))
    elif form == "mermaid":
        write(mermaid(report.datasets))
    else:
        show(context, report, lineage_view)
    return 0


@click.command(cls=Command)
@click.argument("name", metavar="DATASET[.COLUMN]")
@click.pass_context
def impact(context: click.Context, name: str) -> int:
    """Show which syncs a change of a dataset, of one contract major (customers@1) or of a column reaches.

    Read from the project's files: nothing is dialled.
    """
    show(context, impact_of(loaded(context), name), impact_view)
    return 0


def lineage_view(report: LineageReport) -> Lines:
    """One table a dataset: a row for each use of a column, and for each column without one."""
    for dataset in report.datasets:
        owner = f", owned by {dataset.owner}" if dataset.owner else ""
        yield title(dataset.dataset, f"{dataset.contract}{owner}")
        names = ("from", "column", "class", "is", "sync", "to", "as", "leaves as", "leaves in class")
        yield from table([Column(name) for name in names], _rows(dataset))
        if dataset.asked_by:
            yield Text(plain(f"{', '.join(dataset.asked_by)} ask its decisions before they send"))


def _rows(dataset: DatasetLineage) -> Iterator[list[Text]]:
    for column in dataset.columns:
        for use in column.uses or (None,):
            yield [
                cell(_origin(column)),
                cell(column.column),
                cell(column.classification),
                cell(", ".join(column.marks)),
                *_use_cells(use),
            ]


def _use_cells(use: Use | None) -> list[Text]:
    if use is None:
        return [cell("not used", "dim"), *(cell("") for _ in range(4))]
    where = f"{use.destination}.{use.object}"
    if use.role is Role.CONSENT:
        return [cell(use.sync), cell(where), cell("asks for consent"), cell(use.form), cell("does not leave", "dim")]
    role = "match key" if use.role is Role.MATCH else "field"
    return [
        cell(use.sync),
        cell(f"{where}.{use.field}"),
        cell(role),
        cell(use.form),
        cell(use.classification),
    ]


def _origin(column: ColumnLineage) -> str:
    origin = column.origin
    if origin.known is Known.FROM_A_QUERY:
        read = f" of {', '.join(origin.tables)}" if origin.tables else ""
        return f"{origin.connection}: from a query{read}"
    named = ", ".join(f"{source.table}.{source.column}" for source in origin.columns) or "no column"
    computed = "computed of " if origin.known is Known.COMPUTED else ""
    return f"{origin.connection}: {computed}{named}"


def impact_view(report: ImpactReport) -> Lines:
    """One row a sync."""
    owners = f"owned by {', '.join(report.owners)}" if report.owners else "nobody is named as its owner"
    yield title(report.of, f"{count(len(report.syncs), 'use')}, {owners}")
    if not report.syncs:
        yield Text("No sync uses it.")
        return
    names = ("sync", "dataset", "to", "finds records by", "sends", "asks consent by")
    yield from table([Column(name) for name in names], (_impact_row(one) for one in report.syncs))


def _impact_row(one: Impact) -> list[Text]:
    if one.rests_on_decisions:
        return [cell(one.sync), cell(one.dataset), *(cell("") for _ in range(3)), cell("its decisions")]
    return [
        cell(one.sync),
        cell(one.dataset),
        cell(f"{one.destination}.{one.object}"),
        *(cell(", ".join(names)) for names in (one.match, one.fields, one.consent)),
    ]
