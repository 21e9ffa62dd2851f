"""Commands that only set the scene: played once a process for one and the same beginning, and copied afterwards.

What a command makes depends on the files of its project, what the destination holds and answers, the arguments and
the environment. Where all of these are, byte for byte, what they were for a command that was played before, a copy of
what that one left behind is put in place: the project's folder with ledger and segments, the destination's content,
and what was printed. So whatever a test builds on was really done in this process, by the code that is tested; and
asked after a command that must change nothing, a copy is found only if nothing changed.

Ids and times are those of the first one. It is no door for a command before which a test looks at the clock, under
which it patches the engine, or which reaches files or destinations that are none of the project's.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Generic, TypeVar

from tests.receiver import Content, Receiver

Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class _Played(Generic[Outcome]):
    outcome: Outcome
    folder: Path
    content: Content


class _Untold(Exception):
    """Something that two calls may find different, and nothing tells it."""


class Played(Generic[Outcome]):
    """What commands left behind, kept in ``folder`` for all tests of a process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._played: dict[bytes, _Played[Outcome]] = {}

    def outcome(
        self, project: Path, receiver: Receiver, arguments: tuple[str, ...], play: Callable[[], Outcome]
    ) -> Outcome:
        """What ``play`` returns, played or copied."""
        key = None if _is_open(project) else _beginning(project, receiver, arguments)
        if key is None:
            return play()
        before = self._played.get(key)
        if before is not None:
            _replace(project, before.folder)
            receiver.fill(before.content)
            return before.outcome
        outcome = play()
        if not _is_told(project, outcome) and not _is_open(project):
            kept = self._folder / str(len(self._played))
            shutil.copytree(project, kept)
            self._played[key] = _Played(outcome, kept, receiver.content())
        return outcome


def _beginning(project: Path, receiver: Receiver, arguments: tuple[str, ...]) -> bytes | None:
    """A digest of all that a command can depend on; None when the destination's answers cannot be told."""
    try:
        answer = _words(receiver.answer, receiver)
    except _Untold:
        return None
    said = [argument.replace(str(project), ".") for argument in arguments]
    environment = sorted((name, value) for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST")
    facts = (said, environment, Path.cwd(), answer, receiver.headers, receiver.content())
    digest = hashlib.blake2b(repr(facts).encode())
    for path in _files(project):
        content = path.read_bytes()
        digest.update(repr((str(path.relative_to(project)), path.stat().st_mode, len(content))).encode())
        digest.update(content)
    return digest.digest()


def _words(value: object, receiver: Receiver) -> str:
    """A value that cannot change, or a function that depends on nothing but such values and the receiver, as text.

    Raises `_Untold` for anything else: nobody can say then that two of it are the same.
    """
    if value is receiver:
        return "the receiver"
    if isinstance(value, ModuleType):
        return value.__name__
    if value is None or isinstance(value, str | bytes | int | float):
        return repr(value)
    if isinstance(value, tuple | frozenset):
        return f"({','.join(_words(part, receiver) for part in value)})"
    if isinstance(value, CodeType):
        return f"{value.co_code!r}{value.co_names}{_words(value.co_consts, receiver)}"
    if isinstance(value, FunctionType):
        held = [cell.cell_contents for cell in value.__closure__ or ()]
        named = [value.__globals__[name] for name in sorted(_names(value.__code__)) if name in value.__globals__]
        return _words((value.__code__, value.__defaults__, *held, *named), receiver)
    raise _Untold


def _names(code: CodeType) -> set[str]:
    nested = (_names(part) for part in code.co_consts if isinstance(part, CodeType))
    return set(code.co_names).union(*nested)


def _is_open(project: Path) -> bool:
    """Whether another command is under way in the project, or one died there."""
    return any(project.rglob("*-wal"))


def _files(project: Path) -> list[Path]:
    return sorted(path for path in project.rglob("*") if path.is_file())


def _is_told(project: Path, outcome: object) -> bool:
    """Whether something that was written or printed names the folder, and so would be wrong in any other."""
    name = str(project)
    return name in repr(outcome) or any(name.encode() in path.read_bytes() for path in _files(project))


def _replace(project: Path, kept: Path) -> None:
    for path in project.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    shutil.copytree(kept, project, dirs_exist_ok=True)
