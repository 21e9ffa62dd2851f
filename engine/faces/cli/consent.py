"""Consent: record a decision, read a list of decisions."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click
from rich.text import Text

from engine.core.outcome import exit_code
from engine.faces.cli.group import Command, Group
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import count, plain
from engine.faces.cli.progress import watched
from engine.faces.cli.render import Lines, next_step, show
from engine.faces.cli.run import run_view
from engine.service.consent import ConsentReport, Decision, Status, import_decisions, record_decision
from engine.service.runs import run_syncs

_SUBJECT = click.option("--subject", required=True, help="Whom the decision is about, as the register writes it.")
_PURPOSE = click.option("--purpose", required=True, help="What it is about, such as email_marketing.")
_SOURCE = click.option("--source", default="", metavar="TEXT", help="Where it was taken, such as a form.")
_RECEIPT = click.option("--receipt", default="", metavar="ID", help="What proves it.")


@click.group(cls=Group, no_args_is_help=True)
def consent() -> None:
    """Record who agreed to what, and who took it back."""


@consent.command("grant", cls=Command)
@_SUBJECT
@_PURPOSE
@click.option("--basis", default="", metavar="TEXT", help="The legal basis, such as consent.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]), help="When it ends, in UTC.")
@_SOURCE
@_RECEIPT
@click.pass_context
def grant(
    context: click.Context,
    subject: str,
    purpose: str,
    basis: str,
    expires: datetime | None,
    source: str,
    receipt: str,
) -> int:
    """Record that a subject agrees to a purpose, as of now."""
    until = expires.replace(tzinfo=UTC) if expires else None
    with opened(context) as app:
        report = record_decision(app, Decision(subject, purpose, Status.GRANTED, basis, until, source, receipt))
    show(context, report, decided_view)
    return 0


@consent.command("withdraw", cls=Command)
@_SUBJECT
@_PURPOSE
@_SOURCE
@_RECEIPT
@click.option("--run", "run_now", is_flag=True, help="Run the syncs that ask for this purpose at once.")
@click.pass_context
def withdraw(context: click.Context, subject: str, purpose: str, source: str, receipt: str, *, run_now: bool) -> int:
    """Record that a subject takes consent back, as of now.

    A run that is under way sends the subject no more from its next window on; the next run removes what is held. With
    --run, the report and the exit code are those of `tidegate run`.
    """
    with opened(context) as app:
        report = record_decision(app, Decision(subject, purpose, Status.WITHDRAWN, "", None, source, receipt))
        if not (run_now and report.syncs):
            show(context, report, decided_view)
            return 0
        with watched(context) as (stop, observe):
            reports = run_syncs(app, report.syncs, stop, observe)
    show(context, reports, run_view)
    return exit_code(one.status for one in reports)


@consent.command("import", cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_context
def import_list(context: click.Context, file: Path) -> int:
    """Record every decision of a Parquet, CSV or JSON-lines file, or none of it.

    Columns: subject, purpose, status (granted, denied, withdrawn, expired); legal_basis, collected_at, expires_at, source
    and receipt_id if there are such.
    """
    with opened(context) as app:
        report = import_decisions(app, file)
    show(context, report, decided_view)
    return 0


def decided_view(report: ConsentReport) -> Lines:
    """How many decisions were recorded, and whom they concern."""
    yield Text(
        plain(
            f"{count(report.granted, 'grant')} and {count(report.refused, 'refusal')} for {', '.join(report.purposes)}"
        )
    )
    for purpose in report.unknown_purposes:
        yield Text(plain(f"no sync asks for {purpose}"))
    if report.next:
        yield from next_step(report.next)
