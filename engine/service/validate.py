"""Validate: every file, contract, connection and destination reference; with ``connect``, also dial out.

Where a ledger is at hand, contracts are also held against those that data was accepted under.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from importlib.util import find_spec

from sqlalchemy import Engine

from config.problems import Problem
from config.project import Project
from engine.errors import SourceError
from engine.ledger.contracts import deprecation
from engine.service.discovery import unfitting
from engine.service.overlaps import shared_objects
from engine.service.resolve import Resolved, resolve
from engine.steps.contract import WAY_OUT, compared, move_on

BROKEN = "contract_broken"
ENDED = "contract_ended"


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """Everything wrong and everything worth saying; ``ok`` when nothing is wrong."""

    ok: bool
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    datasets: int
    syncs: int
    destinations: int


def validate(project: Project, *, connect: bool, now: datetime, ledger: Engine | None = None) -> ValidationReport:
    """Check a project whose files could be read; without a ``ledger``, nothing is said of what it would know of contracts."""
    resolved = resolve(project)
    if ledger is not None:
        _follow(project, resolved, ledger)
        _ends(project, resolved, ledger, now)
    problems = [*resolved.problems, *resolved.refused]
    if connect and not problems:
        problems += [*_unreadable(project, resolved), *unfitting(project, resolved)]
    return ValidationReport(
        ok=not problems,
        problems=tuple(sorted(problems, key=lambda p: (p.file, p.line, p.message))),
        warnings=(
            *map(str, project.warnings),
            *resolved.warnings,
            *shared_objects(project.syncs.values()),
            *_untold(project.environment.alerts.channels),
        ),
        datasets=len(project.datasets),
        syncs=len(project.syncs),
        destinations=len(project.destinations),
    )


def _untold(channels: Collection[str]) -> tuple[str, ...]:
    """A warning where alerts have channels and nothing that could send to them; finding out must not load it."""
    if not channels or find_spec("apprise") is not None:
        return ()
    named = ", ".join(sorted(channels))
    return (f"alerts reach no channel ({named}): Apprise is not installed; pip install 'tidegate[alerts]'",)


def _follow(project: Project, resolved: Resolved, ledger: Engine) -> None:
    """A problem for each contract that breaks the one before, a warning for each whose version grew by too little."""
    for id, dataset in resolved.datasets.items():
        document, found = project.contract_of(resolved.files[id]), compared(ledger, dataset)
        if found.breaks:
            resolved.problems.append(document.problem(("version",), BROKEN, found.words, WAY_OUT))
        elif found.words:
            resolved.warnings.append(f"{document.file}: {found.words}")


def _ends(project: Project, resolved: Resolved, ledger: Engine, now: datetime) -> None:
    """A warning for each contract that a person ended, and a problem once nothing may be read under it."""
    for id, dataset in resolved.datasets.items():
        ends, file = deprecation(ledger, id), resolved.files[id].file
        if ends is not None and dataset.needs_approval and ends.is_over(now):
            resolved.problems.append(project.problem(file, ("contract",), ENDED, ends.words(now), move_on(ends)))
        elif ends is not None:
            resolved.warnings.append(f"{file}: {ends.words(now)}")


def _unreadable(project: Project, resolved: Resolved) -> list[Problem]:
    """A problem for each dataset whose source cannot be opened; no row is read."""
    problems = []
    for id, dataset in resolved.datasets.items():
        try:
            with dataset.read():
                pass
        except SourceError as error:
            problems.append(
                project.problem(resolved.files[id].file, ("source",), "unreadable_source", error.what, error.next)
            )
    return problems
