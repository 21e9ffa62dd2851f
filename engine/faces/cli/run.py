"""Work: check a project, capture a dataset, preview a plan, run syncs."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.text import Text

from config.problems import InvalidProject
from engine.bootstrap import ledger_at_hand
from engine.clock import SystemClock
from engine.core.outcome import EXIT_CODES, RunStatus, exit_code
from engine.faces.cli.group import Command
from engine.faces.cli.opening import loaded, opened
from engine.faces.cli.plain import count, number, plain, seconds, size
from engine.faces.cli.previews import samples_option
from engine.faces.cli.progress import watched
from engine.faces.cli.render import (
    Column,
    Lines,
    cell,
    changes,
    check_lines,
    delivered,
    facts,
    figure,
    next_step,
    sample_lines,
    show,
    status_cell,
    table,
    title,
)
from engine.service.captures import CaptureReport, capture_dataset
from engine.service.plans import PlanPreview, preview_plan
from engine.service.reports import RunReport
from engine.service.runs import run_syncs
from engine.service.validate import ValidationReport
from engine.service.validate import validate as validated


@click.command(cls=Command)
@click.argument("syncs", nargs=-1, metavar="SYNC...")
@click.option("--all", "everything", is_flag=True, help="Run every sync of the project.")
@click.pass_context
def run(context: click.Context, syncs: tuple[str, ...], everything: bool) -> int:  # noqa: FBT001 - click passes by name
    """Capture, gate, plan and deliver.

    One sync after the other; the failure of one does not stop the next. The first interrupt stops at the edge of a
    window, the second at once; the next run resumes.
    """
    if everything == bool(syncs):
        raise click.UsageError("name the syncs to run, or say --all", context)
    with opened(context) as app:
        names = app.sync_names if everything else tuple(dict.fromkeys(syncs))
        with watched(context) as (stop, observe):
            reports = run_syncs(app, names, stop, observe)
    show(context, reports, run_view)
    return exit_code(report.status for report in reports)


@click.command(cls=Command)
@click.argument("dataset")
@click.pass_context
def capture(context: click.Context, dataset: str) -> int:
    """Read a dataset, judge it, accept a version.

    A read that fails, or is held or blocked by a gate, leaves the version before as it was.
    """
    with opened(context) as app:
        report = capture_dataset(app, dataset)
    show(context, report, capture_view)
    stopped = {RunStatus.HELD.value: RunStatus.HELD, RunStatus.BLOCKED.value: RunStatus.BLOCKED}
    return EXIT_CODES[stopped[report.status]] if report.status in stopped else 0


@click.command(cls=Command)
@click.argument("sync")
@samples_option()
@click.pass_context
def plan(context: click.Context, sync: str, samples: int) -> int:
    """Show what a run would send; sends nothing.

    Reads the source and writes nothing to the ledger. Values classified above internal are masked.
    """
    with opened(context) as app:
        report = preview_plan(app, sync, samples=samples)
    show(context, report, plan_view)
    status = RunStatus.BLOCKED if report.blocked else RunStatus.HELD if report.held else RunStatus.UNCHANGED
    return EXIT_CODES[status]


@click.command(cls=Command)
@click.option(
    "--connect", is_flag=True, help="Also open every source and the ledger, and ask destinations for their fields."
)
@click.pass_context
def validate(context: click.Context, connect: bool) -> int:  # noqa: FBT001 - click passes by name
    """Check every file, contract and reference.

    Each problem is told with its file and line. Contracts are held against those in the ledger, where it is a file that is
    there; another ledger is asked with --connect.
    """
    try:
        project = loaded(context)
        with ledger_at_hand(project, connect=connect) as ledger:
            report = validated(project, connect=connect, now=SystemClock().now(), ledger=ledger)
    except InvalidProject as error:
        report = ValidationReport(False, error.problems, (), 0, 0, 0)
    show(context, report, validation_view)
    return 0 if report.ok else 2


def run_view(reports: Sequence[RunReport]) -> Lines:
    """One row a sync, then why each one that needs words is as it is, then what to do."""
    if not reports:
        yield Text("The project has no syncs.")
        return
    columns = [
        *(Column(name) for name in ("sync", "status")),
        Column("version", is_number=True),
        Column("delivered"),
        *(Column(name, is_number=True) for name in ("rejected", "owed", "sent", "time")),
    ]
    yield from table(columns, (_run_row(report) for report in reports))
    for report in reports:
        if report.resumed:
            yield Text(f"{plain(report.sync)}: run {plain(report.resumed)} was interrupted and is finished now")
        if report.reason:
            yield Text.assemble(cell(report.sync, "bold"), ": ", plain(report.reason))
    for notice in dict.fromkeys(report.notice for report in reports if report.notice):
        yield Text.assemble(("warning: ", "yellow"), plain(notice))
    for step in dict.fromkeys(report.next for report in reports):
        yield from next_step(step)


def _run_row(report: RunReport) -> list[Text]:
    return [
        cell(report.sync),
        status_cell(report.status.value),
        cell(report.version),
        delivered(report.delivered.inserts, report.delivered.updates, report.delivered.deletes),
        figure(report.rejected),
        figure(report.failed + report.unknown),
        cell(size(report.bytes_sent)),
        cell(seconds(report.seconds.get("total", 0.0))),
    ]


def capture_view(report: CaptureReport) -> Lines:
    """What became of one read."""
    version = "no version yet" if report.version is None else f"version {number(report.version)}"
    yield Text.assemble(cell(report.dataset, "bold"), "  ", status_cell(report.status), f"  {version}")
    if report.status == "accepted":
        yield Text.assemble(f"{count(report.rows, 'row')}: ", changes(report.inserts, report.updates, report.deletes))
    elif report.reason:
        yield Text(plain(report.reason))
    yield from check_lines(report.checks)
    yield from next_step(report.next)


def plan_view(report: PlanPreview) -> Lines:
    """What a run would send, and what to do now."""
    yield from plan_lines(report)
    counts = report.plan
    if report.blocked:
        yield from next_step("mend what blocks; a run would send nothing")
    elif report.held:
        yield from next_step(
            f"tidegate run {report.sync}, which waits for approval of this version and then sends this"
        )
    elif counts.inserts + counts.updates + counts.deletes:
        yield from next_step(f"tidegate run {report.sync}")


def plan_lines(report: PlanPreview) -> Lines:
    """Counts, why the comparison was full or not, the digest, checks that did not pass, then samples."""
    candidate = " (candidate: the source differs from the last accepted version)" if report.candidate else ""
    yield title(f"Plan for {report.sync}", f"{report.dataset}, version {report.version}{candidate}")
    counts = report.plan
    if not report.blocked or counts.id:
        yield changes(counts.inserts, counts.updates, counts.deletes)
        yield from facts(
            (name, value)
            for name, value in (
                ("unchanged", figure(counts.unchanged)),
                ("withheld", figure(counts.withheld)),
                *((("quarantined", figure(counts.quarantined)),) if counts.quarantined else ()),
                ("comparison", cell(" - ".join(part for part in (counts.comparison, counts.reason) if part))),
                ("digest", cell(counts.digest)),
            )
        )
    yield from check_lines(report.checks)
    yield from sample_lines(report.samples)


def validation_view(report: ValidationReport) -> Lines:
    """Each problem as ``file:line: message``, then one line that sums up."""
    for problem in report.problems:
        yield Text(plain(str(problem)))
    for warning in report.warnings:
        yield Text.assemble(("warning: ", "yellow"), plain(warning))
    if not report.ok:
        yield Text(count(len(report.problems), "problem"), style="red")
        return
    parts = (count(report.datasets, "dataset"), count(report.syncs, "sync"), count(report.destinations, "destination"))
    yield Text.assemble(("Valid: ", "green"), ", ".join(parts))
