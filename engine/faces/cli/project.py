"""Start: a new project, the demo, schemas for editors."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.text import Text

from engine.bootstrap import open_app
from engine.faces.cli.group import Command, asked
from engine.faces.cli.output import write, write_aside
from engine.faces.cli.plain import plain
from engine.faces.cli.render import Lines, next_step, show
from engine.service.app import App
from engine.service.demo import DemoReport, run_demo
from engine.service.scaffold import init as scaffolded
from engine.service.scaffold import schemas

_FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command(cls=Command)
@click.argument("folder", metavar="[DIR]", type=_FOLDER, default=Path())
@click.pass_context
def init(context: click.Context, folder: Path) -> int:
    """Write the files of a new project.

    Into DIR, or here. A file that exists is never overwritten.
    """
    show(context, scaffolded(folder), init_view)
    return 0


@click.command(cls=Command)
@click.argument("folder", metavar="[DIR]", type=_FOLDER, default=Path("tidegate-demo"))
@click.pass_context
def demo(context: click.Context, folder: Path) -> int:
    """Run the whole thing on sample data, offline.

    Writes a project into DIR (tidegate-demo when none is named) and delivers to a destination inside this process.
    """
    write_line = write_aside if asked(context).as_json else write

    def say(line: str) -> None:
        write_line(plain(line) + "\n")

    def opening(project: Path) -> App:
        return open_app(project, environment=None)

    show(context, run_demo(folder, opening, say), told_already)
    return 0


@click.command(cls=Command)
@click.argument("folder", metavar="[DIR]", type=_FOLDER, default=Path("schemas"))
@click.pass_context
def schema(context: click.Context, folder: Path) -> int:
    """Write JSON Schemas of the files, for editors.

    Into DIR, or a folder `schemas` here.
    """
    show(context, schemas(folder), written_view)
    return 0


def init_view(paths: Sequence[Path]) -> Lines:
    """Each file, then the command that reads them."""
    yield from written_view(paths)
    yield from next_step("tidegate validate")


def written_view(paths: Sequence[Path]) -> Lines:
    """Each file that was written."""
    for path in paths:
        yield Text(f"wrote {plain(str(path))}")


def told_already(report: DemoReport) -> Lines:
    """Nothing: the story was told while it happened."""
    del report
    return ()
