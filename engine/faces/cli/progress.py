"""Progress of a run on a terminal; nothing anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import (
    Progress as Bars,
)

from engine.delivery.stop import StopRequest
from engine.faces.cli.plain import plain
from engine.service.runs import Progress


@contextmanager
def bars(screen: Console, stop: StopRequest) -> Iterator[Callable[[Progress], None] | None]:
    """An observer that draws one bar per sync and step, or None when nobody would see it."""
    if not screen.is_interactive:
        yield None
        return
    drawn = Bars(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=screen,
        transient=True,
    )
    with drawn:
        yield _Observer(drawn, stop)


class _Observer:
    """One bar for each step of each sync, made when its first news comes."""

    def __init__(self, drawn: Bars, stop: StopRequest) -> None:
        self._drawn = drawn
        self._stop = stop
        self._tasks: dict[tuple[str, str], TaskID] = {}

    def __call__(self, news: Progress) -> None:
        key = (news.sync, news.step)
        total = news.total or None
        label = f"{plain(news.sync)}  {plain(news.step)}"
        if self._stop.is_set():
            label += "  stopping after this window; interrupt again to stop at once"
        if key not in self._tasks:
            self._tasks[key] = self._drawn.add_task(label, total=total)
        self._drawn.update(self._tasks[key], description=label, completed=news.done, total=total)
