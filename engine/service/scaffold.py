"""Write the files of a new project, and the JSON Schemas that editors complete them with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from config.demo.generate import CONSENT_FILE, CUSTOMERS_FILE, shop, write
from config.json_schema import schemas as json_schemas
from destinations.registry import adapter, names
from engine.errors import ConfigurationError

DATA = "data"
"""Folder of the sample data below a project."""
_IGNORED = ".gitignore"


def init(folder: Path) -> tuple[Path, ...]:
    """Write a project that runs as it stands: the demo's files and the first state of its data.

    Raises `ConfigurationError`, with nothing written, when any of the files exists.
    """
    texts = {**project_files(), _IGNORED: ".tidegate/\n"}
    data = [folder / DATA / name for name in (CUSTOMERS_FILE, CONSENT_FILE)]
    paths = [*(folder / name for name in texts), *data]
    for path in paths:
        if path.exists():
            raise ConfigurationError(
                f"`{path}` exists already",
                safe="Nothing was written.",
                next="name another folder, or move the file away",
            )
    try:
        for path, text in zip(paths, texts.values(), strict=False):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        write(shop(1), folder / DATA)
    except OSError as error:
        raise _unwritable(folder, error) from None
    return tuple(paths)


def schemas(folder: Path) -> tuple[Path, ...]:
    """Write one JSON Schema per kind of file and per adapter's `config`, over those that an earlier version wrote."""
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for kind, schema in _schemas().items():
            path = folder / f"{kind}.schema.json"
            path.write_text(json.dumps(schema, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
            paths.append(path)
    except OSError as error:
        raise _unwritable(folder, error) from None
    return tuple(paths)


def _schemas() -> dict[str, dict[str, Any]]:  # JSON
    """Schemas by the beginning of their file's name. That of destinations leads to the adapter's for its `config`."""
    kinds = json_schemas()
    configs = {name: adapter(name).spec.config.model_json_schema() for name in names()}
    leads = [
        {
            "if": {"properties": {"type": {"const": name}}},
            "then": {"properties": {"config": {"$ref": f"config.{name}.schema.json"}}},
        }
        for name in configs
    ]
    dialect = kinds["destination"]["$schema"]
    adapters = {f"config.{name}": {"$schema": dialect, **schema} for name, schema in configs.items()}
    return {**kinds, "destination": {**kinds["destination"], "allOf": leads}, **adapters}


def project_files() -> dict[str, str]:
    """The demo project's files by path below the project, in the order in which they are best read."""
    return dict(sorted(_yaml_files(files("config") / "demo", ""), key=lambda item: ("/" in item[0], item[0])))


def _yaml_files(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _yaml_files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".yaml"):
            yield prefix + entry.name, entry.read_text(encoding="utf-8")


def _unwritable(folder: Path, error: OSError) -> ConfigurationError:
    return ConfigurationError(
        f"The folder cannot be written: {error.strerror or 'unknown reason'}",
        where=str(folder),
        next="name a folder that you may write to",
    )
