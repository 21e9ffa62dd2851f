"""A destination's code stands in the ledger only where it is one: never a value of a record, and never without end."""

from __future__ import annotations

import base64

import pytest

from engine.delivery.codes import CODES_MAX, OTHER, code_of, counted

SENT = (
    "k-77",
    '{"external_id":"k-77"}',
    '{"email":"ada@example.org","ltv":73120.5,"tags":["gold-member"],"city":"FR"}',
)


@pytest.mark.parametrize(
    "code", ["http_400", "invalid_email", "INVALID-VALUE", "40.1", "urn:x/y", "email", "ltv", "731"]
)
def test_a_code_is_kept(code: str) -> None:
    assert code_of(code, SENT) == code


@pytest.mark.parametrize(
    "code",
    [
        "",
        "ada@example.org",
        "two words",
        "k-77",
        "dup.K-77",
        "73120.5",
        "no.gold-member",
        "fr",
        "x" * 65,
        "é",
        "a\nb",
        base64.b64encode(b"k-77 ada@example.org").decode(),
        "0x" + b"ada@example.org".hex(),
    ],
)
def test_what_is_no_code_or_quotes_the_record_is_another(code: str) -> None:
    assert code_of(code, SENT) == OTHER


def test_codes_are_counted_and_the_rare_ones_together() -> None:
    assert counted(["a", "b", "a", "not a code"]) == {"a": 2, "b": 1, OTHER: 1}
    many = counted([*(f"code_{n}" for n in range(100)), "often", "often"])
    assert len(many) == CODES_MAX + 1
    assert (many["often"], sum(many.values())) == (2, 102)
