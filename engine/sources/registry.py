"""Connection type to source: the one table through which sources are imported, each when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from engine.sources.base import Source

SOURCES = {
    "duckdb": "engine.sources.duckdb:DuckDBSource",
    "files": "engine.sources.files:FilesSource",
    "postgres": "engine.sources.postgres:PostgresSource",
    "sqlite": "engine.sources.sqlite:SqliteSource",
}


def open_source(kind: str, options: Mapping[str, Any]) -> Source:
    """The source of a connection; ``options`` are the fields of its class, secrets revealed."""
    module, _, name = SOURCES[kind].partition(":")
    source: Source = getattr(import_module(module), name)(**options)
    return source
