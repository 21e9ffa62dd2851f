"""Token endpoints: what they are sent, and what their answers and refusals come to."""

from __future__ import annotations

import json
from urllib.parse import parse_qsl

import httpx
import pytest
from pydantic import ValidationError

from destinations.auth import ClientProof
from destinations.base import (
    Stop,
    Unavailable,
)
from tests.destinations.auth_world import SECRET, Api, World, credentials


@pytest.fixture
def world() -> World:
    return World()


OF_THE_USER = "invalid_grant): correct what it says of its user or its key, and let the client be approved"
OF_THE_CLIENT = "invalid_client): correct its `client_id` and what proves the client"
REFUSED = [
    (400, {"error": "invalid_grant"}, OF_THE_USER),
    (401, {"error": "invalid_client"}, OF_THE_CLIENT),
    (400, {"error": SECRET, "error_description": SECRET}, "http_400)"),
    (400, {"error": ["invalid_client"]}, "http_400)"),
    (403, "<h1>no</h1>", "http_403)"),
    (302, "", "http_302)"),
    (200, {"error": "invalid_client"}, OF_THE_CLIENT),
]


@pytest.mark.parametrize(("status", "body", "words"), REFUSED)
def test_a_refused_credential_stops_the_run_with_what_helps_and_no_word_of_the_answer(
    world: World, status: int, body: object, words: str
) -> None:
    world.issuer.answers = [httpx.Response(status, content=body if isinstance(body, str) else json.dumps(body))]

    reply = world.send(Api(credentials()))

    code = f"auth_{words.partition(')')[0]}"
    assert reply == Stop(code, f"the token endpoint refuses the credential ({words}")
    assert (world.asked, world.taken) == (1, [])


UNREADABLE = [
    b"",
    b"[]",
    b"\xff\xfe",
    b"[" * 100_000,
    b'{"access_token": 7}',
    b'{"access_token": ""}',
    b'{"access_token": "two words"}',
    b'{"access_token": "a\\r\\nx-evil: 1"}',
    b'{"access_token": "t", "refresh_token": "a b"}',
    b'{"access_token": "t", "expires_in": "soon"}',
    b'{"access_token": "t", "expires_in": [1]}',
    b'{"access_token": "t", "token_type": "mac"}',
]


@pytest.mark.parametrize("content", UNREADABLE, ids=lambda content: repr(content[:50]))
def test_an_answer_without_a_token_is_worth_another_try_and_nothing_left(world: World, content: bytes) -> None:
    world.issuer.answers = [httpx.Response(200, content=content)]

    reply = world.send(Api(credentials()))

    assert isinstance(reply, Unavailable)
    assert (reply.code, reply.applied_unknown, world.taken) == ("auth_bad_answer", False, [])


def test_a_token_request_that_goes_unanswered_applied_nothing(world: World) -> None:
    class Deaf(World):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise httpx.ReadTimeout("the name of a secret", request=request)

    reply = Deaf().send(Api(credentials()))

    assert reply == Unavailable("no_answer", "the token endpoint: no whole answer (ReadTimeout)", applied_unknown=False)


@pytest.mark.parametrize("proof", list(ClientProof))
def test_the_client_proves_itself_in_the_header_or_in_the_body(world: World, proof: ClientProof) -> None:
    """RFC 6749, 2.3.1 and 4.4.2."""
    auth = credentials(proof=proof, scope="contacts.write", parameters={"audience": "https://api.example/"})

    world.send(Api(auth))

    (asked,) = world.issuer.asked
    form = dict(parse_qsl(asked.content.decode()))
    inside = {"client_id": "tidegate", "client_secret": SECRET}
    common = {"grant_type": "client_credentials", "scope": "contacts.write", "audience": "https://api.example/"}
    basic = "Basic dGlkZWdhdGU6YStjbGllbnQrc2VjcmV0JTNBKzEwMCUyNSslMjYrbW9yZQ=="
    assert form == (common | inside if proof is ClientProof.BODY else common)
    assert asked.headers.get("authorization") == (None if proof is ClientProof.BODY else basic)


@pytest.mark.parametrize(
    "address", ["http://auth.example/token", "ftp://auth.example", "token", "https://u:p@auth.example/", "https://"]
)
def test_a_secret_is_sent_to_no_address_that_others_can_listen_at(address: str) -> None:
    with pytest.raises(ValidationError) as refused:
        credentials(token_url=address)

    assert SECRET not in str(refused.value)
