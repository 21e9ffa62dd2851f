"""Standard output: one JSON document or text, and a reader that may leave early."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import TextIO, TypeAlias, TypeVar, cast

from engine.errors import TidegateError

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
_Report = TypeVar("_Report")


def document(value: object) -> Json:
    """A report as JSON: dataclasses by field name, enumerations and paths as text, NaN as null.

    Raises `TypeError` for what has no JSON form, because a report that cannot be printed is a bug.
    """
    match value:
        case Mapping():
            return {str(key): document(item) for key, item in value.items()}
        case list() | tuple():
            return [document(item) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field.name: document(getattr(value, field.name)) for field in fields(value)}
        case _:
            return _scalar(value)


def _scalar(value: object) -> bool | int | float | str | None:
    match value:
        case Enum():
            return _scalar(value.value)
        case float():
            return value if math.isfinite(value) else None
        case None | bool() | int() | str():
            return value
        case Path():
            return str(value)
        case _:
            raise TypeError(f"no JSON form for {type(value).__name__}")


def write_document(value: object) -> None:
    """Print ``value`` as the one JSON document of this command, in ASCII so that any locale carries it."""
    write(json.dumps(document(value), indent=2, allow_nan=False) + "\n")


def write_lists(lists: Iterable[tuple[str, Iterable[object]]]) -> None:
    """Print one JSON object of arrays, each item as it comes, so that none of them need be held."""
    start = "{"
    for name, items in lists:
        write(f"{start}{json.dumps(name)}: [")
        between = ""
        for item in items:
            write(between + json.dumps(document(item), allow_nan=False))
            between = ",\n"
        write("]")
        start = ",\n"
    write("}\n")


def without_secrets(report: _Report, redact: Callable[[str], str]) -> _Report:
    """The same report with every text in it redacted, before layout could cut a secret in two."""
    return cast("_Report", _redacted(report, redact))


def _redacted(value: object, redact: Callable[[str], str]) -> object:
    match value:
        case Enum():
            return value
        case str():
            return redact(value)
        case Mapping():
            return {key: _redacted(item, redact) for key, item in value.items()}
        case list() | tuple():
            return type(value)(_redacted(item, redact) for item in value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{f.name: _redacted(getattr(value, f.name), redact) for f in fields(value)})
        case _:
            return value


def write(text: str) -> None:
    """Write to stdout at once. When the reader is gone (``| head``) the rest is dropped and the command goes on.

    The exit code then still tells what the command did, and not that somebody had read enough.
    """
    _write(sys.stdout, text)


def write_aside(text: str) -> None:
    """Write to stderr, as `write` does to stdout."""
    _write(sys.stderr, text)


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        discard(stream)
    except OSError as error:
        discard(stream)
        raise TidegateError(
            f"What was to be printed could not be written ({error.strerror}).",
            safe="What the command did before is done and recorded.",
            next="give the output a place that takes it; `tidegate status` and `tidegate runs` tell what was done.",
        ) from None


def discard(stream: TextIO) -> None:
    """Send all that ``stream`` still gets to nowhere, also what the interpreter flushes at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
