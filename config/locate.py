"""YAML text as plain data in which every key knows its line.

Reads YAML 1.2's core schema, so ``no``, ``on`` and ``2024-02-30`` are text. What makes YAML dangerous or ambiguous is
refused: tags, aliases, duplicate keys, several documents, other encodings, tabs as indentation, and files past the caps.
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import yaml

from config.problems import Code, KeyPath, Problem

Data: TypeAlias = Any
"""Plain YAML data: text, numbers, booleans, None, lists and dicts; ``Any`` because it is recursive."""

FILE_BYTES_MAX = 1_000_000
DEPTH_MAX = 32
NODES_MAX = 50_000
DIGITS_MAX = 40

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser is ten times faster, where there is one
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)
_TAB = re.compile(r"^\t+\S", re.MULTILINE)
_QUOTED = re.compile(r"\s*('[^']{2,}'|\"[^\"]{2,}\")")


class Unreadable(Exception):
    """The text is not a document that this project accepts; carries the one problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Document:
    """One file's data and the line of each of its keys and list items."""

    file: str
    data: dict[str, Data] = field(repr=False)
    lines: Mapping[KeyPath, int] = field(repr=False)

    def line(self, path: KeyPath) -> int:
        """The line of ``path``, or of the nearest key above it that was written."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def problem(self, path: KeyPath, code: str, message: str, hint: str = "") -> Problem:
        return Problem(self.file, self.line(path), path, code, message, hint)


def read_document(file: str, content: bytes) -> Document:
    """The document in ``content``; raises `Unreadable` with ``file`` and line."""
    text = _decoded(file, content)
    tab = _TAB.search(text)
    if tab is not None:
        line = text.count("\n", 0, tab.start()) + 1
        raise _unreadable(file, line, Code.BAD_YAML, "this line is indented with a tab", "indent with spaces")
    builder = _Builder(file)
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.feed(event)
    except yaml.YAMLError as error:
        raise _syntax_error(file, text, error) from None
    if builder.root is None:
        raise _unreadable(file, 1, Code.EMPTY_FILE, "the file is empty")
    if not isinstance(builder.root, dict):
        raise _unreadable(file, 1, Code.WRONG_TYPE, "the file must be a mapping of keys to values")
    return Document(file, builder.root, builder.lines)


def _unreadable(file: str, line: int, code: Code, message: str, hint: str = "") -> Unreadable:
    return Unreadable(Problem(file, line, (), code, message, hint))


def _decoded(file: str, content: bytes) -> str:
    if len(content) > FILE_BYTES_MAX:
        raise _unreadable(file, 0, Code.TOO_LARGE, f"the file is larger than {FILE_BYTES_MAX:,} bytes")
    if content.startswith(_BYTE_ORDER_MARKS) or b"\x00" in content:
        raise _unreadable(
            file, 1, Code.BAD_ENCODING, "the file is not UTF-8 but UTF-16, UTF-32 or binary", "save it as UTF-8"
        )
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _unreadable(file, line, Code.BAD_ENCODING, "this line is not UTF-8", "save the file as UTF-8") from None


def _syntax_error(file: str, text: str, error: yaml.YAMLError) -> Unreadable:
    """The parser's complaint without the words it quotes, which may be part of a secret."""
    if isinstance(error, yaml.MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        reason = _QUOTED.sub("", error.problem or "")
    else:
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        reason = "a character that YAML does not allow"
    return _unreadable(
        file, line, Code.BAD_YAML, f"not valid YAML: {reason}", "a value with special characters needs quotes"
    )


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end was not seen yet."""

    container: dict[str, Data] | list[Data]
    path: KeyPath
    key: str | None = None


class _Builder:
    """Builds data from parser events with its own stack, so that depth and size are bounded by us."""

    def __init__(self, file: str) -> None:
        self.root: Data = None
        self.lines: dict[KeyPath, int] = {}
        self._file = file
        self._stack: list[_Open] = []
        self._documents = 0
        self._nodes = 0

    def feed(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 1
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise self._refused(line, "the file holds several documents (`---`)", "one document a file")
            case yaml.AliasEvent():
                raise self._refused(line, "aliases (`*name`) are not allowed here", "write the value out, or quote it")
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._open(event, line)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._stack.pop()
            case yaml.ScalarEvent():
                self._scalar(event, line)
            case _:
                pass

    def _open(self, event: yaml.MappingStartEvent | yaml.SequenceStartEvent, line: int) -> None:
        self._count(event, line)
        if len(self._stack) >= DEPTH_MAX:
            raise self._refused(line, f"values are nested deeper than {DEPTH_MAX} levels")
        container: dict[str, Data] | list[Data] = {} if isinstance(event, yaml.MappingStartEvent) else []
        self._stack.append(_Open(container, self._place(container, line)))

    def _scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        self._count(event, line)
        value = self._resolved(event.value, line) if event.implicit[0] else event.value
        top = self._stack[-1] if self._stack else None
        if top is not None and isinstance(top.container, dict) and top.key is None:
            self._take_key(top, value, line)
        else:
            self._place(value, line)

    def _take_key(self, top: _Open, key: Data, line: int) -> None:
        if not isinstance(key, str):
            raise self._refused(line, "a key must be text", "put it in quotes")
        if key in top.container:
            raise _unreadable(self._file, line, Code.DUPLICATE_KEY, f"the key `{key}` is written twice")
        top.key = key
        self.lines[(*top.path, key)] = line

    def _place(self, value: Data, line: int) -> KeyPath:
        """Put a value where the open container expects it, and say where that is."""
        if not self._stack:
            self.root = value
            self.lines[()] = line
            return ()
        top = self._stack[-1]
        if isinstance(top.container, list):
            path: KeyPath = (*top.path, len(top.container))
            top.container.append(value)
            self.lines[path] = line
            return path
        if top.key is None:
            raise self._refused(line, "a key must be text, not a list or a mapping")
        path = (*top.path, top.key)
        top.container[top.key] = value
        top.key = None
        return path

    def _count(self, event: yaml.ScalarEvent | yaml.MappingStartEvent | yaml.SequenceStartEvent, line: int) -> None:
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise _unreadable(self._file, line, Code.TOO_LARGE, f"the file holds more than {NODES_MAX:,} values")
        if event.tag is not None:
            raise self._refused(
                line, "tags (`!name`) are not allowed here", "a value that starts with `!` needs quotes"
            )

    def _resolved(self, text: str, line: int) -> Data:
        """A plain scalar by YAML 1.2's core schema."""
        if text in _NULLS:
            return None
        if text in _BOOLEANS:
            return _BOOLEANS[text]
        if _INTEGER.fullmatch(text):
            if len(text) > DIGITS_MAX:
                raise self._refused(
                    line, f"a number has more than {DIGITS_MAX} digits", "put it in quotes if it is text"
                )
            return int(text, 0) if text[:2] in {"0o", "0x"} else int(text)
        if _FLOAT.fullmatch(text):
            number = float(text)
            if math.isfinite(number):
                return number
        elif not _NOT_FINITE.fullmatch(text):
            return text
        raise self._refused(line, "a number must be finite", "put it in quotes if it is text")

    def _refused(self, line: int, message: str, hint: str = "") -> Unreadable:
        return _unreadable(self._file, line, Code.BAD_YAML, message, hint)
