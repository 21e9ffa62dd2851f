"""Consent: record a decision, read a list of decisions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
from rich.text import Text

from engine.core.consent import Status
from engine.core.consent_rule import REMOVING
from engine.core.outcome import exit_code
from engine.faces.cli.group import Command, Group
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import count, moment, plain
from engine.faces.cli.progress import watched
from engine.faces.cli.render import Lines, cell, facts, figure, next_step, show, show_stream, title
from engine.faces.cli.run import run_view
from engine.service.consent import ConsentReport, Decision, import_decisions, record_decision
from engine.service.consent_report import ConsentProof, consent_report
from engine.service.consent_story import DeliveryStory, StandingStory, deliveries, standings
from engine.service.runs import run_syncs

_SUBJECT = click.option("--subject", required=True, help="Whom the decision is about, as the register writes it.")
_PURPOSE = click.option("--purpose", required=True, help="What it is about, such as email_marketing.")
_CHANNEL = click.option(
    "--channel", default=None, metavar="NAME", help="By which channel, such as email; left out, by any."
)
_SOURCE = click.option("--source", default="", metavar="TEXT", help="Where it was taken, such as a form.")
_RECEIPT = click.option("--receipt", default="", metavar="ID", help="What proves it.")


@click.group(cls=Group, no_args_is_help=True)
def consent() -> None:
    """Record who agreed to what, and who took it back."""


@consent.command("grant", cls=Command)
@_SUBJECT
@_PURPOSE
@_CHANNEL
@click.option("--basis", default="", metavar="TEXT", help="The legal basis, such as consent.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%SZ"]), help="When it ends, in UTC.")
@_SOURCE
@_RECEIPT
@click.pass_context
def grant(
    context: click.Context,
    subject: str,
    purpose: str,
    channel: str | None,
    basis: str,
    expires: datetime | None,
    source: str,
    receipt: str,
) -> int:
    """Record that a subject agrees to a purpose, as of now."""
    until = expires.replace(tzinfo=UTC) if expires else None
    with opened(context) as app:
        report = record_decision(
            app, Decision(subject, purpose, Status.GRANTED, channel, basis, until, source, receipt)
        )
    show(context, report, decided_view)
    return 0


@consent.command("withdraw", cls=Command)
@_SUBJECT
@_PURPOSE
@_CHANNEL
@_SOURCE
@_RECEIPT
@click.option("--run", "run_now", is_flag=True, help="Run the syncs that ask for this purpose at once.")
@click.pass_context
def withdraw(
    context: click.Context,
    subject: str,
    purpose: str,
    channel: str | None,
    source: str,
    receipt: str,
    *,
    run_now: bool,
) -> int:
    """Record that a subject takes consent back, as of now.

    A run that is under way sends the subject no more from its next window on; the next run removes what is held. With
    --run, the report and the exit code are those of `tidegate run`.
    """
    with opened(context) as app:
        report = record_decision(app, Decision(subject, purpose, Status.WITHDRAWN, channel, "", None, source, receipt))
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

    Columns: subject, purpose, status (granted, denied, withdrawn, expired); channel, legal_basis, collected_at,
    expires_at, source and receipt_id if there are such.
    """
    with opened(context) as app:
        report = import_decisions(app, file)
    show(context, report, decided_view)
    return 0


@consent.command("explain", cls=Command)
@click.option("--subject", required=True, help="Whom to tell about, as the dataset writes it.")
@click.pass_context
def explain(context: click.Context, subject: str) -> int:
    """Tell what was sent about a subject, where, when and on what basis, and what holds now.

    Keys classified above internal are masked. Syncs that ask nobody know no subject, but for the column that their dataset
    names.
    """
    with opened(context) as app, app.tools.compute.session() as session:
        story = deliveries(app, session, subject)
        show_stream(
            context, "deliveries", story, delivery_lines, "now", standings(app, session, subject), standing_lines
        )
    return 0


