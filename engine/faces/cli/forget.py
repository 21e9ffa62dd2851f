"""Forget people, and see what is still owed to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from engine.delivery.stop import StopRequest, signals
from engine.errors import ConfigurationError
from engine.faces.cli.group import Command, Group, asked
from engine.faces.cli.lists import listed
from engine.faces.cli.opening import opened
from engine.faces.cli.output import write
from engine.faces.cli.plain import count, moment, plain
from engine.faces.cli.render import Column, Lines, cell, facts, figure, next_step, show, table, title
from engine.service.erasure import ErasureStatus, forget, resume, statuses
from engine.service.erasure_proof import report_file, verify_report
from engine.service.erasure_report import ErasureReport, Verified, report_of

OPEN, FAILED = 5, 1


@click.command("forget", cls=Command)
@click.argument("subjects", nargs=-1, metavar="[SUBJECT]...")
@click.option("--reason", required=True, metavar="TEXT", help="Why, without saying who; it is kept for ever.")
@click.option(
    "--file", "file", type=click.Path(path_type=Path, allow_dash=True), help="One subject a line; - is standard input."
)
@click.pass_context
def forget_people(context: click.Context, subjects: tuple[str, ...], reason: str, file: Path | None) -> int:
    """Send nothing more about somebody, have them removed everywhere, and take them out of all that is kept.

    SUBJECT is written as in the column that says whom a row is about. Give every name by which a dataset knows the
    person. Exit code 5 when something is still owed; later runs go on with it.
    """
    people = [*subjects, *(listed(file) if file else [])]
    if not people:
        raise ConfigurationError("Nobody is named", next="give a SUBJECT, or a list with --file")
    stop = StopRequest()
    with opened(context) as app, signals(stop):
        report = forget(app, people, reason, stop)
    show(context, report, report_view)
    return 0 if report.status == "complete" else OPEN


@click.group("erasures", cls=Group, no_args_is_help=True)
def erasures() -> None:
    """See who is still to be forgotten where, go on with it, and check reports."""


@erasures.command("list", cls=Command)
@click.pass_context
def list_requests(context: click.Context) -> int:
    """List the requests, newest first. Exit code 5 when one is not complete."""
    with opened(context) as app:
        report = statuses(app)
    show(context, report, list_view)
    return 0 if all(one.status == "complete" for one in report) else OPEN


@erasures.command("resume", cls=Command)
@click.pass_context
def resume_requests(context: click.Context) -> int:
    """Go on with every request that is not complete, as each run does at its end."""
    stop = StopRequest()
    with opened(context) as app, signals(stop):
        report = resume(app, stop)
    show(context, report, reports_view)
    return 0 if all(one.status == "complete" for one in report) else OPEN


@erasures.command("report", cls=Command)
@click.argument("request")
@click.pass_context
def show_report(context: click.Context, request: str) -> int:
    """Show the report of a request.

    With --json the signed document, as it can be handed over and verified.
    """
    with opened(context) as app:
        content = report_file(app, request)
    if asked(context).as_json:
        write(content.decode())
    else:
        show(context, report_of(content), kept_view)
    return 0


@erasures.command("verify", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--subject", metavar="SUBJECT", help="Also say whether the report is about this subject.")
@click.pass_context
def verify(context: click.Context, file: Path, subject: str | None) -> int:
    """Check that a report is as this project signed it."""
    with opened(context) as app:
        report = verify_report(app, file, subject)
    show(context, report, verified_view)
    return 0 if report.ok and report.about_subject is not False else FAILED


def report_view(report: ErasureReport) -> Lines:
    """What was done, and what to type now."""
    yield from _done_view(report)
    if report.status != "complete":
        yield from next_step("tidegate erasures resume, or the next tidegate run")
    yield from next_step(f"tidegate erasures report {report.request}")


def kept_view(report: ErasureReport) -> Lines:
    """A report as it was signed, in words."""
    yield from _done_view(report)
    yield from facts(
        [
            ("reason", Text(plain(report.reason))),
            ("asked", Text(f"{moment(report.requested_at)} by {plain(report.requested_by)}")),
            ("reported", Text(moment(report.reported_at))),
            ("key", Text(report.key)),
            ("signature", Text(report.signature)),
        ]
    )
    for sync in report.syncs:
        if sync.runs:
            yield Text(plain(f"{sync.sync} removed them in {', '.join(sync.runs)}"))
    yield from next_step(f"tidegate erasures report {report.request} --json > report.json")


def _done_view(report: ErasureReport) -> Lines:
    """What was done, where something is owed, and what was looked at."""
    yield title(f"{report.request}: {report.status}")
    yield from facts(
        [
            ("people", Text(count(report.people, "subject"))),
            ("due", Text(moment(report.due))),
            ("owed by destinations", Text(count(report.owed, "record"))),
        ]
    )
    columns = [Column("sync"), Column("removed", is_number=True), Column("owed", is_number=True), Column("why")]
    rows = ([cell(s.sync), figure(s.removed), figure(s.owed), cell(s.why)] for s in report.syncs)
    yield from table(columns, rows)
    columns = [
        Column("dataset"),
        Column("found by"),
        Column("rewritten", is_number=True),
        Column("rows left", is_number=True),
    ]
    found = (
        [cell(d.dataset), cell(", ".join(d.columns)), figure(d.segments), figure(d.rows_left)] for d in report.datasets
    )
    yield from table(columns, found)
    search = report.search
    yield Text(
        f"{count(search.values, 'value')} looked for in {count(search.files, 'file')} besides; "
        f"{count(search.too_short, 'value')} too short to look for"
    )
    for sentence in report.open:
        yield Text(plain(f"open: {sentence}"))


def reports_view(reports: Sequence[ErasureReport]) -> Lines:
    """One report after the other."""
    if not reports:
        yield Text("Nothing is left to do.")
    for report in reports:
        yield from report_view(report)


def list_view(requests: Sequence[ErasureStatus]) -> Lines:
    """One row a request."""
    if not requests:
        yield Text("Nobody asked to be forgotten.")
        return
    columns = [
        *(Column(name) for name in ("request", "status", "due")),
        *(Column(name, is_number=True) for name in ("people", "owed", "open")),
        Column("reason"),
    ]
    rows = (
        [
            cell(r.request),
            cell(r.status),
            cell(moment(r.due)),
            figure(r.people),
            figure(r.owed),
            figure(r.open),
            cell(r.reason),
        ]
        for r in requests
    )
    yield from table(columns, rows)


def verified_view(report: Verified) -> Lines:
    """Whether the signature holds."""
    yield Text(f"{report.request}: {'as it was signed' if report.ok else 'NOT as it was signed'}; {report.status}")
    if report.about_subject is not None:
        yield Text("about this subject" if report.about_subject else "NOT about this subject")
