"""Progress of a run on a terminal: one line for the step at work; nothing anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from engine.delivery.stop import StopRequest, signals
from engine.faces.cli.group import asked
from engine.faces.cli.plain import number, plain
from engine.faces.cli.render import console
from engine.service.runs import Progress

STOPPING = "stopping (again: at once)"


@contextmanager
def watched(context: click.Context) -> Iterator[tuple[StopRequest, Callable[[Progress], None] | None]]:
    """Runs that a person started: what stops them when they ask to, and an observer that shows where they are."""
    stop, screen = StopRequest(), console(sys.stderr)
    screen.quiet = asked(context).as_json
    with signals(stop), bar(screen, stop) as observe:
        yield stop, observe


@contextmanager
def bar(screen: Console, stop: StopRequest) -> Iterator[Callable[[Progress], None] | None]:
    """An observer that draws the step at work, or None when nobody would see it; the line is gone at the end."""
    if not screen.is_interactive:
        yield None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[counted]}", markup=False),
        TimeElapsedColumn(),
    )
    with Bar(*columns, console=screen, transient=True) as drawn:
        yield _Observer(drawn, stop)


class _Observer:
    """Syncs run one after the other, so one line that starts anew with each step is enough for any number of them."""

    def __init__(self, drawn: Bar, stop: StopRequest) -> None:
        self._drawn = drawn
        self._stop = stop
        self._task = drawn.add_task("", total=None, counted="")
        self._shown = ("", "")

    def __call__(self, news: Progress) -> None:
        total = news.total or None
        if self._shown != (news.sync, news.step):
            self._shown = (news.sync, news.step)
            self._drawn.reset(self._task, total=total)
        self._drawn.update(
            self._task,
            description=f"{plain(news.sync)}  {plain(news.step)}",
            completed=news.done,
            total=total,
            counted=self._counted(news),
        )

    def _counted(self, news: Progress) -> str:
        if self._stop.is_set():
            return STOPPING
        return f"{number(news.done)} of {number(news.total)}" if news.total else ""
