"""Where the quality rules of a contract can stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from engine.contracts.finding import KeyPath
from engine.core.schema import Column

Written: TypeAlias = Mapping[str, Any]
"""A part of a contract as parsed YAML: the published model turns texts into numbers, so what was written is judged."""


@dataclass(frozen=True, slots=True)
class Place:
    """Under a column, or under the table when ``column`` is None; ``columns`` are all that could be read.

    ``tables`` are the names by which a query may call the table. ``quarantines`` says that rules set their rows aside, if
    they can and do not say otherwise.
    """

    path: KeyPath
    table: str
    column: Column | None
    tables: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()
    quarantines: bool = False

    @property
    def name(self) -> str:
        return self.column.name if self.column else self.table
