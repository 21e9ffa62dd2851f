"""What is wrong with a contract, or with what refers to it, as a plain value that a service places at a file and line."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import NamedTuple, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]


class Finding(NamedTuple):
    """``path`` leads from the top of the judged file to the key at fault."""

    code: str
    message: str
    hint: str
    path: KeyPath


class Listed(NamedTuple):
    """Something that a contract says and nothing can judge, by the name under which people are told of it."""

    name: str


def nearest(written: str, known: Iterable[str]) -> str:
    """A hint with the nearest known name, else with the first few names there are."""
    names = list(known)
    folded = {name.casefold(): name for name in names}
    near = get_close_matches(written.casefold(), folded, n=1)
    if near:
        return f"did you mean `{folded[near[0]]}`?"
    listed = ", ".join(f"`{name}`" for name in names[:8])
    return f"there are {listed}" + (", …" if len(names) > 8 else "") if names else ""
