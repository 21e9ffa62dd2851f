"""A client that signs who it is in place of sending a secret (RFC 7523, 2.1)."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from pydantic import ValidationError

from destinations.base import AllDelivered, Unavailable
from destinations.jwt_bearer import JwtBearer
from tests.destinations.auth_world import TOKENS, Api, World
from tests.destinations.keys import pem_of, rsa_key

NOW = datetime(2026, 3, 1, 12, 0, 0, 999, tzinfo=UTC)


def login(**changed: Any) -> JwtBearer:
    usual = {
        "token_url": TOKENS,
        "client_id": "tidegate",
        "user": "sync@acme.example",
        "audience": "https://login.example",
    }
    return JwtBearer(**{**usual, "private_key": pem_of(rsa_key()), **changed})


def part(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_an_assertion_says_who_for_whom_to_whom_and_until_when_and_is_signed_with_the_key() -> None:
    header, claims, signature = login().asserted(NOW).split(".")

    assert json.loads(part(header)) == {"alg": "RS256", "typ": "JWT"}
    assert json.loads(part(claims)) == {
        "iss": "tidegate",
        "sub": "sync@acme.example",
        "aud": "https://login.example",
        "exp": int(NOW.timestamp()) + 120,
    }
    assert "=" not in header + claims + signature
    rsa_key().public_key().verify(part(signature), f"{header}.{claims}".encode(), PKCS1v15(), SHA256())
    with pytest.raises(InvalidSignature):
        rsa_key().public_key().verify(part(signature), f"{header}.e30".encode(), PKCS1v15(), SHA256())


def test_the_endpoint_is_sent_the_grant_and_the_assertion_and_nothing_else() -> None:
    world = World()
    world.clock.now = lambda: NOW  # type: ignore[method-assign]

    assert world.send(Api(login())) == AllDelivered()

    (asked,) = world.issuer.asked
    form = dict(parse_qsl(asked.content.decode()))
    assert form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": login().asserted(NOW),
    }
    assert "authorization" not in asked.headers


def test_each_attempt_is_signed_for_its_own_moment() -> None:
    """D8: one that was signed an hour ago, before the endpoint was down, is not taken any more."""
    world, api = World(), Api(login())
    world.issuer.answers = [httpx.Response(503)]
    world.clock.now = lambda: NOW  # type: ignore[method-assign]
    before = world.send(api)
    world.clock.now = lambda: NOW.replace(hour=13)  # type: ignore[method-assign]

    assert [type(reply) for reply in (before, world.send(api))] == [Unavailable, AllDelivered]
    ends = [
        json.loads(part(parse_qsl(asked.content.decode())[1][1].split(".")[1]))["exp"] for asked in world.issuer.asked
    ]
    assert ends[1] - ends[0] == 3600


NOT_A_KEY: dict[str, Callable[[], str]] = {
    "nothing": lambda: "",
    "a word": lambda: "hunter2",
    "with a password": lambda: pem_of(rsa_key(), b"hunter2"),
    "a public key's curve": lambda: pem_of(ec.generate_private_key(ec.SECP256R1())),
    "too short": lambda: pem_of(rsa_key(1024)),
    "cut short": lambda: pem_of(rsa_key())[:400],
}


@pytest.mark.parametrize("how", NOT_A_KEY)
def test_a_key_that_cannot_sign_is_refused_as_configuration_and_not_shown(how: str) -> None:
    key = NOT_A_KEY[how]()

    with pytest.raises(ValidationError) as refused:
        login(private_key=key)

    assert "must be a" in str(refused.value)
    assert not key or key not in str(refused.value)


def test_the_key_shows_nowhere() -> None:
    assert "PRIVATE KEY" not in repr(login()) + str(login().model_dump())
