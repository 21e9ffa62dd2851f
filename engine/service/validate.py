"""Validate: every file, contract, connection and destination reference; with ``connect``, also dial out.

Where a ledger is at hand, contracts are also held against those that data was accepted under.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from config.problems import Problem
from config.project import Project
from engine.errors import SourceError
from engine.service.overlaps import shared_objects
from engine.service.resolve import Resolved, resolve
from engine.steps.contract import WAY_OUT, compared


BROKEN = "contract_broken"


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """Everything wrong and everything worth saying; ``ok`` when nothing is wrong."""

    ok: bool
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    datasets: int
    syncs: int
    destinations: int


def validate(project: Project, *, connect: bool, ledger: Engine | None = None) -> ValidationReport:
    """Check a project whose files could be read; without a ``ledger``, nothing is said of earlier contracts."""
    resolved = resolve(project)
    if ledger is not None:
        _follow(project, resolved, ledger)
    problems = [*resolved.problems, *resolved.refused]
    if connect and not problems:
        problems += _unreadable(project, resolved)
    return ValidationReport(
        ok=not problems,
        problems=tuple(sorted(problems, key=lambda p: (p.file, p.line, p.message))),
        warnings=(*map(str, project.warnings), *resolved.warnings, *shared_objects(project.syncs.values())),
        datasets=len(project.datasets),
        syncs=len(project.syncs),
        destinations=len(project.destinations),
    )


def _follow(project: Project, resolved: Resolved, ledger: Engine) -> None:
    """A problem for each contract that breaks the one before, a warning for each whose version grew by too little."""
    for id, dataset in resolved.datasets.items():
        document, found = project.contract_of(resolved.files[id]), compared(ledger, dataset)
        if found.breaks:
            resolved.problems.append(document.problem(("version",), BROKEN, found.words, WAY_OUT))
        elif found.words:
            resolved.warnings.append(f"{document.file}: {found.words}")


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
