"""The page of a destination as a project: its files, in a new folder, delivered to a fake over a socket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.door import ROOT, Ended, tidegate


def page_of(name: str) -> str:
    """The text of the page about a destination."""
    return (ROOT / "docs" / "destinations" / f"{name}.md").read_text(encoding="utf-8")


def files_of(page: str) -> Mapping[str, str]:
    """The project files that a page shows, by their paths."""
    return dict(re.findall(r"`((?:destinations|syncs)/\w+\.yaml)`\n\n```yaml\n(.*?)```", page, re.DOTALL))


def project_of(page: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    """A new project in which the page's files stand in place of its own."""
    tidegate(capsys, "init", str(folder))
    for path in [*(folder / "syncs").iterdir(), *(folder / "destinations").iterdir()]:
        path.unlink()
    for path, text in files_of(page).items():
        (folder / path).write_text(text)
    return folder


def direct(project: Path, destination: str, url: str) -> None:
    """Let a destination of the project be reached at ``url``."""
    file = project / "destinations" / f"{destination}.yaml"
    document = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**document, "config": {**document["config"], "url": url}}))


@dataclass(frozen=True)
class Played:
    """What the commands said that a page leads to: a check, `validate --connect`, a run, and the same run again."""

    checked: str
    valid: Ended
    first: Mapping[str, Any]
    second: Mapping[str, Any]


def played(project: Path, sync: str, capsys: pytest.CaptureFixture[str]) -> Played:
    """Type them, in this order."""
    where = ("--project", str(project))
    (checked,) = tidegate(capsys, "destination", "check", *where, "--json").document
    valid = tidegate(capsys, "validate", "--connect", *where)
    (first,) = tidegate(capsys, "run", sync, *where, "--json").document
    (second,) = tidegate(capsys, "run", sync, *where, "--json").document
    return Played(checked["message"], valid, first, second)
