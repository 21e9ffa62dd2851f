"""Validate: every file, contract, connection and destination reference; with ``connect``, also dial out."""

from __future__ import annotations

from dataclasses import dataclass

from config.problems import Problem
from config.project import Project
from engine.errors import SourceError
from engine.service.overlaps import shared_objects
from engine.service.resolve import Resolved, resolve


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """Everything wrong and everything worth saying; ``ok`` when nothing is wrong."""

    ok: bool
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]
    datasets: int
    syncs: int
    destinations: int


def validate(project: Project, *, connect: bool) -> ValidationReport:
    """Check a project whose files could be read."""
    resolved = resolve(project)
    problems = list(resolved.problems)
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


def _unreadable(project: Project, resolved: Resolved) -> list[Problem]:
    """A problem for each dataset whose source cannot be opened; no row is read."""
    files = {f"{d.name}": d.file for d in project.datasets.values()}
    problems = []
    for id, dataset in resolved.datasets.items():
        try:
            with dataset.read():
                pass
        except SourceError as error:
            file = files[id.split("@")[0]]
            problems.append(project.problem(file, ("source",), "unreadable_source", error.what, error.next))
    return problems
