"""JSON Schemas of the files, for editors: generated from the models, so that they cannot disagree with them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from config.dataset import DatasetFile
from config.destination import DestinationFile
from config.environment import ProjectFile
from config.model import FileModel
from config.sync import SyncFile

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_MODELS: Mapping[str, type[FileModel]] = MappingProxyType(
    {"tidegate": ProjectFile, "dataset": DatasetFile, "destination": DestinationFile, "sync": SyncFile}
)


def schemas() -> dict[str, dict[str, Any]]:
    """A schema for each kind of file, by kind: ``tidegate``, ``dataset``, ``destination``, ``sync``."""
    return {kind: {"$schema": _DIALECT, **model.model_json_schema()} for kind, model in _MODELS.items()}
