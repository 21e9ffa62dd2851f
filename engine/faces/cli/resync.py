"""Redo: send the records of a sync again, or record them as delivered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
from rich.text import Text

from engine.core.outcome import exit_code
from engine.faces.cli.drift import drift_facts, drift_lines
from engine.faces.cli.group import Command
from engine.faces.cli.lists import keys_of
from engine.faces.cli.opening import opened
from engine.faces.cli.past import moment_given
from engine.faces.cli.plain import count, plain, seconds
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
from engine.service.resync import ADOPT, ResyncPreview, adopt_version, preview_adoption, preview_resync
from engine.service.resync import resync as send_again
from engine.steps.reconcile import Reconcile
from engine.steps.resync import All, Keys, Rejected, Since, Wanted, Where

_CHOICES = "keys", "where", "rejected", "since", "adopt", "reconcile"


@click.command(cls=Command)
@click.argument("sync")
@click.option(
    "--keys", type=click.Path(path_type=Path, allow_dash=True), help="Only these: a file with one match key a line."
)
@click.option(
    "--where", metavar="EXPR", help="Only those whose row meets an SQL expression over the dataset's columns."
)
@click.option("--rejected", is_flag=True, help="Only those whose last payload the destination refused.")
@click.option(
    "--since", metavar="TIME", help="Only what was sent or removed since then (ISO 8601; UTC if it says none)."
)
@click.option(
    "--adopt", is_flag=True, help="Send nothing: record the version as delivered, for what another tool filled."
)
@click.option(
    "--reconcile", is_flag=True, help="Only what the destination does not hold as it was delivered: it is read back."
)
@reason_option()
@yes_option
@samples_option()
@click.pass_context
def resync(
    context: click.Context,
    /,
    sync: str,
    reason: str,
    yes: bool,  # noqa: FBT001 - click passes by name
    samples: int,
    **chosen: str | Path | bool | None,
) -> int:
    """Send a sync's records again.

    Without a choice, everything: what is wanted is sent, and whatever was ever delivered and is not wanted is removed once
    more. Shows what it would take; with --yes it is done. Gates and approvals count as for any plan, and the source is not
    read.
    """
    wanted = _wanted(context, chosen)
    with opened(context) as app:
        if not yes:
            shown = preview_adoption(app, sync, samples=samples) if wanted is None else None
            report = shown or preview_resync(app, sync, wanted or All(), samples=samples)
            show(context, report, preview_view)
            return preview_code(blocked=report.blocked)
        with watched(context) as (stop, observe):
            if wanted is None:
                reports = adopt_version(app, sync, reason, stop, observe)
            else:
                reports = send_again(app, sync, wanted, reason, stop, observe)
    show(context, reports, run_view)
    return exit_code(r.status for r in reports)


def _wanted(context: click.Context, chosen: dict[str, str | Path | bool | None]) -> Wanted | None:
    """What is to be sent again; None when nothing is, and the version is adopted."""
    said = [name for name in _CHOICES if chosen[name] not in (None, False)]
    if len(said) > 1:
        raise click.UsageError(f"choose one of {', '.join('--' + name for name in said)}", context)
    if not said:
        return All()
    (name,) = said
    if name == "adopt":
        return None
    return _SCOPES[name](chosen[name])


_SCOPES: dict[str, Callable[..., Wanted]] = {
    "keys": lambda file: Keys(keys_of(file)),
    "where": Where,
    "rejected": lambda _said: Rejected(),
    "reconcile": lambda _said: Reconcile(),
    "since": lambda said: Since(moment_given(said, "--since")),
}


def preview_view(report: ResyncPreview) -> Lines:
    """What would be sent again and what else, what it takes, then samples; an adoption says in capitals that it sends nothing."""
    is_adoption = report.scope == ADOPT
    yield title(report.sync, f"{report.dataset}, version {report.version}")
    if is_adoption:
        yield Text("NOTHING WOULD BE SENT: these records would count as delivered, as they are here.", style="bold red")
    counts = report.plan
    yield changes(counts.inserts, counts.updates, counts.deletes)
    yield from facts(_facts(report))
    if report.drift is not None:
        yield from drift_lines(report.drift)
    yield from check_lines(report.checks)
    yield from sample_lines(report.samples)
    if is_adoption and counts.deletes:
        yield Text(f"{count(counts.deletes, 'removal')} would not be adopted: the next run sends them.")
    if report.blocked:
        yield from next_step("mend what blocks; nothing would be sent")
    else:
        yield from next_step("the same command with --yes")


def _facts(report: ResyncPreview) -> list[tuple[str, Text]]:
    counts = report.plan
    lines = drift_facts(report.drift) if report.drift is not None else []
    lines += [("unchanged", figure(counts.unchanged)), ("withheld", figure(counts.withheld))]
    if report.scope != ADOPT:
        of_them = f", {report.orphans:,} of which are not held by what is known" if report.orphans else ""
        least = f"at least {count(report.calls, 'call')}"
        takes = f"{least}, {seconds(report.seconds)} at the declared pace" if report.seconds else least
        lines.append(("sent again", Text(f"{count(report.again, 'record')}{of_them}")))
        lines.append(("takes", Text(takes)))
    why = " - ".join(part for part in (counts.comparison, plain(counts.reason)) if part)
    return [*lines, ("comparison", cell(why))]
