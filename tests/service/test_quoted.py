"""A destination's words are kept back when they quote a classified value, however they spell it."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from destinations.http import readable
from engine.service.quoted import KEPT_BACK, unquoted
from tests.property.effort import examples

EMAIL = "Ada.Lovelace@example.org"
NOTE = "prefers the  evening;\ncalls from abroad"


def told(words: str, *values: object) -> str:
    return unquoted(words, [json.dumps(value) for value in values])


@pytest.mark.parametrize(
    "words",
    [
        f"the address {EMAIL} is not valid",
        f"THE ADDRESS {EMAIL.upper()} IS NOT VALID",
        f"see /people?email={quote(EMAIL, safe='')}",
        f"body was {base64.b64encode(f'xy{EMAIL}'.encode()).decode()}",
        f"body was {json.dumps({'email': EMAIL})}",
        f"0x{EMAIL.encode().hex()}",
        "no user ada.lovelace",
        "lovelace is taken",
        readable("x" * 180 + f" {EMAIL}"),
    ],
)
def test_words_that_quote_an_address_are_kept_back(words: str) -> None:
    assert told(words, EMAIL) == KEPT_BACK


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("+33 6 12 34 56 78 is no number", "0033612345678"[2:]),
        ("33612345678", "+33 (6) 12-34-56-78"),
        ("Bo is no name", "Bo"),
        ("income 73120 is too high", 73120),
        ("member: true", True),
        (readable(f"cannot store: {NOTE}"), NOTE),
        (html.escape("<Zoë>"), "Zoë"),
        ("city Zürich", {"home": {"city": "Zürich"}}),
    ],
)
def test_words_that_quote_any_other_value_are_kept_back(words: str, value: object) -> None:
    assert told(words, value) == KEPT_BACK


def test_words_about_somebody_else_are_kept_back_where_values_are_classified() -> None:
    assert told("already used by bob@example.org", "x") == KEPT_BACK
    assert told("already used by 85-07-30-033-61", "x") == KEPT_BACK
    assert unquoted("already used by bob@example.org", []) == "already used by bob@example.org"


@pytest.mark.parametrize("words", ["", "the address is not valid", "http_400", "value too long (max 40)"])
def test_words_that_quote_nothing_are_shown(words: str) -> None:
    assert told(words, EMAIL, "Ada", 73120, None, "", "  ") == words
    assert unquoted(words, [None]) == words


LETTERS = st.characters(categories=("L", "N"))


@given(
    value=st.tuples(st.text(), st.text(LETTERS, min_size=4), st.text()).map("".join),
    before=st.text(max_size=9),
    after=st.text(max_size=9),
)
@examples(100)
def test_a_value_that_stands_anywhere_is_found(value: str, before: str, after: str) -> None:
    assert told(f"{before} {value} {after}", value) == KEPT_BACK
    assert told(readable(f"{before} {value} {after}"), value) == KEPT_BACK
