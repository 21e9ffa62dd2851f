"""From a folder to an opened `App`: the only place where settings, files, ledger and adapters are wired."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import Engine

from config.folder import find_project
from config.problems import InvalidProject
from config.project import Project, load_project
from config.settings import Settings, read_settings
from engine.clock import SystemClock, SystemEntropy
from engine.core.names import SegmentRef
from engine.errors import LedgerError
from engine.ledger.database import file_exists, open_database
from engine.ledger.holder import holder_name
from engine.ledger.log import Ledger
from engine.ledger.migrate import check_schema, schema_revision, upgrade
from engine.ledger.projections import replaced
from engine.segments.compute import Compute
from engine.segments.files import Storage
from engine.service.app import App
from engine.service.resolve import resolve
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
    return App(
        project=project,
        tools=_tools(project, read_settings()),
        datasets=MappingProxyType(resolved.datasets),
        syncs=MappingProxyType(resolved.syncs),
        destinations=MappingProxyType(resolved.destinations),
        scratch=project.folder / SCRATCH,
    )


def _folder(asked: Path | None, settings: Settings) -> Path:
    return find_project(asked or settings.project or Path.cwd())


@contextmanager
def ledger_at_hand(project: Project, *, connect: bool) -> Iterator[Engine | None]:
    """The environment's ledger for a look, None where there is none that this code reads; nothing is created.

    A SQLite file is at hand when it exists; another database is dialled only to ``connect``.
    """
    url = ledger_url(project, read_settings())
    there, database = file_exists(url), None
    if there or (there is None and connect):
        with suppress(LedgerError):
            database = _of_this_code(open_database(url))
    try:
        yield database
    finally:
        if database is not None:
            database.dispose()


def ledger_url(project: Project, settings: Settings) -> str:
    """The environment's ledger, unless the operator overrides it."""
    return (settings.ledger_override or project.environment.ledger).get_secret_value()


def _tools(project: Project, settings: Settings) -> Tools:
    clock, entropy = SystemClock(), SystemEntropy()
    scratch = project.folder / SCRATCH
    database = _opened(ledger_url(project, settings))

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


def _opened(url: str) -> Engine:
    """The ledger, proved to have this code's schema; an empty SQLite file gets it, a shared database never by itself."""
    database = open_database(url)
    try:
        if database.dialect.name == "sqlite" and schema_revision(database) is None:
            upgrade(database)
    except BaseException:
        database.dispose()
        raise
    return _of_this_code(database)


def _of_this_code(database: Engine) -> Engine:
    try:
        check_schema(database)
    except BaseException:
        database.dispose()
        raise
    return database