@consent.command("report", cls=Command)
@click.argument("sync")
@click.option(
    "--run", "run_name", default=None, metavar="RUN", help="A run of it; when left out, the newest that delivered."
)
@click.pass_context
def report_run(context: click.Context, sync: str, run_name: str | None) -> int:
    """Prove from stored facts that every upsert of a run was allowed; exit code 1 when one is not.

    Joins what was delivered to the decisions as of the moment of the run's plan.
    """
    with opened(context) as app:
        report = consent_report(app, sync, run_name)
    show(context, report, proof_view)
    return 1 if report.unproven else 0


def delivery_lines(story: DeliveryStory) -> Lines:
    """One record in one run, and below it the decisions."""
    head = Text.assemble(moment(story.at), "  ", plain(f"{story.sync} -> {story.object} of {story.destination}"))
    reason = f" ({story.reason})" if story.reason else ""
    yield head.append(plain(f"  {story.op} of {story.key}{reason}: {story.outcome}  {story.run}"))
    said = "was allowed by" if story.op in REMOVING else "allowed by"
    for decision in story.basis:
        yield _decision(f"{said} {decision.get('purpose', 'a decision')}", decision)


_PARTS = MappingProxyType(
    {
        "channel": "by {}",
        "legal_basis": "{}",
        "receipt": "receipt {}",
        "collected_at": "of {}",
        "expires_at": "until {}",
        "register": "in {}",
    }
)
"""How each part of a decision is told."""
_MOMENTS = ("collected_at", "expires_at")


def _decision(what: str, decision: Mapping[str, Any]) -> Text:
    parts = {name: str(decision.get(name) or "") for name in _PARTS}
    told = [_PARTS[name].format(moment(part) if name in _MOMENTS else part) for name, part in parts.items() if part]
    return Text(plain(f"    {what}: {', '.join(told)}" if told else f"    {what}"))


def standing_lines(story: StandingStory) -> Lines:
    """What one sync makes of the subject now."""
    verb = "consents" if story.consents else "does not consent"
    yield title(f"{story.sync} now", f"{verb} to {story.asks}; {story.next}")
    held = f"{len(story.keys):,} held" + (f" ({', '.join(story.keys)})" if story.keys else "")
    told = f", {story.unsubscribed:,} of them unsubscribed" if story.unsubscribed else ""
    yield Text(plain(f"    {count(story.rows, 'row')} of the dataset, {held}{told}"))
    for purpose in story.purposes:
        yield _decision(f"{purpose.purpose} {purpose.why}", {name: getattr(purpose, name) for name in _PARTS})


def proof_view(report: ConsentProof) -> Lines:
    """The counts, what they rest on, and the digest by which the report is recognised."""
    yield title(f"{report.sync}: run {report.run}", f"consent to {report.asks} as of {moment(report.at)}")
    yield from facts(
        [
            ("upserts delivered", figure(report.upserts)),
            ("proven", figure(report.proven)),
            ("unproven", figure(report.unproven)),
            ("forgotten since", figure(report.forgotten)),
            ("removals", figure(report.removals)),
            ("withheld late", figure(report.withheld)),
            ("rests on", cell(", ".join(f"{name} {number}" for name, number in report.registers.items()))),
            ("plan", cell(report.digest)),
            ("evidence", cell(report.evidence)),
        ]
    )
    if report.keys:
        yield Text(plain(f"unproven: {', '.join(report.keys)}"))
        yield from next_step("tidegate ledger verify")


def decided_view(report: ConsentReport) -> Lines:
    """How many decisions were recorded, and whom they concern."""
    yield Text(
        plain(
            f"{count(report.granted, 'grant')} and {count(report.refused, 'refusal')} for {', '.join(report.purposes)}"
        )
    )
    for purpose in report.unknown_purposes:
        yield Text(plain(f"no sync asks for {purpose}"))
    if report.unmatched:
        near = f"; {report.nearly:,} would be but for blanks, case or Unicode form" if report.nearly else ""
        yield Text(plain(f"in no dataset of a sync that asks: {count(report.unmatched, 'subject')}{near}"))
    if report.unseen:
        yield Text(plain(f"recorded; whether a dataset has the subjects could not be seen: {report.unseen}"))
    if report.next:
        yield from next_step(report.next)
