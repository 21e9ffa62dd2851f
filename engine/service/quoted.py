"""A destination's own words, kept back when they quote a classified value of the record that they are about.

Destinations echo what they are sent: whole, escaped, encoded, or cut where their own message ends.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from engine.observe.written import forms_of, texts_of
from engine.service.samples import MASK

KEPT_BACK = f"{MASK} (it quotes a classified value)"
PART_LENGTH_MIN = 4
"""Letters of a word, or of the start of a value that a message ends in, that are enough to know it by."""
DIGITS_MIN = 6
"""Digits in a row, whatever stands between them, that make a number somebody can be known by."""
_CUT = "…"
_PERSONAL = re.compile(r"[^\s@]@[^\s@]|[0-9](?:[ ()./-]{0,2}[0-9]){8}")
"""An e-mail address, or nine digits as telephones and identity cards have them."""
_WORD = re.compile(r"\w+")


def unquoted(words: str, values: Iterable[str | None]) -> str:
    """``words``, or `KEPT_BACK` when they hold one of ``values`` (JSON texts), a word of it, or a number in it.

    Where there are such values, an address or a long number is kept back too: it may be another record's. Kept back too
    often rather than too seldom: a value may be an ordinary word.
    """
    written = [value for value in values if value is not None]
    if not words or not written:
        return words
    said = _folded(words)
    if _PERSONAL.search(said):
        return KEPT_BACK
    texts = (text for value in written for text in texts_of(value, whole=True))
    return KEPT_BACK if any(_is_quoted(said, text) for text in texts) else words


def _is_quoted(said: str, text: str) -> bool:
    if not text.strip():
        return False
    if not _spoken(said).isdisjoint(_marks(text)):
        return True
    digits = "".join(filter(str.isdigit, text))
    if len(digits) >= DIGITS_MIN and digits in "".join(filter(str.isdigit, said)):
        return True
    forms = _forms(text)
    return any(form in said for form in forms) or (said.endswith(_CUT) and any(_is_begun(said, form) for form in forms))


@lru_cache(maxsize=1024)
def _spoken(said: str) -> frozenset[str]:
    return frozenset(_WORD.findall(said))


@lru_cache(maxsize=1024)
def _marks(text: str) -> frozenset[str]:
    """The words that give a value away: all of a short one, the long ones of a long one."""
    words = _WORD.findall(_folded(text))
    return frozenset(word for word in words if len(word) >= PART_LENGTH_MIN or len(words) == 1)


@lru_cache(maxsize=1024)
def _forms(text: str) -> frozenset[str]:
    return frozenset(form for one in forms_of(text) if len(form := _folded(one)) >= PART_LENGTH_MIN)


def _is_begun(said: str, form: str) -> bool:
    """Whether a message that was cut ends in the start of a value."""
    end = said.removesuffix(_CUT)
    return any(end.endswith(form[:length]) for length in range(PART_LENGTH_MIN, len(form)))


def _folded(text: str) -> str:
    """As messages are kept: one line, blanks in a row as one; and without case, which destinations change."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split()).casefold()
