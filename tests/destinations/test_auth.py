"""Authorisation over the engine's transport: when a token is asked for, how often, and what its refusals come to."""

from __future__ import annotations

import asyncio
import json
import logging
from datetime import datetime

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from destinations.auth import Basic, Bearer
from destinations.base import (
    AllDelivered,
    Reply,
    Stop,
    Transport,
    Unavailable,
)
from engine.delivery.transport import Metered
from tests.destinations.auth_world import LIFE, ONE, SECRET, Api, World, credentials


@pytest.fixture
def world() -> World:
    return World()


def test_a_static_token_is_attached_and_its_refusal_stops_at_once(world: World) -> None:
    api = Api(Bearer(token=SecretStr("made-by-hand")))

    reply = world.send(api)

    assert reply == Stop("http_401", "the credential is refused (401)")
    assert [request.headers["authorization"] for request in world.issuer.turned_away] == ["Bearer made-by-hand"]
    assert world.asked == 0


def test_a_user_and_a_password_are_attached_and_their_refusal_stops_at_once(world: World) -> None:
    """RFC 7617, 2: the example of the standard, whose password has no blank here."""
    api = Api(Basic(username="Aladdin", password=SecretStr("open:sesame")))

    reply = world.send(api)

    assert reply == Stop("http_401", "the credential is refused (401)")
    assert [r.headers["authorization"] for r in world.issuer.turned_away] == ["Basic QWxhZGRpbjpvcGVuOnNlc2FtZQ=="]
    assert world.asked == 0


def test_one_token_serves_all_batches_of_many_runs(world: World) -> None:
    api = Api(credentials())

    replies = [world.send(api) for _ in range(3)]

    assert replies == [AllDelivered()] * 3
    assert world.asked == 1


@pytest.mark.parametrize(("age", "asked"), [(LIFE / 2 - 1, 1), (LIFE / 2, 2), (LIFE * 3, 2)])
def test_a_token_is_renewed_at_half_its_life(world: World, age: float, asked: int) -> None:
    """D8: before it expires, so that no call is refused for it."""
    api = Api(credentials())
    world.send(api)
    world.clock.seconds = age

    assert world.send(api) == AllDelivered()
    assert (world.asked, len(world.issuer.turned_away)) == (asked, 0)


def test_a_token_that_cannot_be_renewed_early_serves_until_a_minute_is_left(world: World) -> None:
    api = Api(credentials())
    world.send(api)
    world.issuer.answers = [httpx.Response(503) for _ in range(100)]

    for second in range(int(LIFE / 2), int(LIFE - 60), 10):
        world.clock.seconds = second
        assert world.send(api) == AllDelivered()
    world.clock.seconds = LIFE - 60
    asked = world.asked

    assert isinstance(world.send(api), Unavailable)
    assert asked < 20, "an endpoint that is down is not asked by every call"


@pytest.mark.parametrize("life", [None, 0, -5, "3600", 1e308])
def test_a_life_that_is_not_told_ends_with_a_refusal(world: World, life: object) -> None:
    """C5: how long a token lives is told by the server, and by no date that two clocks would have to agree on."""
    token = json.dumps({"access_token": "t1", "expires_in": life})
    world.issuer.answers = [httpx.Response(200, content=token)]
    api = Api(credentials())

    assert world.send(api) == AllDelivered()
    assert (world.asked, len(world.issuer.turned_away)) == (2, 1)


def test_many_batches_wait_for_one_token(world: World) -> None:
    """D8: single-flight."""
    api = Api(credentials())

    assert world.run(lambda transport: at_once(world, api, transport)) == [AllDelivered()] * 20
    assert world.asked == 1


def test_many_batches_that_are_refused_together_renew_once(world: World) -> None:
    """D8: whoever finds another token than the refused one just sends that."""
    api = Api(credentials())
    world.issuer.calls_left = [1]
    world.send(api)

    assert world.run(lambda transport: at_once(world, api, transport)) == [AllDelivered()] * 20
    assert (world.asked, len(world.issuer.turned_away)) == (2, 20)


def test_many_batches_that_nobody_authorises_ask_once_and_stop(world: World) -> None:
    api = Api(credentials())
    world.issuer.is_closed = True

    replies = world.run(lambda transport: at_once(world, api, transport))

    assert {type(reply) for reply in replies} == {Stop}
    assert world.asked == 2
    assert len(world.issuer.turned_away) <= 40, "each batch is repeated once at most"


def test_an_outage_of_the_token_endpoint_is_found_out_once_for_all_who_wait(world: World) -> None:
    api = Api(credentials())
    world.issuer.answers = [httpx.Response(500) for _ in range(20)]

    replies = world.run(lambda transport: at_once(world, api, transport))

    message = "the token endpoint answered 500"
    assert replies == [Unavailable("auth_http_500", message, applied_unknown=False)] * 20
    assert world.asked == 1
    assert world.taken == []


