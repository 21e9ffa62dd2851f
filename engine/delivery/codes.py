"""A destination's code for what became of a record, where it is one: codes stand in the ledger, values must not.

A destination writes into a code whatever it likes, and some write the value that they dislike.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from engine.observe.written import forms_of, texts_of

OTHER = "other"
"""For what does not look like a code, or quotes the record; its own words are the message."""
CODES_MAX = 20
"""Different codes of one window that are told apart; the rest are counted together."""
PART_LENGTH_MIN = 4
"""Characters of a value that make it known inside a longer code."""
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")


def code_of(code: str, record: Iterable[str]) -> str:
    """``code``, or `OTHER`; ``record`` is what was sent of the record, as JSON texts."""
    if not _CODE.fullmatch(code):
        return OTHER
    values = (value for text in record for value in texts_of(text))
    return OTHER if any(_is_quoted(code, value) for value in values) else code


def counted(codes: Iterable[str]) -> dict[str, int]:
    """How often each code occurs, the most frequent told apart."""
    found = Counter(code if _CODE.fullmatch(code) else OTHER for code in codes)
    kept = dict(sorted(found.most_common(CODES_MAX)))
    rest = found.total() - sum(kept.values())
    return {**kept, OTHER: kept.get(OTHER, 0) + rest} if rest else kept


def _is_quoted(code: str, value: str) -> bool:
    """Whether a code is a value, or holds one as it is or in a spelling in which values travel."""
    if code.casefold() == value.casefold():
        return True
    if len(value) < PART_LENGTH_MIN:
        return False
    return any(form in code or form.casefold() in code.casefold() for form in forms_of(value))
