"""Undo: roll a sync back and keep it there, let it go on, withdraw a version from every sync."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from engine.core.outcome import exit_code
from engine.faces.cli.group import Command, Group
from engine.faces.cli.lists import keys_of
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import count, number, plain, seconds
from engine.faces.cli.previews import preview_code, samples_option, yes_option
from engine.faces.cli.progress import watched
from engine.faces.cli.reasons import reason_option
from engine.faces.cli.render import (
    Lines,
    cell,
    changes,
    check_lines,
    facts,
    figure,
    next_step,
    sample_lines,
    show,
    title,
)
from engine.faces.cli.run import run_view
from engine.service.reports import RunReport
from engine.service.retention import HoldReport, hold_version, release_version
from engine.service.rollback import (
    MovePreview,
    UnpinReport,
    WithdrawPreview,
    preview_rollback,
    preview_unpin,
    preview_withdraw,
    roll_back,
    roll_back_some,
    unpin_sync,
    withdraw_version,
)


@click.command(cls=Command)
@click.argument("sync")
@click.option("--to", type=click.IntRange(min=1), required=True, metavar="VERSION", help="The version to go back to.")
@click.option(
    "--only-keys",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Only these records: a file with one match key a line. All others follow the newest version.",
)
@reason_option()
@yes_option
@samples_option()
@click.pass_context
def rollback(
    context: click.Context,
    sync: str,
    to: int,
    only_keys: Path | None,
    reason: str,
    yes: bool,  # noqa: FBT001 - click passes by name
    samples: int,
) -> int:
    """Put a destination back to an earlier version, and keep it there.

    Shows what it would take; with --yes it is done: the sync is pinned to the version, and what differs is sent. Consent
    is today's, gates and approvals count as for any plan, and the source is not read. `tidegate unpin` lets it go on.
    """
    only = None if only_keys is None else keys_of(only_keys)
    with opened(context) as app:
        if not yes:
            report = preview_rollback(app, sync, to, only=only, samples=samples)
            again = f"tidegate rollback {sync} --to {to} {'' if only is None else '--only-keys FILE '}--yes"
            show(context, report, lambda r: move_view(r, again))
            return preview_code(blocked=report.blocked)
        with watched(context) as (stop, observe):
            if only is None:
                reports = roll_back(app, sync, to, reason, stop, observe)
            else:
                reports = roll_back_some(app, sync, to, only, reason, stop, observe)
    show(context, reports, run_view)
    return exit_code(r.status for r in reports)


@click.command(cls=Command)
@click.argument("sync")
@reason_option()
@yes_option
@samples_option()
@click.pass_context
def unpin(context: click.Context, sync: str, reason: str, yes: bool, samples: int) -> int:  # noqa: FBT001 - click passes by name
    """Let a sync that was rolled back follow the newest version again.

    Shows what the next run would send if the source held what was captured last; with --yes the pin is taken away.
    """
    with opened(context) as app:
        if not yes:
            report = preview_unpin(app, sync, samples=samples)
            show(context, report, lambda r: move_view(r, f"tidegate unpin {sync} --yes"))
            return preview_code(blocked=report.blocked)
        done = unpin_sync(app, sync, reason)
    show(context, done, unpin_view)
    return 0


@click.group(cls=Group, no_args_is_help=True)
def dataset() -> None:
    """Care for the versions of a dataset."""


@dataset.command(cls=Command)
@click.argument("version", metavar="DATASET@VERSION")
@reason_option(required=True, says="What is wrong with it, without naming anybody; kept in the ledger.")
@yes_option
@samples_option()
@click.pass_context
def withdraw(context: click.Context, version: str, reason: str, yes: bool, samples: int) -> int:  # noqa: FBT001 - click passes by name
    """Mark a version as bad, and undo it in every destination.

    Shows what it would take; with --yes the version is never planned again, and each sync that followed it is brought back
    to the newest good version before. The next good version is delivered as ever.
    """
    with opened(context) as app:
        if not yes:
            report = preview_withdraw(app, version, samples=samples)
            show(
                context, report, lambda r: withdraw_view(r, f"tidegate dataset withdraw {version} --reason TEXT --yes")
            )
            return preview_code(blocked=any(move.blocked for move in report.syncs))
        with watched(context) as (stop, observe):
            reports: list[RunReport] = withdraw_version(app, version, reason, stop, observe)
    show(context, reports, run_view)
    return exit_code(r.status for r in reports)


@dataset.command(cls=Command)
@click.argument("version", metavar="DATASET@VERSION")
@reason_option(required=True, says="Why it must be kept, without naming anybody; kept in the ledger.")
@click.pass_context
def hold(context: click.Context, version: str, reason: str) -> int:
    """Let no rule drop a version, whatever `retain` says, until it is released."""
    with opened(context) as app:
        report = hold_version(app, version, reason)
    show(context, report, hold_view)
    return 0


@dataset.command(cls=Command)
@click.argument("version", metavar="DATASET@VERSION")
@reason_option(required=True, says="Why it may go, without naming anybody; kept in the ledger.")
@click.pass_context
def release(context: click.Context, version: str, reason: str) -> int:
    """Let a version that was held be dropped when `retain` says so."""
    with opened(context) as app:
        report = release_version(app, version, reason)
    show(context, report, hold_view)
    return 0


def hold_view(report: HoldReport) -> Lines:
    """What holds from now on."""
    kept = "is kept until it is released" if report.held else "may be dropped when its dataset's rule says so"
    yield Text(plain(f"Version {report.version} of {report.dataset} {kept}."))


def move_view(report: MovePreview, command: str) -> Lines:
    """From which version to which, what would be sent, what stays and what cannot be undone, then samples."""
    yield from _move(report)
    if report.blocked:
        yield from next_step("mend what blocks; nothing would be sent")
    else:
        yield from next_step(command)


def _move(report: MovePreview) -> Lines:
    came_from = "an unfinished delivery" if report.delivered is None else f"version {report.delivered}"
    yield title(report.sync, f"{report.dataset}, from {came_from} to version {report.version}")
    counts = report.plan
    yield changes(counts.inserts, counts.updates, counts.deletes)
    at_least = f"at least {count(report.calls, 'call')}"
    effort = f"{at_least}, {seconds(report.seconds)} at the declared pace" if report.seconds else at_least
    yield from facts(
        (name, value)
        for name, value in (
            ("unchanged", figure(counts.unchanged)),
            ("withheld", figure(counts.withheld)),
            ("stays", Text(_stays(report))),
            ("takes", Text(effort)),
            ("cannot undo", cell(report.cannot_undo)),
            ("comparison", cell(" - ".join(part for part in (counts.comparison, counts.reason) if part))),
        )
    )
    yield from check_lines(report.checks)
    yield from sample_lines(report.samples)


def _stays(report: MovePreview) -> str:
    if not report.stays:
        return "nothing that the version has not"
    return f"{count(report.stays, 'record')} that the version has not: the sync's mode never deletes what is gone"


def withdraw_view(report: WithdrawPreview, command: str) -> Lines:
    """What would be sent through each sync."""
    for move in report.syncs:
        yield from _move(move)
    if not report.syncs:
        yield Text(plain(f"No sync follows version {number(report.version)} of {report.dataset}."))
    yield from next_step(command)


def unpin_view(report: UnpinReport) -> Lines:
    """What was let go, and what follows."""
    yield Text(plain(f"{report.sync} was pinned to version {report.version} and follows the newest again."))
    yield from next_step(report.next)
