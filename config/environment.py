"""``tidegate.yaml``: environments, connections and compute."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from config.model import FileModel, Model
from config.values import LedgerUrl, Memory, Name, PathLocation, PostgresUrl, StorageLocation


class Environment(Model):
    """Where one environment keeps its ledger and segments, and whether it sends."""

    ledger: LedgerUrl
    storage: StorageLocation
    deliver: Literal["live", "record"] = "live"
    require_approval: bool = False


class DuckDBConnection(Model):
    """A DuckDB database file."""

    type: Literal["duckdb"]
    path: PathLocation


class FilesConnection(Model):
    """A folder of Parquet, CSV and JSON-lines files; a dataset's ``source.table`` is the file's name."""

    type: Literal["files"]
    path: PathLocation


class SqliteConnection(Model):
    """A SQLite database file."""

    type: Literal["sqlite"]
    path: PathLocation


class PostgresConnection(Model):
    """A PostgreSQL database."""

    type: Literal["postgres"]
    url: PostgresUrl


Connection: TypeAlias = DuckDBConnection | FilesConnection | SqliteConnection | PostgresConnection


class Compute(Model):
    """What a diff or a plan may use; ``memory`` is in bytes."""

    engine: Literal["duckdb", "spark"] = "duckdb"
    memory: Memory = Field(default=2 * 10**9, json_schema_extra={"default": "2GB"})
    threads: Annotated[int, Field(ge=1, le=256)] = 2


class ProjectFile(FileModel):
    """The file that makes a folder a project. ``environment`` is the one that is used when nobody names one."""

    name: Name
    environment: Name | None = None
    environments: Annotated[dict[Name, Environment], Field(min_length=1)]
    connections: dict[Name, Annotated[Connection, Field(discriminator="type")]] = Field(default={})
    compute: Compute = Compute()
