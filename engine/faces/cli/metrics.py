"""Print the metrics of a project, for a collector that reads text files."""

from __future__ import annotations

import click

from engine.faces.cli.group import Command, asked
from engine.faces.cli.opening import opened
from engine.faces.cli.output import without_secrets, write, write_document
from engine.observe.redact import Redactor
from engine.service.metrics import exposition, samples


@click.command(cls=Command)
@click.pass_context
def metrics(context: click.Context) -> int:
    """Print every metric in the text format of Prometheus.

    All come from the ledger, so that any host of the project prints the same. Let a timer write them for the textfile
    collector of a node exporter, or let the daemon serve them.
    """
    redactor = context.find_object(Redactor) or Redactor()
    with opened(context) as app:
        if asked(context).as_json:
            write_document(without_secrets(samples(app), redactor.redact))
        else:
            write(redactor.redact(exposition(app).decode()))
    return 0
