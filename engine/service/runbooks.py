"""Runbooks: pages for those on call, in six steps, with the commands to type; an installed package carries them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import engine as package
from engine.errors import ConfigurationError
from engine.runbooks import NAMES

STEPS = ("Confirm", "Locate", "Contain", "Repair", "Verify", "Learn")
_COMMAND = re.compile(r"^ {4}(tidegate [^\n]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a page: its words as Markdown, and the commands that stand in them on lines of their own."""

    name: str
    text: str
    commands: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Runbook:
    """A page: what it is about, and its steps."""

    name: str
    title: str
    about: str
    steps: tuple[Step, ...]


def runbooks() -> list[Runbook]:
    """Every page, in the order of their list."""
    return [runbook(name) for name in NAMES]


def runbook(name: str) -> Runbook:
    """One page; raises `ConfigurationError` with the nearest name."""
    if name not in NAMES:
        near = get_close_matches(name, NAMES, n=1)
        hint = f"did you mean `{near[0]}`?" if near else "`tidegate runbook` lists them"
        raise ConfigurationError(f"There is no runbook `{name}`", safe="Nothing was changed.", next=hint)
    head, *sections = (_folder() / f"{name}.md").read_text(encoding="utf-8").split("\n## ")
    title, _, about = head.partition("\n")
    parts = (section.partition("\n") for section in sections)
    steps = tuple(Step(step, text.strip("\n"), tuple(_COMMAND.findall(text))) for step, _, text in parts)
    return Runbook(name, title.removeprefix("# "), about.strip(), steps)


def _folder() -> Path:
    """Where the pages are: in the installed package first, else in the checkout."""
    home = Path(package.__file__).parent
    for folder in (home / "_bundled" / "runbooks", home.parent / "docs" / "runbooks"):
        if (folder / "README.md").is_file():
            return folder
    raise ConfigurationError("This installation of Tidegate has no runbooks", next="install the package again")
