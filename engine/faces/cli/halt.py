"""Halt: pause a sync, let it run again, give a run up."""

from __future__ import annotations

import click
from rich.text import Text

from engine.faces.cli.group import Command
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import moment, plain
from engine.faces.cli.reasons import reason_option
from engine.faces.cli.render import Lines, cell, next_step, show
from engine.faces.cli.run import run_view
from engine.service.halts import CancelReport, HaltReport, PauseReport, cancel_run, pause_sync, resume_sync

_REASON = reason_option()


@click.command(cls=Command)
@click.argument("sync")
@_REASON
@click.pass_context
def pause(context: click.Context, sync: str, reason: str) -> int:
    """Let a sync do nothing until it is resumed.

    Whatever would run it, nothing is read or sent for it, removals included. A run under way, on any host, ends at the edge
    of its window; what has not left stays owed.
    """
    with opened(context) as app:
        report = pause_sync(app, sync, reason)
    show(context, report, halt_view)
    return 0


@click.command(cls=Command)
@click.argument("sync")
@_REASON
@click.pass_context
def resume(context: click.Context, sync: str, reason: str) -> int:
    """Let a paused sync run again; its next run goes on where it stopped."""
    with opened(context) as app:
        report = resume_sync(app, sync, reason)
    show(context, report, halt_view)
    return 0


@click.command(cls=Command)
@click.argument("run", metavar="SYNC|RUN")
@_REASON
@click.pass_context
def cancel(context: click.Context, run: str, reason: str) -> int:
    """Give up a run that has not ended: of a sync, or by its id.

    A run under way, on any host, ends at the edge of its window. What was delivered counts, all else stays owed, and the
    next run plans anew.
    """
    with opened(context) as app:
        report = cancel_run(app, run, reason)
    show(context, report, cancel_view)
    return 0


def halt_view(report: HaltReport) -> Lines:
    """How the sync stands, what waits, and what to type now."""
    stands = "is not paused" if report.paused is None else pause_words(report.paused)
    before = "" if report.changed else " (as before)"
    yield Text.assemble(cell(report.sync, "bold"), f" {plain(stands)}{before}")
    if report.run:
        yield Text(plain(f"run {report.run} has not ended and goes on when the sync runs"))
    yield from next_step(report.next)


def cancel_view(report: CancelReport) -> Lines:
    """The end of the run, or that it is waited for."""
    if report.ended is None:
        yield Text(plain(f"{report.sync}: run {report.run} is given up and ends at the edge of its window"))
    else:
        yield from run_view([report.ended])
    yield from next_step(report.next)


def pause_words(paused: PauseReport) -> str:
    """By whom, since when and why, in a line."""
    why = f": {paused.reason}" if paused.reason else ""
    return f"paused by {paused.by} since {moment(paused.since)}{why}"
