"""Alerts: which are open, look again and tell whom it concerns, and try whether a channel can be reached."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.text import Text

from engine.faces.cli.group import Command, Group
from engine.faces.cli.opening import opened
from engine.faces.cli.plain import count, moment, plain
from engine.faces.cli.render import Lines, cell, facts, next_step, show
from engine.service.alerts import (
    AlertReport,
    ChannelReport,
    CheckReport,
    TryReport,
    check_alerts,
    open_alerts,
    try_channel,
)

_STYLES = {"page": "bold red", "ticket": "yellow", "info": "dim"}


@click.group(cls=Group, invoke_without_command=True)
@click.pass_context
def alerts(context: click.Context) -> int:
    """List the open alerts; look again, and tell whom they concern.

    The list is as of the last look, which `tidegate alerts check` or the daemon takes.
    """
    if context.invoked_subcommand is None:
        with opened(context) as app:
            report = open_alerts(app)
        show(context, report, alerts_view)
    return 0


@alerts.command("check", cls=Command)
@click.option("--notify", is_flag=True, help="Tell the channels of the environment what changed.")
@click.pass_context
def check(context: click.Context, notify: bool) -> int:  # noqa: FBT001 - click's
    """Look at every condition and record which alerts opened and closed.

    Meant for a timer, each minute, where there is no daemon. It ends with 0 whatever is open, and with 1 when a channel
    did not take a message, which the next look tries again. While another process looks, it only lists.
    """
    with opened(context) as app:
        report = check_alerts(app, notify=notify)
    show(context, report, check_view)
    return 1 if report.untold else 0


@alerts.command("test", cls=Command)
@click.argument("channel")
@click.pass_context
def test(context: click.Context, channel: str) -> int:
    """Send a message to a channel that says that nothing is wrong."""
    with opened(context) as app:
        report = try_channel(app, channel)
    show(context, report, try_view)
    return 0 if report.taken else 1


def alerts_view(report: Sequence[AlertReport]) -> Lines:
    """One paragraph an alert."""
    if not report:
        yield Text("No alert is open.")
        return
    for number, alert in enumerate(report):
        if number:
            yield Text("")
        yield from _alert(alert)


def _alert(alert: AlertReport) -> Lines:
    yield Text.assemble(cell(alert.severity, _STYLES.get(alert.severity, "")), "  ", (plain(alert.what), "bold"))
    reach = {"datasets": alert.datasets, "syncs": alert.syncs, "destinations": alert.destinations}
    pairs = [("since", cell(moment(alert.since)))]
    pairs += [(word, cell(", ".join(names))) for word, names in reach.items() if names]
    pairs += [("owners", cell(", ".join(alert.owners)))] if alert.owners else []
    pairs += [("because", Text(plain(alert.cause)))] if alert.cause else []
    pairs += [("told", Text(plain("; ".join(map(_told, alert.channels)) or "nobody: no route takes it")))]
    yield from facts(pairs)
    for command in (f"tidegate runbook {alert.runbook}", *alert.next):
        yield from next_step(command)


def _told(channel: ChannelReport) -> str:
    if channel.told:
        return channel.channel
    return f"{channel.channel} not yet" + (
        f" ({channel.why}, {count(channel.failures, 'attempt')})" if channel.why else ""
    )


def check_view(report: CheckReport) -> Lines:
    """What changed, and what is open."""
    if not report.looked:
        yield Text("Another process is looking at this moment; what follows is as of the look before.")
    for word, names in (("opened", report.opened), ("closed", report.closed), ("told", report.told)):
        yield from (Text.assemble((f"{word}  ", "dim"), cell(name)) for name in names)
    for name in report.untold:
        yield Text.assemble(("not taken  ", "red"), cell(name), "; it is tried again")
    yield from alerts_view(report.open)


def try_view(report: TryReport) -> Lines:
    """Whether the channel took it."""
    yield Text.assemble(cell(report.channel, "bold"), " took it" if report.taken else f" failed: {plain(report.why)}")
