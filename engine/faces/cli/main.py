"""The ``tidegate`` command: its table of commands and its one error boundary."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from engine.errors import ConfigurationError
from engine.faces.cli.errors import Report
from engine.faces.cli.group import Entry, LazyGroup
from engine.faces.cli.output import discard
from engine.observe.redact import Redactor

_PASSWORD_IN_URL = re.compile(r"://[^/?#\s]*:[^/?#\s]+@")
_HERE = "engine.faces.cli."

COMMANDS = {
    "Start": {
        "init": Entry(_HERE + "project:init", "Write the files of a new project."),
        "demo": Entry(_HERE + "project:demo", "Run the whole thing on sample data, offline."),
        "validate": Entry(_HERE + "run:validate", "Check every file, contract and reference."),
        "contract": Entry(_HERE + "contract:contract", "Compare contracts, end a major, and tell how they came to be."),
        "schema": Entry(_HERE + "project:schema", "Write JSON Schemas of the files, for editors."),
    },
    "Run": {
        "capture": Entry(_HERE + "run:capture", "Read a dataset, judge it, accept a version."),
        "plan": Entry(_HERE + "run:plan", "Show what a run would send; sends nothing."),
        "run": Entry(_HERE + "run:run", "Capture, gate, plan and deliver."),
        "daemon": Entry(_HERE + "daemon:daemon", "Run syncs when their schedules say so, until it is told to stop."),
    },
    "Look": {
        "schedule": Entry(_HERE + "schedule:schedule", "Show when syncs are due next."),
        "status": Entry(_HERE + "look:status", "Show every sync at a glance."),
        "runs": Entry(_HERE + "look:runs", "List the runs of a sync, newest first."),
        "versions": Entry(_HERE + "look:versions", "List the versions of a dataset."),
        "diff": Entry(_HERE + "look:diff", "Compare two versions of a dataset."),
        "alerts": Entry(_HERE + "alerts:alerts", "List the open alerts; look again, and tell whom they concern."),
        "lineage": Entry(
            _HERE + "lineage:lineage", "Show from which column of a source each field of a destination comes."
        ),
        "impact": Entry(
            _HERE + "lineage:impact",
            "Show which syncs a change of a dataset, of one contract major (customers@1) or of a column reaches.",
        ),
        "gates": Entry(_HERE + "gates:gates", "Explain every check: its rule, and what it found last."),
        "show": Entry(_HERE + "past:show", "Show one record: delivered, wanted, and why, with its whole story."),
        "state": Entry(_HERE + "past:state", "Write what a destination had acknowledged at a moment to a file."),
    },
    "Decide": {
        "approvals": Entry(_HERE + "decide:approvals", "List the versions and plans that wait for a decision."),
        "approve": Entry(
            _HERE + "decide:approve",
            "Allow what a run was held for: let the next run send its plan, or accept its version.",
        ),
        "reject": Entry(_HERE + "decide:reject", "Refuse what a run was held for: its plan, or its version."),
        "pause": Entry(_HERE + "halt:pause", "Let a sync do nothing until it is resumed."),
        "resume": Entry(_HERE + "halt:resume", "Let a paused sync run again; its next run goes on where it stopped."),
        "cancel": Entry(_HERE + "halt:cancel", "Give up a run that has not ended: of a sync, or by its id."),
    },
    "Privacy": {
        "consent": Entry(_HERE + "consent:consent", "Record who agreed to what, and who took it back."),
        "suppress": Entry(_HERE + "suppress:suppress", "Keep people in lists away from destinations."),
        "forget": Entry(
            _HERE + "forget:forget_people",
            "Send nothing more about somebody, have them removed everywhere, and take them out of all that is kept.",
        ),
        "erasures": Entry(
            _HERE + "forget:erasures", "See who is still to be forgotten where, go on with it, and check reports."
        ),
    },
    "Undo and redo": {
        "rollback": Entry(_HERE + "undo:rollback", "Put a destination back to an earlier version, and keep it there."),
        "unpin": Entry(_HERE + "undo:unpin", "Let a sync that was rolled back follow the newest version again."),
        "dataset": Entry(_HERE + "undo:dataset", "Care for the versions of a dataset."),
        "resync": Entry(_HERE + "resync:resync", "Send a sync's records again."),
        "backfill": Entry(_HERE + "backfill:backfill", "Send a range of versions."),
        "retry": Entry(_HERE + "quarantine:retry", "Release what was rejected and run the sync now."),
        "quarantine": Entry(
            _HERE + "quarantine:quarantine",
            "See what a destination rejects or a contract sets aside, and decide about what is rejected.",
        ),
    },
    "Care": {
        "doctor": Entry(_HERE + "doctor:doctor", "Check everything that Tidegate needs to work, and say what to do."),
        "drill": Entry(_HERE + "drill:drill", "Break something in a project of its own, and follow its runbook."),
        "runbook": Entry(_HERE + "runbook:runbook", "Show what to do about a failure, step by step."),
        "ledger": Entry(_HERE + "ledger:ledger", "Read, verify and rebuild the event log."),
        "db": Entry(_HERE + "ledger:db", "Care for the ledger's database."),
        "metrics": Entry(_HERE + "metrics:metrics", "Print every metric in the text format of Prometheus."),
        "gc": Entry(_HERE + "garbage:gc", "Drop what is old, and remove files that no event names."),
        "destination": Entry(
            _HERE + "destination:destination", "List and check destinations; write and test adapters."
        ),
        "sandbox": Entry(_HERE + "sandbox:sandbox", "Serve a fake CRM on this machine, to try things out."),
    },
}
"""Section, name, where the command is, and its line in the overview; the only late imports of the command line."""


def _installed_version() -> str:
    try:
        return version("tidegate")
    except PackageNotFoundError:
        return "(not installed; run from its source)"


def _print_version(context: click.Context, _parameter: click.Parameter, value: bool) -> None:  # noqa: FBT001 - click's
    if value:
        click.echo(f"tidegate {_installed_version()}")
        context.exit()


cli = LazyGroup(
    "tidegate",
    sections=COMMANDS,
    help="Keep the tools you act in equal to what your warehouse says: no more, no less, never without consent.",
    params=[
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_print_version,
            help="Show the version and exit.",
        )
    ],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code: 0 done, else what PROJECT.md's table says."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            # The caller closed it; what is printed goes nowhere, and the command still does its work.
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # until the process ends
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(exit_code_of(list(arguments)))


def _refuse_secrets(arguments: Sequence[str]) -> None:
    """No command takes a secret, and what stands on a command line is read by every user of the machine."""
    if any(_PASSWORD_IN_URL.search(argument) for argument in arguments):
        raise ConfigurationError(
            "A password stands on the command line, where every user of this machine can read it",
            safe="Nothing was started.",
            next="change that password; let a file of the project name it as `${env:NAME}` or `${file:PATH}`",
        )


def exit_code_of(arguments: list[str]) -> int:
    """Run one command, tell its errors, and return its exit code."""
    redactor = Redactor()
    report = Report("--json" in arguments, "--debug" in arguments, redactor.redact)
    try:
        _refuse_secrets(arguments)
        code = cli.main(arguments, prog_name="tidegate", standalone_mode=False, obj=redactor)
    except BrokenPipeError:
        discard(sys.stdout)
        return 1
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the boundary where errors become words and codes
        return report.tell(error)
    assert code is None or isinstance(code, int), "a command returns its exit code"
    return code or 0
