"""What is wrong with a project, as values: where, which rule, and what to do about it.

A problem never carries the value that was written, because the value may be a secret.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
"""Keys and list positions from the top of a file to a value."""


class Code(StrEnum):
    """The rules that files are held to; contracts add theirs in the same style."""

    BAD_ENCODING = "bad_encoding"
    BAD_NAME = "bad_name"
    BAD_REFERENCE = "bad_reference"
    BAD_VALUE = "bad_value"
    BAD_YAML = "bad_yaml"
    DUPLICATE_KEY = "duplicate_key"
    DUPLICATE_NAME = "duplicate_name"
    EMPTY_FILE = "empty_file"
    MISSING_FILE = "missing_file"
    MISSING_KEY = "missing_key"
    MISSING_VARIABLE = "missing_variable"
    NOT_AVAILABLE = "not_available"
    NOT_SECRET = "not_secret"  # noqa: S105 - a rule's name
    OPEN_SECRET = "open_secret"  # noqa: S105 - a rule's name
    OUTSIDE_PROJECT = "outside_project"
    OUT_OF_RANGE = "out_of_range"
    TOO_LARGE = "too_large"
    UNKNOWN_KEY = "unknown_key"
    UNKNOWN_REFERENCE = "unknown_reference"
    UNREADABLE_FILE = "unreadable_file"
    WRONG_ENVIRONMENT = "wrong_environment"
    WRONG_TYPE = "wrong_type"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. ``file`` is relative to the project folder; ``line`` 0 speaks of the file as a whole."""

    file: str
    line: int
    path: KeyPath
    code: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        text = f"{where}: {self.message}" + (f" ({self.hint})" if self.hint else "")
        # Names come from files, and a terminal would obey their escape sequences.
        return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)


class InvalidProject(Exception):
    """Nothing was started: the files must change first. Carries every problem found, by file and line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.file, p.line, p.message)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def did_you_mean(written: str, known: Iterable[str]) -> str:
    """A hint that names the nearest known word, else the words there are, else nothing."""
    words = {word.casefold(): word for word in sorted(known)}
    near = get_close_matches(written.casefold(), words, n=1)
    if near:
        return f"did you mean `{words[near[0]]}`?"
    if 0 < len(words) <= 12:
        return "known: " + ", ".join(f"`{word}`" for word in words.values())
    return ""


def dotted(path: KeyPath) -> str:
    """``("gates", "rows", 0)`` as an operator reads it: ``gates.rows[0]``."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
