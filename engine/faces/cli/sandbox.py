"""Care: the sandbox, a program of the destinations' side that this command becomes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from engine.faces.cli.group import Command

PORT = 8765


@click.command(cls=Command)
@click.option("--port", metavar="N", default=PORT, show_default=True, help="The loopback port; 0 takes a free one.")
@click.option(
    "--store",
    metavar="DIR",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".tidegate/sandbox"),
    show_default=True,
    help="Where it keeps what it is sent.",
)
@click.option("--rate", metavar="N", type=float, help="Batches per second; more are answered 429.")
def sandbox(port: int, store: Path, rate: float | None) -> int:
    """Serve a fake CRM on this machine, to try things out.

    It keeps what it is sent, shows it on a page at its address, and takes faults to switch on. Ctrl-C ends it; a later
    one with the same store goes on where it stood.
    """
    # -P keeps the working directory, where a project has a folder `destinations`, off the import path.
    program = [sys.executable, "-P", "-m", "destinations.sandbox", "--port", str(port), "--store", str(store)]
    rated = [] if rate is None else ["--rate", str(rate)]
    sys.stdout.flush()
    # This process becomes the sandbox, so that signals and the exit code are its own.
    os.execv(sys.executable, [*program, *rated])  # noqa: S606  # our own program, no shell
