"""What every command that needs a project does first: set up logs, load or open it, and learn its secrets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from config.project import Project
from config.settings import read_settings
from engine.bootstrap import load, open_project
from engine.faces.cli.group import asked
from engine.faces.cli.secret_values import secret_values
from engine.observe.log import DEFAULT_LEVEL, configure
from engine.observe.redact import Redactor
from engine.service.app import App


@contextmanager
def opened(context: click.Context) -> Iterator[App]:
    """The project that the command line asks for, with its ledger open until the block ends.

    Its files are read first, so that the ledger's password is known as a secret before anything dials.
    """
    app = open_project(loaded(context))
    try:
        yield app
    finally:
        app.close()


def loaded(context: click.Context) -> Project:
    """The project's files, checked; no ledger is touched."""
    start(context)
    wanted = asked(context)
    project = load(wanted.project, environment=wanted.environment)
    learn_secrets(context, project)
    return project


def learn_secrets(context: click.Context, value: object) -> None:
    """From now on no secret below ``value`` is printed or logged."""
    redactor = context.find_object(Redactor) or Redactor()
    for secret in secret_values(value):
        redactor.register(secret)


def start(context: click.Context) -> None:
    """Logs as the settings say; quieter than the daemon's default, because a person reads along."""
    settings = read_settings()
    redactor = context.find_object(Redactor) or Redactor()
    if settings.ledger_override is not None:
        for secret in secret_values(settings.ledger_override):
            redactor.register(secret)
    level = settings.log_level if "log_level" in settings.model_fields_set else DEFAULT_LEVEL
    configure(sys.stderr, level, redactor)
