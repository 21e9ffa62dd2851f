"""Tables of a database: PostgreSQL and SQLite, each batch in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Protocol, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, Field, SecretStr, model_validator

from destinations.base import Batch, Destination, DestinationConfig, Idempotency, Limits, Op, Reply, Spec, Transport
from destinations.base import Field as Column
from destinations.sql.postgres import PostgresTables
from destinations.sql.sqlite import SqliteTables

_POSTGRES = ("postgresql", "postgres", "postgresql+psycopg")


class Tables(Protocol):
    """One database as this adapter uses it."""

    async def apply(self, batch: Batch) -> Reply:
        """Apply a batch in one transaction; every error of the database is a reply."""
        ...

    async def check(self) -> str:
        """One sentence about the connection; raises `CheckFailed`."""
        ...

    async def columns(self, table: str) -> Sequence[Column]:
        """The columns of a table; empty when it does not exist. Raises `CheckFailed`."""
        ...

    async def close(self) -> None:
        """Close what is open."""
        ...


def _address(url: SecretStr) -> SecretStr:
    text = url.get_secret_value()
    parts = urlsplit(text)
    if parts.scheme in _POSTGRES:
        return url
    if parts.scheme != "sqlite":
        raise ValueError("must start with `postgresql://` or `sqlite://`")
    if not parts.path.startswith("//") or parts.query or parts.fragment:
        raise ValueError("needs an absolute path: `sqlite:////var/lib/shop.db`")
    return url


class SqlConfig(DestinationConfig):
    """``url`` names the database; a sync's ``object`` names the table, in ``schema`` on PostgreSQL."""

    url: Annotated[SecretStr, AfterValidator(_address)]
    schema_name: str | None = Field(default=None, alias="schema", min_length=1, max_length=63)

    @model_validator(mode="after")
    def _schema_only_where_there_is_one(self) -> Self:
        if self.schema_name is not None and self.url.get_secret_value().startswith("sqlite:"):
            raise ValueError("`schema` is for PostgreSQL; SQLite has none")
        return self


class SqlTable(Destination):
    """A table whose match key is unique; columns that a sync does not map are never touched."""

    spec: ClassVar[Spec] = Spec(
        name="sql",
        title="SQL table",
        config=SqlConfig,
        operations=frozenset({Op.UPSERT, Op.UPDATE, Op.INSERT, Op.DELETE}),
        limits=Limits(records=10_000, bytes=16_000_000, concurrency=2),
        idempotency=Idempotency.NATURAL,
        composite_match=True,
        erasure="the row is deleted; the database's own log and backups are its keeper's matter",
        undo="what triggers, foreign keys and readers of the table did meanwhile",
        docs="https://www.postgresql.org/docs/current/sql-insert.html#SQL-ON-CONFLICT",
    )
    calls_by_transport: ClassVar[bool] = False

    def __init__(self, config: BaseModel) -> None:
        super().__init__(config)
        assert isinstance(config, SqlConfig)
        self._tables = _tables(config)

    async def send(self, batch: Batch, transport: Transport) -> Reply:
        del transport
        return await self._tables.apply(batch)

    async def check(self, transport: Transport) -> str:
        del transport
        return await self._tables.check()

    async def fields(self, object: str, transport: Transport) -> Sequence[Column]:
        del transport
        return await self._tables.columns(object)

    async def close(self) -> None:
        await self._tables.close()


def _tables(config: SqlConfig) -> Tables:
    """The database that the address names."""
    url = config.url.get_secret_value()
    if url.startswith("sqlite:"):
        return SqliteTables(unquote(urlsplit(url).path[1:]))
    _, _, rest = url.partition("://")
    return PostgresTables(f"postgresql://{rest}", config.schema_name or "public")
