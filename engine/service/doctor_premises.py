"""What the checks of `tidegate doctor` look at, and what they say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Engine

from config.environment import Environment
from config.problems import Problem
from config.project import Project
from engine.clock import Clock
from engine.errors import TidegateError
from engine.segments.files import Storage
from engine.service.app import App


class Level(StrEnum):
    """How bad a finding is: nothing to do, worth a look, or something that somebody must mend."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; ``next`` is what to do about it, empty when it is nothing.

    ``what`` holds neither a secret nor a value of a row.
    """

    check: str
    level: Level
    what: str
    next: str = ""


@dataclass(frozen=True, slots=True)
class Premises:
    """As much of a project as could be had.

    What is None could not: a check that needs it says nothing, since the one whose subject it is says why.
    """

    clock: Clock
    connect: bool
    """Whether destinations and sources may be dialled."""
    folder: Path | None
    problems: tuple[Problem, ...]
    """What is wrong with the files."""
    project: Project | None
    environment: Environment | None
    """Also there when only other files than ``tidegate.yaml`` are wrong."""
    database: Engine | None
    """The ledger, of this code's schema or another."""
    ledger_file: Path | None
    """Where the ledger is or would be, when it is a file."""
    ledger_error: TidegateError | None
    storage: Storage | None
    storage_error: TidegateError | None
    scratch: Path | None
    app: App | None
    """The opened project, when all of the above are well."""


def fine(check: str, what: str) -> Finding:
    """Nothing to do."""
    return Finding(check, Level.OK, what)


def warning(check: str, what: str, next: str) -> Finding:
    """Worth a look."""
    return Finding(check, Level.WARNING, what, next)


def problem(check: str, what: str, next: str) -> Finding:
    """Somebody must mend it."""
    return Finding(check, Level.PROBLEM, what, next)


def told(check: str, error: TidegateError) -> Finding:
    """A problem in the words of an error."""
    where = f" ({error.where})" if error.where else ""
    return problem(check, error.what.removesuffix(".") + where, error.next)
