"""``${env:NAME}`` and ``${file:PATH}``: the only interpolations, and what they give is a secret.

Whatever holds an interpolation becomes an `Interpolated`, which shows the reference and never the value.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from pydantic import SecretStr

from config.folder import is_inside
from config.locate import Data
from config.problems import Code, KeyPath, dotted

SECRET_BYTES_MAX = 65_536
_REFERENCE = re.compile(r"\$\{(env|file):([^${}]*)\}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FORMS = "write `${env:NAME}` or `${file:PATH}`"


class Interpolated(SecretStr):
    """A value that came from outside the file; ``written`` is the text with its references, safe to show."""

    def __init__(self, value: str, written: str) -> None:
        super().__init__(value)
        self.written = written

    def _display(self) -> str:
        return self.written


class Unresolved(Interpolated):
    """A reference that was not looked up, because this environment does not use it or because it failed."""

    def __init__(self, written: str) -> None:
        super().__init__("", written)


@dataclass(frozen=True, slots=True)
class Found:
    """What is wrong with one reference, by key path."""

    path: KeyPath
    code: Code
    message: str
    hint: str = ""


class ReferenceFailed(Exception):
    """A reference leads nowhere, or to something that cannot be a secret."""

    def __init__(self, code: Code, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Secrets:
    """Where references are looked up: the environment's variables, and files seen from the project folder."""

    folder: Path
    env: Mapping[str, str]

    def lookup(self, kind: str, name: str) -> str:
        """The value behind a reference; raises `ReferenceFailed`."""
        value = self._variable(name) if kind == "env" else self._file(name)
        if not value:
            raise ReferenceFailed(Code.BAD_REFERENCE, f"`${{{kind}:{name}}}` is empty")
        if "\n" in value or "\r" in value:
            raise ReferenceFailed(
                Code.BAD_REFERENCE, f"`${{{kind}:{name}}}` holds a line break", "a secret is one line"
            )
        if "\x00" in value:
            raise ReferenceFailed(Code.BAD_REFERENCE, f"`${{{kind}:{name}}}` holds a NUL character")
        return value

    def _variable(self, name: str) -> str:
        if not _VARIABLE.fullmatch(name):
            raise ReferenceFailed(Code.BAD_REFERENCE, "the name in `${env:…}` is not a variable's name", _FORMS)
        if name not in self.env:
            raise ReferenceFailed(Code.MISSING_VARIABLE, f"the environment variable `{name}` is not set", f"set {name}")
        return self.env[name]

    def is_readable_by_others(self, name: str) -> bool:
        """Whether the file of a ``${file:…}`` is open to every user of the machine; one that is not there is not."""
        try:
            return bool((self.folder / name).stat().st_mode & stat.S_IROTH)
        except (OSError, ValueError):
            return False

    def _file(self, name: str) -> str:
        if not name or len(name) > 4096 or any(ord(letter) < 32 for letter in name):
            raise ReferenceFailed(Code.BAD_REFERENCE, "the path in `${file:…}` is not a path", _FORMS)
        path = Path(name)
        if not path.is_absolute():
            path = self.folder / path
            if not is_inside(self.folder, path):
                raise ReferenceFailed(
                    Code.OUTSIDE_PROJECT, f"`${{file:{name}}}` leaves the project folder", "write the absolute path"
                )
        try:
            with path.open("rb") as file:
                content = file.read(SECRET_BYTES_MAX + 1)
        except FileNotFoundError:
            raise ReferenceFailed(Code.MISSING_FILE, f"the file of `${{file:{name}}}` does not exist") from None
        except OSError as error:
            reason = error.strerror or "unknown reason"
            raise ReferenceFailed(Code.UNREADABLE_FILE, f"`${{file:{name}}}` cannot be read: {reason}") from None
        if len(content) > SECRET_BYTES_MAX:
            raise ReferenceFailed(Code.TOO_LARGE, f"`${{file:{name}}}` is larger than {SECRET_BYTES_MAX:,} bytes")
        try:
            return content.decode().removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise ReferenceFailed(Code.BAD_ENCODING, f"`${{file:{name}}}` is not UTF-8") from None


Wanted: TypeAlias = Callable[[KeyPath], bool]
"""Whether the references below a key path are looked up in this environment."""


def interpolate(data: Data, secrets: Secrets, wanted: Wanted) -> tuple[Data, tuple[Found, ...]]:
    """``data`` with every text that holds a reference replaced, and what went wrong; ``data`` itself is kept."""
    found: list[Found] = []

    def walk(node: Data, path: KeyPath) -> Data:
        if isinstance(node, dict):
            return {key: walk(value, (*path, key)) for key, value in node.items()}
        if isinstance(node, list):
            return [walk(value, (*path, index)) for index, value in enumerate(node)]
        if not isinstance(node, str) or "${" not in node:
            return node
        try:
            _check_forms(node)
            return _resolved(node, secrets) if wanted(path) else Unresolved(node)
        except ReferenceFailed as failure:
            found.append(Found(path, failure.code, failure.message, failure.hint))
            return Unresolved("${…}")

    return walk(data, ()), tuple(found)


def readable_by_others(data: Data, secrets: Secrets, wanted: Wanted) -> tuple[Found, ...]:
    """Each place in ``data`` whose secret stands in a file that every user of the machine may read."""
    found = []
    for path, text in _texts(data, ()):
        names = [name for kind, name in _REFERENCE.findall(text) if kind == "file"]
        if names and wanted(path) and any(secrets.is_readable_by_others(name) for name in names):
            message = f"every user of this machine may read the file of `{dotted(path)}`"
            found.append(Found(path, Code.OPEN_SECRET, message, "chmod 600"))
    return tuple(found)


def _texts(data: Data, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """Every text below ``data`` with where it stands."""
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from _texts(value, (*path, key))


def reveal(data: Data) -> Data:
    """``data`` with secrets as plain text, for the one moment in which an adapter's model takes them over."""
    if isinstance(data, Mapping):
        return {key: reveal(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [reveal(value) for value in data]
    return data.get_secret_value() if isinstance(data, SecretStr) else data


def _check_forms(text: str) -> None:
    if "${" in _REFERENCE.sub("", text):
        raise ReferenceFailed(
            Code.BAD_REFERENCE, "only `${env:NAME}` and `${file:PATH}` are understood", "nothing nests"
        )


def _resolved(text: str, secrets: Secrets) -> Interpolated:
    """The text with its references looked up; what stands beside a reference may be secret too, so it is not shown."""
    value = _REFERENCE.sub(lambda match: secrets.lookup(match[1], match[2]), text)
    return Interpolated(value, text if _REFERENCE.fullmatch(text) else "${…}")
