"""Where a token goes, when it is given up, and what becomes of a renewal that is cut short."""

from __future__ import annotations

import asyncio
import fcntl
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from destinations.auth import Basic, Bearer, RefreshToken
from destinations.base import AllDelivered, Batch, Reply, Stop, Transport, Unavailable
from destinations.http import Talk
from destinations.testing.issuer import Issuer
from tests.destinations.auth_world import ONE, TOKENS, Api, World, credentials

FIRST = "the-first-refresh-token"


class Elsewhere(Api):
    """Asks at an address that an answer might have named, and then again at its own."""

    def talk(self, batch: Batch) -> Talk[Reply]:
        yield self.encode(batch)
        yield httpx.Request("GET", "https://files.example/results")
        yield self.encode(batch)
        return AllDelivered()


class WithFiles(World):
    """Beside the API there is somebody else."""

    def __init__(self) -> None:
        super().__init__()
        self.elsewhere: list[httpx.Request] = []
        self.status = 200

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "files.example":
            return await super().handle_async_request(request)
        self.elsewhere.append(request)
        return httpx.Response(self.status)


def test_a_token_goes_only_where_the_first_call_goes() -> None:
    """D13: an address that an answer names may be anybody's."""
    world = WithFiles()

    assert world.send(Elsewhere(credentials())) == AllDelivered()
    assert ["authorization" in request.headers for request in world.elsewhere] == [False]
    assert (world.asked, len(world.taken)) == (1, 2)


def test_a_refusal_by_somebody_else_renews_nothing() -> None:
    world = WithFiles()
    world.status = 401

    reply = world.send(Elsewhere(credentials()))

    assert isinstance(reply, Stop)
    assert (reply.code, world.asked, len(world.elsewhere)) == ("http_401", 1, 1)


def test_a_run_after_one_that_was_stopped_begins_with_another_token() -> None:
    """The tokens that were refused are gone for good, such as after somebody gave the client its rights."""
    world, api = World(), Api(credentials())
    world.issuer.is_closed = True
    stopped = world.send(api)
    world.issuer.is_closed = False
    world.issuer.forget()

    assert isinstance(stopped, Stop)
    assert world.send(api) == AllDelivered()
    assert world.asked == 3


def test_a_token_that_was_refused_is_not_sent_again_while_there_is_no_other() -> None:
    """D8: an endpoint that is down turns one refusal into waiting, not into more refusals."""
    world, api = World(), Api(credentials())
    world.send(api)
    world.issuer.forget()
    world.issuer.answers = [httpx.Response(503), httpx.Response(503)]

    replies = [world.send(api) for _ in range(3)]

    assert [type(reply) for reply in replies] == [Unavailable, Unavailable, AllDelivered]
    assert len(world.issuer.turned_away) == 1


def test_while_no_call_is_answered_one_new_token_is_enough_to_stop() -> None:
    """D8: nobody renews twice for a credential that was refused with a fresh token before."""
    world, api = World(), Api(credentials())
    world.issuer.is_closed = True
    world.send(api)
    asked = world.asked

    assert isinstance(world.send(api), Stop)
    assert world.asked == asked + 1


@pytest.mark.parametrize("token", ["", "token\n", "two words", "t\r\nx-evil: 1", "töken"])
def test_a_static_token_that_no_header_can_carry_is_refused_as_configuration(token: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Bearer(token=SecretStr(token))

    assert "visible ASCII" in str(refused.value)
    assert not token.strip() or repr(token)[1:-1] not in str(refused.value)


@pytest.mark.parametrize(
    "pair", [("", "p"), ("u", ""), ("a:b", "p"), ("u", "p\r\n"), ("ü", "p"), ("u u", "p"), ("u", "pä")]
)
def test_a_user_or_a_password_that_no_header_can_carry_is_refused_as_configuration(pair: tuple[str, str]) -> None:
    username, password = pair

    with pytest.raises(ValidationError):
        Basic(username=username, password=SecretStr(password))


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    file = tmp_path / "refresh-token"
    file.write_text(FIRST)
    file.chmod(0o600)
    return file


def rotating(file: Path) -> Api:
    return Api(RefreshToken(token_url=TOKENS, client_id="tidegate", refresh_token_file=file))


async def begun(api: Api, transport: Transport) -> asyncio.Task[Reply]:
    """A batch that has come as far as it can."""
    task = asyncio.create_task(api.send(ONE, transport))
    for _ in range(50):
        await asyncio.sleep(0)
    return task


def test_a_run_that_is_ended_while_another_process_has_the_file_does_not_wait_for_it(kept: Path) -> None:
    world = World(Issuer(TOKENS, FIRST))

    async def ended(transport: Transport) -> bool:
        task = await begun(rotating(kept), transport)
        task.cancel()
        await asyncio.wait([task], timeout=5)
        return task.cancelled()

    with Path(f"{kept}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert world.run(ended)
    assert world.asked == 0


def test_a_run_that_is_ended_while_the_server_answers_keeps_the_successor(kept: Path) -> None:
    """D9: the server takes the old token back, whether or not anybody still wants the new one."""
    world = World(Issuer(TOKENS, FIRST))

    async def ended(transport: Transport) -> bool:
        world.gate = asyncio.Event()
        task = await begun(rotating(kept), transport)
        task.cancel()
        await asyncio.sleep(0)
        world.gate.set()
        await asyncio.wait([task])
        return task.cancelled()

    assert world.run(ended)
    assert (world.asked, kept.read_text().strip()) == (1, world.issuer.refresh_token)
    assert world.issuer.refresh_token != FIRST
