"""Write the files of a new adapter: the example of docs/adapters.md under another name, with its test and its package."""

from __future__ import annotations

import re
from importlib.resources import files
from keyword import iskeyword
from pathlib import Path

from destinations.registry import names
from engine.errors import ConfigurationError

_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
_EXAMPLE = "destinations.testing.example"
_PACKAGE = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "tidegate-{dashed}"
version = "0.1.0"
dependencies = ["tidegate"]

[project.optional-dependencies]
testing = ["tidegate[testing]"]

[project.entry-points."tidegate.destinations"]
{name} = "tidegate_{name}:{Class}"

[project.entry-points."tidegate.conformance"]
{name} = "tidegate_{name}.test_{name}:Test{Class}"
"""


def new_adapter(name: str, folder: Path) -> tuple[Path, ...]:
    """Write an adapter that passes its suite as it stands.

    Raises `ConfigurationError`, with nothing written, when the name cannot be used or any of the files exists.
    """
    if not _NAME.fullmatch(name) or iskeyword(name):
        raise ConfigurationError(
            f"`{name}` cannot name an adapter",
            safe="Nothing was written.",
            next="use lower-case letters, digits and underscores, such as `my_crm`",
        )
    if name in names():
        raise ConfigurationError(
            f"There is an adapter `{name}` already", safe="Nothing was written.", next="choose another name"
        )
    texts = {folder / path: text for path, text in adapter_files(name).items()}
    for path in texts:
        if path.exists():
            raise ConfigurationError(
                f"`{path}` exists already",
                safe="Nothing was written.",
                next="name another folder, or move the file away",
            )
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(
            f"The folder cannot be written: {error.strerror or 'unknown reason'}",
            where=str(folder),
            next="name a folder that you may write to",
        ) from None
    return tuple(texts)


def adapter_files(name: str) -> dict[str, str]:
    """The files of an adapter's package by path below its folder."""
    title = "".join(part.capitalize() for part in name.split("_"))
    package = f"tidegate_{name}"
    example = files("destinations") / "testing" / "example"

    def renamed(file: str) -> str:
        text = (example / file).read_text(encoding="utf-8").replace(_EXAMPLE, package)
        return text.replace("Acme", title).replace("acme", name)

    return {
        "pyproject.toml": _PACKAGE.format(name=name, dashed=name.replace("_", "-"), Class=title),
        f"{package}/__init__.py": renamed("__init__.py"),
        f"{package}/test_{name}.py": renamed("test_acme.py"),
    }
