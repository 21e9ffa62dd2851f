"""Commands that are imported only when asked for, and the options that every one of them takes.

`Group` accepts ``--project``, ``--env``, ``--json`` and ``--debug`` before a subcommand, `Command` after it; both
leave what was said in the shared ``ctx.meta``, from which `Asked` is read.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

import click

_META = "tidegate."


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options that every command takes say; ``None`` leaves the choice to the environment."""

    project: Path | None
    environment: str | None
    as_json: bool
    debug: bool


def asked(context: click.Context) -> Asked:
    """The common options of this command line, wherever they stood; the last one wins."""
    said = context.meta
    return Asked(
        project=said.get(_META + "project"),
        environment=said.get(_META + "env"),
        as_json=said.get(_META + "json", False),
        debug=said.get(_META + "debug", False),
    )


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:  # a path, a text or a flag
    if value:
        context.meta[_META + str(parameter.name)] = value


def common_options() -> list[click.Parameter]:
    """Fresh copies of the options that every command takes."""
    folder = click.Path(exists=True, file_okay=False, path_type=Path)
    return [
        click.Option(
            ["--project"],
            type=folder,
            metavar="DIR",
            help="The project's folder; else found upward from here.",
            expose_value=False,
            callback=_remember,
        ),
        click.Option(["--env"], metavar="NAME", help="The environment to use.", expose_value=False, callback=_remember),
        click.Option(
            ["--json"],
            is_flag=True,
            help="Print exactly one JSON document on stdout.",
            expose_value=False,
            callback=_remember,
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            help="Show the traceback of an unexpected error.",
            expose_value=False,
            callback=_remember,
        ),
    ]


class Command(click.Command):
    """A command that takes the common options as well as its own."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # click's own signature, handed through
        super().__init__(*args, **kwargs)
        self.params.extend(common_options())


class Group(click.Group):
    """A group that takes the common options and names the nearest command for an unknown one."""

    command_class = Command

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # click's own signature, handed through
        super().__init__(*args, **kwargs)
        self.params.extend(common_options())

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        known = self.list_commands(ctx)
        if name not in known and not name.startswith("-"):
            raise click.UsageError(f"there is no command `{name}`{_nearest(name, known)}", ctx)
        return super().resolve_command(ctx, args)


@dataclass(frozen=True, slots=True)
class Entry:
    """A command that is not imported yet: ``module:attribute`` and its line in the overview."""

    target: str
    help: str


class LazyGroup(Group):
    """A group whose commands are a table, so that its help imports none of them."""

    def __init__(self, *args: Any, sections: Mapping[str, Mapping[str, Entry]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._sections = sections
        self._entries = {name: entry for section in sections.values() for name, entry in section.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(self._entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in self._entries:
            return None
        module, _, attribute = self._entries[cmd_name].target.partition(":")
        command = getattr(_imported(module), attribute)
        assert isinstance(command, click.Command), "the table names commands"
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        width = max(len(name) for name in self._entries)
        for title, entries in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), entry.help) for name, entry in entries.items()])


def _imported(module: str) -> ModuleType:
    """A module of the table, brought in while the garbage collector rests.

    Nearly all that an import makes lives as long as the process: looking through it again and again while it grows
    takes a quarter of the time in which a command starts, and looking through it afterwards finds nothing either.
    """
    if module in sys.modules or not gc.isenabled():
        return importlib.import_module(module)
    gc.disable()
    try:
        return importlib.import_module(module)
    finally:
        gc.freeze()
        # Extensions look at the end for what of theirs is still held, and would print it.
        atexit.register(gc.unfreeze)
        gc.enable()


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name.casefold(), known, n=1, cutoff=0.5)
    return f"; did you mean `{near[0]}`?" if near else ""
