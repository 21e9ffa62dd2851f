"""The secrets that a project's files lead to, as texts, so that output and logs can leave them out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from urllib.parse import unquote, urlsplit

from pydantic import BaseModel, SecretStr

from config.interpolate import Interpolated


def secret_values(value: object) -> Iterator[str]:
    """Every secret anywhere below ``value``: what ``${env:…}`` and ``${file:…}`` gave, and passwords inside URLs.

    A URL that an operator wrote in a file, such as SQLite's, is a secret only as far as its password.
    """
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        if isinstance(value, Interpolated) or "://" not in text:
            yield text
        yield from _passwords(text)
        return
    for member in _members(value):
        yield from secret_values(member)


def _members(value: object) -> Iterable[object]:
    match value:
        case BaseModel():
            return [getattr(value, name) for name in type(value).model_fields]
        case Mapping():
            return value.values()
        case list() | tuple():
            return value
        case _ if is_dataclass(value):
            return [getattr(value, field.name) for field in fields(value)]
        case _:
            return ()


def _passwords(text: str) -> Iterator[str]:
    try:
        password = urlsplit(text).password
    except ValueError:  # not a URL; the text as a whole has been given
        return
    if password:
        yield password
        yield unquote(password)
