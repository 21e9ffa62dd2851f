"""Secrets, in every spelling in which they leave a process, replaced before anything is printed or logged."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import quote, quote_plus

PLACEHOLDER = "[secret]"
LENGTH_MIN = 4
"""Shorter values are words that occur by chance; to replace them would garble the text and name them by their gaps."""


class Redactor:
    """Knows the secrets of one process. Safe to share between threads: registering replaces a tuple as a whole."""

    def __init__(self) -> None:
        self._spellings: tuple[str, ...] = ()

    def register(self, secret: str) -> None:
        """From now on ``secret`` appears nowhere; values shorter than `LENGTH_MIN` are left alone."""
        if len(secret) < LENGTH_MIN:
            return
        known = {*self._spellings, *spellings(secret)}
        self._spellings = tuple(sorted(known, key=lambda s: (-len(s), s)))

    def redact(self, text: str) -> str:
        """``text`` with `PLACEHOLDER` for each spelling of a secret; the longest spelling goes first."""
        for spelling in self._spellings:
            text = text.replace(spelling, PLACEHOLDER)
        return text

    def __call__(self, logger: object, name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """As a structlog processor: every text of an event, however deep, keys included."""
        del logger, name
        for key in list(event):
            event[self.redact(key)] = self._cleaned(event.pop(key))
        return event

    def _cleaned(self, value: Any) -> Any:  # a log line may carry anything
        match value:
            case str():
                return self.redact(value)
            case None | bool() | int() | float():
                return value
            case bytes():
                return self.redact(value.decode("utf-8", "backslashreplace"))
            case Mapping():
                return {self.redact(str(key)): self._cleaned(item) for key, item in value.items()}
            case list() | tuple() | set() | frozenset():
                return [self._cleaned(item) for item in value]
            case _:
                return self.redact(str(value))


def spellings(secret: str) -> frozenset[str]:
    """The secret as it is, in URLs and forms, in JSON, in ``repr`` and in base64 wherever it starts in the bytes."""
    raw = secret.encode("utf-8", "surrogatepass")
    percent = quote(raw, safe="")
    forms = {
        secret,
        percent,
        percent.lower(),
        quote(raw),
        quote_plus(raw),
        json.dumps(secret)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        repr(secret)[1:-1],
    }
    for encoded in (_base64_cores(raw, base64.b64encode), _base64_cores(raw, base64.urlsafe_b64encode)):
        forms |= encoded
    return frozenset(form for form in forms if len(form) >= LENGTH_MIN)


def _base64_cores(raw: bytes, encode: Any) -> set[str]:  # one of two functions of the library
    """The characters that stand for ``raw`` alone, for each of the three places where it may begin in a longer text.

    ``user:secret`` in a Basic header holds the secret at any of them.
    """
    cores = set()
    for offset in range(3):
        text = encode(b"\0" * offset + raw).decode("ascii").rstrip("=")
        first = -(-offset * 8 // 6)
        whole = (offset + len(raw)) * 8 // 6
        cores.add(text[first:whole])
    return cores
