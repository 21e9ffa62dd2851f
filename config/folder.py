"""The project folder on disk: finding it, listing its files, and refusing whatever leads out of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from config.locate import FILE_BYTES_MAX
from config.problems import Code, InvalidProject, Problem

PROJECT_FILE = "tidegate.yaml"
DEPTH_MAX = 4
FILES_MAX = 10_000
_SUFFIXES = (".yaml", ".yml")


def find_project(start: Path) -> Path:
    """The nearest folder, from ``start`` upward, that holds a ``tidegate.yaml``; raises `InvalidProject`."""
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    message = "there is no `tidegate.yaml` in this folder or above it"
    hint = "run `tidegate init`, or name the folder with --project or TIDEGATE_PROJECT"
    raise InvalidProject([Problem(PROJECT_FILE, 0, (), Code.MISSING_FILE, message, hint)])


def is_inside(folder: Path, path: Path) -> bool:
    """Whether ``path``, with every symbolic link followed, stays below ``folder``; a loop of links does not."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        return False


def yaml_files(folder: Path, name: str) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    """The YAML files below ``folder/name`` in sorted order, relative to ``folder``; hidden ones are ignored."""
    files: list[str] = []
    problems: list[Problem] = []
    for path in _entries(folder / name, DEPTH_MAX):
        relative = path.relative_to(folder).as_posix()
        if not is_inside(folder, path):
            problems.append(_outside(relative))
        elif path.is_symlink() and path.is_dir():
            message = "a symbolic link to a folder is not followed"
            problems.append(Problem(relative, 0, (), Code.OUTSIDE_PROJECT, message, "move the files here"))
        elif path.suffix in _SUFFIXES and path.is_file():
            files.append(relative)
        if len(files) > FILES_MAX:
            message = f"the folder holds more than {FILES_MAX:,} files"
            return (), (Problem(name, 0, (), Code.TOO_LARGE, message),)
    return tuple(files), tuple(problems)


def read_file(folder: Path, relative: str) -> bytes | Problem:
    """The first bytes of a project's file, one past the size cap at most, or why it cannot be read."""
    path = folder / relative
    if not is_inside(folder, path):
        return _outside(relative)
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return Problem(relative, 0, (), Code.MISSING_FILE, "the file does not exist")
    except OSError as error:
        message = f"the file cannot be read: {error.strerror or 'unknown reason'}"
        return Problem(relative, 0, (), Code.UNREADABLE_FILE, message)


def _entries(top: Path, depth: int) -> Iterator[Path]:
    """Everything visible below ``top``; links are given, and not followed."""
    if top.is_symlink():
        yield top
        return
    if not top.is_dir():
        return
    with os.scandir(top) as scan:
        names = sorted(entry.name for entry in scan if not entry.name.startswith("."))
    for name in names:
        path = top / name
        if path.is_dir() and not path.is_symlink() and depth > 0:
            yield from _entries(path, depth - 1)
        else:
            yield path


def _outside(relative: str) -> Problem:
    return Problem(relative, 0, (), Code.OUTSIDE_PROJECT, "the file leads out of the project folder", "copy it in")
