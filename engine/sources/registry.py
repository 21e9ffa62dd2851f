"""Connection type to source: the one table through which sources are imported, each when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from engine.errors import ConfigurationError
from engine.sources.base import Source

SOURCES: Mapping[str, str] = {
    "duckdb": "engine.sources.duckdb:DuckDBSource",
    "files": "engine.sources.files:FilesSource",
    "postgres": "engine.sources.postgres:PostgresSource",
    "sqlite": "engine.sources.sqlite:SqliteSource",
}


def open_source(type: str, options: Mapping[str, Any]) -> Source:
    """The source of a connection; ``options`` are the fields of its class, secrets revealed. Connects to nothing."""
    if type not in SOURCES:
        raise ConfigurationError(f"There is no source of type `{type}`.", next=f"use one of {', '.join(SOURCES)}.")
    module, _, name = SOURCES[type].partition(":")
    source: Source = getattr(import_module(module), name)(**options)
    return source
