"""Run schedules until told to stop. Loads little: what runs need is loaded by a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click
import structlog

from config.folder import find_project
from config.settings import read_settings
from engine.clock import SystemClock, SystemEntropy
from engine.errors import ConfigurationError
from engine.faces.cli.group import Command, asked
from engine.faces.cli.secret_values import secret_values
from engine.faces.daemon.daemon import Daemon
from engine.faces.daemon.notify import Notifier
from engine.faces.daemon.nurse import Refused
from engine.faces.daemon.post import Post
from engine.ledger.holder import holder_name
from engine.ledger.opening import open_ledger
from engine.observe.log import configure
from engine.observe.redact import Redactor


@click.command(cls=Command)
@click.pass_context
def daemon(context: click.Context) -> int:
    """Run syncs when their schedules say so, until it is told to stop.

    Each run is a process of its own. The first SIGTERM or interrupt lets runs end their window, the second ends them at
    once; what they leave is gone on with by another daemon or the next start. SIGHUP reads the files anew, and so does a
    change of them; files that are not valid change nothing. What happens is told on stderr, a line of JSON each where
    that is no terminal.
    """
    settings = read_settings()
    redactor = context.find_object(Redactor) or Redactor()
    if settings.ledger_override is not None:
        for secret in secret_values(settings.ledger_override):
            redactor.register(secret)
    configure(sys.stderr, settings.log_level, redactor)
    wanted = asked(context)
    clock = SystemClock()
    post = Post(
        folder=find_project(wanted.project or settings.project or Path.cwd()),
        environment=wanted.environment or settings.env,
        actor=settings.actor,
        holder=holder_name(SystemEntropy()),
        clock=clock,
        notifier=Notifier(os.environ, clock),
        open_ledger=open_ledger,
    )
    try:
        asyncio.run(Daemon(post).run())
    except Refused as error:
        for problem in error.problems:
            structlog.get_logger("tidegate.daemon").error("project_refused", problem=problem)
        raise ConfigurationError(
            f"The project has problems, of which the first is: {error.problems[0]}",
            safe="Nothing was started.",
            next="mend the files; `tidegate validate` tells every problem",
        ) from None
    return 0
