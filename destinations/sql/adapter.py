"""Tables of a database: PostgreSQL, SQLite and DuckDB, each batch in one transaction and applied once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr, model_validator

from destinations.base import (
    Batch,
    Destination,
    DestinationConfig,
    Idempotency,
    Limits,
    Op,
    ReadBack,
    Reply,
    Spec,
    Stop,
    Transport,
    Unavailable,
)
from destinations.base import Field as Column
from destinations.sql import marker
from destinations.sql.database import Database
from destinations.sql.duckdb import Duckdb
from destinations.sql.postgres import Postgres
from destinations.sql.sqlite import Sqlite
from destinations.sql.tables import Tables

_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")
_FILES = ("sqlite", "duckdb")


def _address(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    parts = urlsplit(text)
    if parts.scheme in _POSTGRES:
        return url
    if parts.scheme not in _FILES:
        raise ValueError("must start with `postgresql://`, `sqlite://` or `duckdb://`")
    if not parts.path.startswith("//") or parts.query or parts.fragment:
        raise ValueError(f"needs an absolute path: `{parts.scheme}:////var/lib/shop.db`")
    return url


class Marked(DestinationConfig):
    """A delete writes the time into ``column`` and keeps the row."""

    column: str = Field(min_length=1)


class SqlConfig(DestinationConfig):
    """``url`` names the database; a sync's ``object`` names the table, in ``schema`` where the database has some."""

    url: Annotated[SecretStr, AfterValidator(_address)]
    schema_name: str | None = Field(default=None, alias="schema", min_length=1, max_length=63)
    deletes: Literal["delete"] | Marked = "delete"

    @model_validator(mode="after")
    def _schema_only_where_there_is_one(self) -> Self:
        if self.schema_name is not None and self.url.get_secret_value().startswith("sqlite:"):
            raise ValueError("`schema` is for PostgreSQL and DuckDB; SQLite has none")
        return self

    @property
    def deleted(self) -> str | None:
        """The column that says since when a row counts as deleted."""
        return self.deletes.column if isinstance(self.deletes, Marked) else None


class SqlTable(Destination):
    """A table whose match key is unique; columns that a sync does not map are never touched."""

    config: SqlConfig
    spec: ClassVar[Spec] = Spec(
        name="sql",
        title="SQL table",
        config=SqlConfig,
        operations=frozenset({Op.UPSERT, Op.UPDATE, Op.INSERT, Op.DELETE}),
        limits=Limits(records=10_000, bytes=16_000_000, concurrency=2),
        idempotency=Idempotency.KEYED,
        composite_match=True,
        erasure="the row is deleted, or only marked with `deletes: {column: …}`; the database's log and backups keep it",
        undo="what triggers, foreign keys and readers of the table did meanwhile",
        docs="https://www.postgresql.org/docs/current/sql-insert.html#SQL-ON-CONFLICT",
    )
    calls_by_transport: ClassVar[bool] = False

    def __init__(self, config: BaseModel) -> None:
        super().__init__(config)
        self._tables = Tables(_database(self.config), self.config.deleted)

    async def send(self, batch: Batch, transport: Transport) -> Reply:
        del transport
        return await self._tables.apply(batch)

    async def read_back(self, batch: Batch, transport: Transport) -> ReadBack | Unavailable | Stop:
        del transport
        return await self._tables.found(batch)

    async def check(self, transport: Transport) -> str:
        del transport
        return await self._tables.check()

    async def fields(self, object: str, transport: Transport) -> Sequence[Column]:
        del transport
        return await self._tables.columns(object)

    def problems(self, *, object: str, mode: str, match: Sequence[str], fields: Iterable[str]) -> Sequence[str]:
        del mode
        names = [*match, *fields]
        found = [f"`{name}` has a backslash in its name, which is not served" for name in names if "\\" in name]
        if object == marker.TABLE:
            found.append(f"`{marker.TABLE}` is where Tidegate notes what it delivered")
        if self.config.deleted in names:
            found.append(f"`{self.config.deleted}` is the column in which `deletes` marks rows, and cannot be mapped")
        return found

    async def close(self) -> None:
        await self._tables.close()


def _database(config: SqlConfig) -> Database[Any]:
    """The database that the address names."""
    url = config.url.get_secret_value()
    scheme, _, rest = url.partition(":")
    match scheme:
        case "sqlite":
            return Sqlite(unquote(urlsplit(url).path[1:]))
        case "duckdb":
            return Duckdb(unquote(urlsplit(url).path[1:]), config.schema_name or "main")
        case _:
            return Postgres(f"postgresql:{rest}", config.schema_name or "public")
