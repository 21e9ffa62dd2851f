"""Doctor: what is wrong around a project, and what to do about it."""

from __future__ import annotations

import click
from rich.text import Text

from engine.bootstrap import premises, readable_files
from engine.faces.cli.group import Command, asked
from engine.faces.cli.opening import learn_secrets, start
from engine.faces.cli.plain import count
from engine.faces.cli.render import Lines, cell, next_step, show
from engine.service.doctor import CHECKS, DoctorReport, examine
from engine.service.doctor_premises import Level

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "red"}
_WIDTH = max(len(level.value) for level in Level)
_NAMES = max(len(name) for name in CHECKS)


@click.command(cls=Command)
@click.option("--connect", is_flag=True, help="Dial out to destinations and sources as well.")
@click.pass_context
def doctor(context: click.Context, *, connect: bool) -> int:
    """Check everything that Tidegate needs to work, and say what to do.

    Works when files, ledger or storage are broken, makes nothing, and goes on after a problem. Ends with 1 when there is one.
    """
    wanted = asked(context)
    files = readable_files(wanted.project, environment=wanted.environment)
    if files.settings is not None:
        start(context)
    learn_secrets(context, files.project if files.project is not None else files.environment)
    with premises(files, connect=connect) as found:
        report = examine(found)
    show(context, report, doctor_view)
    return 0 if report.ok else 1


def doctor_view(report: DoctorReport) -> Lines:
    """One line a finding, and below those that are not well what to do."""
    for finding in report.findings:
        level = Text(finding.level.value.ljust(_WIDTH), style=_STYLES[finding.level])
        yield Text.assemble(level, "  ", finding.check.ljust(_NAMES), "  ", cell(finding.what))
        if finding.level is not Level.OK:
            for line in next_step(finding.next):
                yield Text.assemble(" " * (_WIDTH + _NAMES + 4), line)
    problems = sum(finding.level is Level.PROBLEM for finding in report.findings)
    warnings = sum(finding.level is Level.WARNING for finding in report.findings)
    yield Text(f"{count(problems, 'problem')}, {count(warnings, 'warning')}.")
