"""From a folder to an opened `App`: the only place where settings, files, ledger and adapters are wired."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pydantic import SecretStr
from sqlalchemy import Engine

from config.environment import Environment
from config.folder import find_project
from config.problems import InvalidProject, Problem
from config.project import Project, load_environment, load_project
from config.settings import Settings, read_settings
from engine.clock import SystemClock, SystemEntropy
from engine.core.names import SegmentRef
from engine.errors import LedgerError, TidegateError
from engine.ledger.database import database_file, open_database
from engine.ledger.holder import holder_name
from engine.ledger.log import Ledger
from engine.ledger.migrate import check_schema
from engine.ledger.opening import of_this_code, open_ledger
from engine.ledger.projections import replaced
from engine.segments.compute import Compute
from engine.segments.files import Storage
from engine.service.app import App
from engine.service.doctor_premises import Premises
from engine.service.resolve import Resolved, resolve
from engine.steps.facts import Tools

SCRATCH = ".tidegate"
"""Folder below the project for spools, caches and previews; everything in it may be deleted between commands."""


def project_folder(folder: Path | None) -> Path:
    """The project asked for, or the nearest one upward; raises `InvalidProject`."""
    return _folder(folder, read_settings())


def load(folder: Path | None, *, environment: str | None) -> Project:
    """Read and check a project's files; raises `InvalidProject` with every problem of every file."""
    settings = read_settings()
    return load_project(_folder(folder, settings), environment=environment or settings.env, env=os.environ)


def open_app(folder: Path | None, *, environment: str | None) -> App:
    """`open_project` of a project whose files are not read yet; raises what `load` raises as well."""
    return open_project(load(folder, environment=environment))


def open_project(project: Project) -> App:
    """Everything a command needs. A SQLite ledger that does not exist yet is created.

    Raises `InvalidProject`, `SchemaMismatch` when the ledger's schema is not this code's, and `LedgerError` when the
    ledger cannot be reached.
    """
    resolved = resolve(project)
    if resolved.problems:
        raise InvalidProject(resolved.problems)
    settings = read_settings()
    return _app(project, resolved, settings, open_ledger(ledger_url(project, settings)))


def _folder(asked: Path | None, settings: Settings) -> Path:
    return find_project(asked or settings.project or Path.cwd())


@contextmanager
def ledger_at_hand(project: Project, *, connect: bool) -> Iterator[Engine | None]:
    """The environment's ledger for a look, None where there is none that this code reads; nothing is created.

    A SQLite file is at hand when it exists; another database is dialled only to ``connect``.
    """
    url = ledger_url(project, read_settings())
    file, database = database_file(url), None
    if connect if file is None else file.is_file():
        with suppress(LedgerError):
            database = of_this_code(open_database(url))
    try:
        yield database
    finally:
        if database is not None:
            database.dispose()


@dataclass(frozen=True, slots=True)
class Files:
    """A project's files as far as they can be read: ``environment`` is there also when only other files are wrong."""

    folder: Path | None
    settings: Settings | None
    project: Project | None
    environment: Environment | None
    problems: tuple[Problem, ...]


def readable_files(folder: Path | None, *, environment: str | None) -> Files:
    """As much of a project as can be read; whatever is wrong is told in the result."""
    found: Path | None = None
    settings: Settings | None = None
    try:
        settings = read_settings()
        found = _folder(folder, settings)
        asked = environment or settings.env
        project = load_project(found, environment=asked, env=os.environ)
    except InvalidProject as error:
        problems = tuple(error.problems)
    else:
        return Files(found, settings, project, project.environment, ())
    if settings is None or found is None:
        return Files(found, settings, None, None, problems)
    with suppress(InvalidProject):
        return Files(found, settings, None, load_environment(found, environment=asked, env=os.environ), problems)
    return Files(found, settings, None, None, problems)


@contextmanager
def premises(files: Files, *, connect: bool) -> Iterator[Premises]:
    """What a doctor looks at, until the block ends; whatever cannot be opened is told in it. Nothing is created."""
    clock, entropy = SystemClock(), SystemEntropy()
    scratch = files.folder / SCRATCH if files.folder is not None else None
    database: Engine | None = None
    file: Path | None = None
    storage: Storage | None = None
    app: App | None = None
    ledger_error: TidegateError | None = None
    storage_error: TidegateError | None = None
    if files.environment is not None and files.settings is not None and scratch is not None:
        url = _ledger_of(files.environment, files.settings).get_secret_value()
        try:
            file = database_file(url)
            database = open_database(url) if file is None or file.is_file() else None
        except TidegateError as error:
            ledger_error = error
        try:
            storage = Storage(files.environment.storage.value, scratch=scratch, entropy=entropy)
        except TidegateError as error:
            storage_error = error
    with suppress(TidegateError, InvalidProject):
        app = _opened_already(files, database) if storage is not None else None
    try:
        yield Premises(
            clock=clock,
            connect=connect,
            folder=files.folder,
            problems=files.problems,
            project=files.project,
            environment=files.environment,
            database=database,
            ledger_file=file,
            ledger_error=ledger_error,
            storage=storage,
            storage_error=storage_error,
            scratch=scratch,
            app=app,
        )
    finally:
        if app is not None:
            app.tools.compute.close()
        if database is not None:
            database.dispose()


def _opened_already(files: Files, database: Engine | None) -> App | None:
    """The project over a ledger that is there and has this code's schema; None where either is not so."""
    if files.project is None or files.settings is None or database is None:
        return None
    check_schema(database)
    resolved = resolve(files.project)
    return None if resolved.problems else _app(files.project, resolved, files.settings, database)


def ledger_url(project: Project, settings: Settings) -> str:
    """The environment's ledger, unless the operator overrides it."""
    return _ledger_of(project.environment, settings).get_secret_value()


def _ledger_of(environment: Environment, settings: Settings) -> SecretStr:
    return settings.ledger_override or environment.ledger


def _app(project: Project, resolved: Resolved, settings: Settings, database: Engine) -> App:
    return App(
        project=project,
        tools=_tools(project, settings, database),
        datasets=MappingProxyType(resolved.datasets),
        syncs=MappingProxyType(resolved.syncs),
        destinations=MappingProxyType(resolved.destinations),
        scratch=project.folder / SCRATCH,
    )


def _tools(project: Project, settings: Settings, database: Engine) -> Tools:
    clock, entropy = SystemClock(), SystemEntropy()
    scratch = project.folder / SCRATCH

    def standing_in(ref: SegmentRef) -> SegmentRef:
        return replaced.current(database, ref)

    return Tools(
        ledger=Ledger(database, clock, settings.actor),
        database=database,
        storage=Storage(project.environment.storage.value, scratch=scratch, entropy=entropy, current=standing_in),
        compute=Compute(f"{project.compute.memory}B", project.compute.threads, scratch / "spill"),
        clock=clock,
        entropy=entropy,
        holder=holder_name(entropy),
        erasure_key=project.environment.erasure.key.get_secret_value().strip().encode()
        if project.environment.erasure.key
        else None,
    )