async def at_once(world: World, api: Api, transport: Transport) -> list[Reply]:
    """Twenty batches, all of which are under way before the token endpoint answers."""
    world.gate = asyncio.Event()
    tasks = [asyncio.create_task(api.send(ONE, transport)) for _ in range(20)]
    for _ in range(50):
        await asyncio.sleep(0)
    world.gate.set()
    return await asyncio.gather(*tasks)


def test_a_call_that_is_repeated_is_signed_anew_and_else_the_same(world: World) -> None:
    class Signing(Api):
        signed = 0

        def sign(self, request: httpx.Request, now: datetime) -> httpx.Request:
            self.signed += 1
            request.headers["x-signature"] = f"{self.signed} of {request.headers['authorization']}"
            return request

    world.issuer.calls_left = [0]

    assert world.send(Signing(credentials())) == AllDelivered()
    (first,), (second,) = world.issuer.turned_away, world.taken
    assert first.content == second.content
    old, new = world.issuer.issued
    assert [r.headers["x-signature"] for r in (first, second)] == [f"1 of Bearer {old}", f"2 of Bearer {new}"]


def test_a_refusal_in_the_middle_of_a_talk_leaves_in_doubt_what_came_before(world: World) -> None:
    """I5: a first call was answered; that the second may not be made says nothing of the first."""
    world.issuer.calls_left = [1, 0]

    reply = world.send(Api(credentials(), calls=2))

    assert isinstance(reply, Stop)
    assert reply.applied_unknown
    assert (world.asked, len(world.taken)) == (2, 1)


def test_a_token_that_was_taken_for_a_while_is_renewed_as_often_as_it_expires(world: World) -> None:
    api = Api(credentials())
    world.issuer.calls_left = [1, 2, 2]

    assert [world.send(api) for _ in range(6)] == [AllDelivered()] * 6
    assert (world.asked, len(world.issuer.turned_away)) == (4, 3)


def test_a_refusal_that_comes_late_finds_the_token_that_another_batch_got(world: World) -> None:
    """D8: the refused token is no longer the current one, so it is not renewed again."""
    api, is_refused, is_over = Api(credentials()), asyncio.Event(), asyncio.Event()

    class Late(World):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            answer = await super().handle_async_request(request)
            if answer.status_code == 401 and not is_refused.is_set():
                is_refused.set()
                await is_over.wait()
            return answer

    late = Late(world.issuer)
    late.issuer.calls_left = [1]
    late.send(api)

    async def both(transport: Transport) -> list[Reply]:
        first = asyncio.create_task(api.send(ONE, transport))
        await is_refused.wait()
        second = await api.send(ONE, transport)
        is_over.set()
        return [await first, second]

    assert late.run(both) == [AllDelivered()] * 2
    assert (late.asked, len(late.issuer.turned_away)) == (2, 2)


def test_a_run_after_one_that_was_stopped_tries_again(world: World) -> None:
    api = Api(credentials())
    world.issuer.is_closed = True
    stopped = world.send(api)
    world.issuer.is_closed = False

    assert isinstance(stopped, Stop)
    assert world.send(api) == AllDelivered()


def test_a_call_for_a_token_is_counted_with_the_batch_that_needed_it(world: World) -> None:
    async def counted(transport: Transport) -> int:
        meter = Metered(transport)
        await Api(credentials()).send(ONE, meter)
        return meter.requests

    assert world.run(counted) == 2


@settings(deadline=None)  # an example is as slow as the machine is busy
@given(st.lists(st.sampled_from(["send", "expire", "hour", "outage"]), max_size=12))
def test_whatever_happens_a_call_that_is_answered_was_taken_once(steps: list[str]) -> None:
    """D8, with every order of expiry, time and outage: no call twice, and no more than one renewal for each refusal."""
    world = World()
    api = Api(credentials())
    delivered = 0
    for step in steps:
        match step:
            case "expire":
                world.issuer.forget()
            case "hour":
                world.clock.seconds += LIFE
            case "outage":
                world.issuer.answers = [httpx.Response(503)]
            case _:
                reply = world.send(api)
                delivered += reply == AllDelivered()
                assert isinstance(reply, AllDelivered | Unavailable)

    assert len(world.taken) == delivered
    assert world.asked <= 2 * steps.count("send")
    assert len(world.issuer.turned_away) <= steps.count("expire")


def test_no_token_shows_in_what_is_logged_said_or_represented(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """I24."""
    caplog.set_level(logging.DEBUG)
    api = Api(credentials())
    world.send(api)
    world.issuer.is_closed = True

    said = [repr(world.send(api)), repr(api), repr(vars(api)), repr(credentials()), caplog.text]
    said += [f"{value!r} {vars(value)}" for value in vars(api).values() if hasattr(value, "__dict__")]

    assert "Tokens" in "".join(said), "the object that holds them was looked at"
    assert [text for secret in (*world.issuer.issued, SECRET) for text in said if secret in text] == []
