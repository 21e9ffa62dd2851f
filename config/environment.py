"""``tidegate.yaml``: environments, connections and compute."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from config.alerts import Alerts
from config.clearance import Clearance
from config.daemon import Daemon
from config.model import FileModel, Model
from config.values import (
    Duration,
    ErasureKey,
    LedgerUrl,
    Memory,
    Name,
    PathLocation,
    PostgresUrl,
    SomeTexts,
    StorageLocation,
)

Approvers: TypeAlias = SomeTexts
"""Who may decide about held plans: an actor as the ledger names it, or its part before the ``@`` for any host."""


class Approval(Model):
    """What an approval must be to count. ``four_eyes`` (not by the one who asked) is ``require_approval`` when silent."""

    four_eyes: bool | None = None
    expires: Duration = Field(default=timedelta(days=7), json_schema_extra={"default": "7d"})


class Erasure(Model):
    """``key`` is what tombstones are made with, instead of one that is kept beside the segments."""

    key: ErasureKey | None = None
    deadline: Duration = Field(default=timedelta(days=30), json_schema_extra={"default": "30d"})
    """Until when every destination must have removed somebody who is to be forgotten."""


class Environment(Model):
    """Where one environment keeps its ledger and segments, and whether it sends."""

    ledger: LedgerUrl
    storage: StorageLocation
    deliver: Literal["live", "record"] = "live"
    require_approval: bool = False
    approvers: Approvers | None = None
    approval: Approval = Field(default_factory=Approval)
    draft_contracts: Literal["refuse", "warn"] | None = None
    """What becomes of a contract that is proposed or a draft; refused where ``require_approval`` is, when silent."""
    erasure: Erasure = Field(default_factory=Erasure)
    alerts: Alerts = Field(default_factory=Alerts)

    @property
    def refuses_drafts(self) -> bool:
        """Whether only finished contracts may be used: what needs an approval needs a contract that stands."""
        return self.require_approval if self.draft_contracts is None else self.draft_contracts == "refuse"

    @property
    def four_eyes(self) -> bool:
        """Whether the one who asked for a plan may not approve it."""
        return self.require_approval if self.approval.four_eyes is None else self.approval.four_eyes


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
    approvers: Approvers | None = None
    """For every environment that names none of its own."""
    environments: Annotated[dict[Name, Environment], Field(min_length=1)]
    connections: dict[Name, Annotated[Connection, Field(discriminator="type")]] = Field(default={})
    compute: Compute = Compute()
    daemon: Daemon = Field(default_factory=Daemon)
    clearance: Clearance = Clearance()
