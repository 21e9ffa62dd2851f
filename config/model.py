"""The base of every model in this package: strict, frozen, no unknown keys, and silent about values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, PrivateAttr


class Model(BaseModel):
    """A mapping of an operator's file. Numbers are numbers and text is text; nothing is coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class FileModel(Model):
    """A whole file. Validated with the context ``{"folder": Path, "file": str}``."""

    _file: str = PrivateAttr(default="")

    def model_post_init(self, context: dict[str, str | Path] | None, /) -> None:
        self._file = str((context or {}).get("file", ""))

    @property
    def file(self) -> str:
        """The file that this was read from, relative to the project folder."""
        return self._file


def is_mapping_with(data: Any, key: str) -> bool:  # validators see whatever was written
    """Whether unvalidated data is a mapping that has ``key``."""
    return isinstance(data, dict) and key in data
