"""The bank: each fault is planted alone in a copy of the tree, and the test that is named for it must fail there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
PARTS = ("engine", "destinations", "config", "docs", "migrations", "scripts", "tests")
FILES = ("alembic.ini", "pyproject.toml", "README.md")
SECONDS_MAX = 900
TESTS_FAILED = 1
"""pytest's exit code when tests ran and some failed; any other would mean that nothing was proved."""


@dataclass(frozen=True)
class Bug:
    """A fault, the invariant that it breaks, where it goes, and the test that notices."""

    name: str
    invariant: str
    file: str
    old: str
    new: str
    test: str


def bugs() -> list[Bug]:
    """All of the bank, in order."""
    return [Bug(**entry) for entry in yaml.safe_load((Path(__file__).parent / "bugs.yaml").read_text())]


def copy_tree(folder: Path) -> None:
    """The tree as it is, without what was generated."""
    for part in PARTS:
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copyfile(ROOT / name, folder / name)


def is_caught(bug: Bug, folder: Path) -> bool:
    """Plant ``bug`` in the copy at ``folder``, run its test there, and mend the copy again."""
    path = folder / bug.file
    sound = path.read_text(encoding="utf-8")
    assert sound.count(bug.old) == 1, f"{bug.name}: its place must stand once in {bug.file}"
    path.write_text(sound.replace(bug.old, bug.new), encoding="utf-8")
    try:
        return _tested(folder, [bug.test]) == TESTS_FAILED
    finally:
        path.write_text(sound, encoding="utf-8")


def passes(tests: Sequence[str], folder: Path) -> bool:
    """Whether tests pass in the copy as it is: otherwise nothing would be proved by their failing."""
    return _tested(folder, sorted(set(tests))) == 0


def _tested(folder: Path, tests: Sequence[str]) -> int:
    # The copy stands first on the path, before the tree that the environment was made from.
    environment = {
        **os.environ,
        "PYTHONPATH": str(folder),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TIDEGATE_TEST_SHRINK": "no",
    }
    for name in ("PYTEST_XDIST_WORKER", "TIDEGATE_TEST_EXAMPLES"):
        environment.pop(name, None)
    options = ["--quiet", "--exitfirst", "-p", "no:xdist", "--override-ini", "timeout=60"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, timeout=SECONDS_MAX, check=False, text=True
    )
    return done.returncode
