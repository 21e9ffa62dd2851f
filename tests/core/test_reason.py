"""A reason that is kept for ever names nobody."""

from __future__ import annotations

import pytest

from engine.core.reason import LETTERS_MAX, check_reason, naming
from engine.errors import ConfigurationError


@pytest.mark.parametrize(
    ("people", "reason"),
    [
        (["42"], "request of 42"),
        (["42"], "42, who asked on Monday"),
        (["Ada Lovelace"], "ada lovelace asked"),
        (["c-4711"], "ticket/c-4711/closed"),
        ([" Bo "], "for Bo."),
        (["nobody of them"], "asked by ada@example.org"),
        (["x"], "a" * (LETTERS_MAX + 1)),
    ],
)
def test_a_reason_that_names_one_of_them_or_an_address_or_is_too_long_is_refused(
    people: list[str], reason: str
) -> None:
    with pytest.raises(ConfigurationError):
        check_reason(reason, naming(people), safe="Nothing was written.")


@pytest.mark.parametrize("reason", ["request 17", "requests of May 42b", "ticket 142"])
def test_a_reason_that_says_why_and_not_who_is_taken(reason: str) -> None:
    check_reason(reason, naming(["42", "ada@example.org"]), safe="Nothing was written.")
