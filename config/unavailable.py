"""What the files may say and this version does not do yet, where ignoring it would weaken what the operator asked for.

The models know these keys, so that files and schemas stay stable; a feature that arrives deletes its entry here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from config.locate import Data, Document
from config.problems import Code, KeyPath, Problem, dotted


class Kind(StrEnum):
    """The kinds of file in a project, contracts aside."""

    PROJECT = "project"
    DATASET = "dataset"
    DESTINATION = "destination"
    SYNC = "sync"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One thing to refuse: where it stands, which values of it, and what to do instead. ``*`` is any key."""

    kind: Kind
    path: tuple[str, ...]
    refuses: Callable[[Data], bool]
    instead: str


def _one_of(*words: object) -> Callable[[Data], bool]:
    return lambda value: isinstance(value, bool | str) and value in words


REFUSALS = (
    Refusal(Kind.PROJECT, ("compute", "engine"), _one_of("spark"), "use `duckdb`"),
    Refusal(Kind.DATASET, ("extract",), _one_of("incremental"), "use `extract: full`"),
    Refusal(Kind.DATASET, ("extract", "mode"), _one_of("incremental"), "use `extract: full`"),
    Refusal(Kind.SYNC, ("mode",), _one_of("append"), "use `upsert`, `update`, `insert` or `mirror`"),
)


def refused(kind: Kind, document: Document, environment: str) -> tuple[Problem, ...]:
    """A problem for each thing in ``document`` that is not available; other environments than the one used may say it."""
    problems = []
    for refusal in REFUSALS:
        if refusal.kind is not kind:
            continue
        for path, value in _matches(document.data, refusal.path, ()):
            if path[:1] == ("environments",) and path[1] != environment:
                continue
            if refusal.refuses(value):
                shown = f"`{dotted(path)}: {value}`" if isinstance(value, str) else f"`{dotted(path)}`"
                message = f"{shown} is not available in this version"
                problems.append(document.problem(path, Code.NOT_AVAILABLE, message, refusal.instead))
    return tuple(problems)


def _matches(data: Data, pattern: tuple[str, ...], path: KeyPath) -> Iterator[tuple[KeyPath, Data]]:
    if not pattern:
        yield path, data
    elif isinstance(data, dict):
        for key in data if pattern[0] == "*" else [pattern[0]] if pattern[0] in data else []:
            yield from _matches(data[key], pattern[1:], (*path, key))
