"""The version of the ledger's schema: bringing it up to this code's, and refusing to work on another.

The steps themselves stand in ``migrations/``; an installed package carries them as ``engine/_bundled/migrations``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, select, text

import engine as package
from engine.errors import ConfigurationError, SchemaMismatch
from engine.ledger.database import reading, unhurried, writing
from engine.ledger.projection import refold

MIGRATION_LOCK = 7_305_808_863_421_541_735
"""An arbitrary number that stands for *migrating a Tidegate ledger* among PostgreSQL's advisory locks."""


def upgrade(engine: Engine) -> None:
    """Bring the schema to this code's; nothing when it is.

    All steps are one transaction that admits one process at a time: a second one waits and finds nothing to do, and
    one that dies leaves the schema as it was. The read models of a ledger that grew under an older schema are folded
    again, since a step may have brought a new one. Raises `SchemaMismatch` when the schema is newer than this code.
    """
    config = _config()
    with migrating(engine) as connection:
        found = _found(connection)
        if found is not None and found not in _known(config):
            raise _newer(found)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        if found is not None and found != _known(config)[0]:
            refold(connection)


def check_schema(engine: Engine) -> None:
    """Return when the schema is this code's; raise `SchemaMismatch` that says which way to go when it is not."""
    config = _config()
    found = schema_revision(engine)
    if found is None:
        raise SchemaMismatch(
            "The ledger has no schema yet.", safe="Nothing was read or written.", next="tidegate db upgrade"
        )
    known = _known(config)
    if found not in known:
        raise _newer(found)
    if found != known[0]:
        raise SchemaMismatch(
            f"The ledger's schema is older ({found}) than this code's ({known[0]}).",
            safe="Nothing was read or written.",
            next="tidegate db upgrade",
        )


def schema_revision(engine: Engine) -> str | None:
    """The revision that the ledger's schema is at; None when there is no schema."""
    with reading(engine) as connection:
        return _found(connection)


@contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """A write transaction that no other process is migrating in."""
    with writing(engine) as connection:
        unhurried(connection)
        if connection.dialect.name == "postgresql":
            # Ends with the transaction, so that neither a crash nor a pooler can leave it behind.
            connection.execute(select(text("pg_advisory_xact_lock(:lock)")), {"lock": MIGRATION_LOCK})
        yield connection


def migrations_folder() -> Path:
    """Where the steps are: in the installed package first, else in the checkout."""
    home = Path(package.__file__).parent
    for folder in (home / "_bundled" / "migrations", home.parent / "migrations"):
        if (folder / "env.py").is_file():
            return folder
    raise ConfigurationError(
        "This installation of Tidegate has no migrations.", where=str(home), next="install the package again."
    )


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    return config


def _found(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _known(config: Config) -> list[str]:
    """Revisions that this code knows, newest first."""
    return [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]


def _newer(found: str) -> SchemaMismatch:
    return SchemaMismatch(
        f"The ledger's schema ({found}) is newer than this code.",
        safe="Nothing was read or written.",
        next="upgrade Tidegate to the release that wrote it.",
    )
