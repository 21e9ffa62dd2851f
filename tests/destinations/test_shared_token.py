"""An access token that processes share: one renewal for each expiry, and nothing in clear."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from destinations.auth import RefreshToken
from destinations.base import AllDelivered, Stop, Unavailable
from destinations.jwt_bearer import JwtBearer
from destinations.testing.issuer import Issuer
from tests.destinations.auth_world import LIFE, SECRET, TOKENS, Api, World, credentials, served
from tests.destinations.keys import pem_of, rsa_key

ROOT = Path(__file__).parents[2]


@pytest.fixture
def world() -> World:
    """Its issuer takes the older token back with each new one."""
    found = World()
    found.issuer.is_jealous = True
    return found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "access-token"


def process(file: Path | None, **changed: Any) -> Api:
    """The adapter as another process has it: it knows what stands in the file, and nothing else."""
    return Api(credentials(access_token_file=file, **changed))


def aged(file: Path, seconds: float) -> None:
    """Let the file have been written so long ago."""
    written = file.stat().st_mtime - seconds
    os.utime(file, (written, written))


def test_a_second_process_uses_the_token_of_the_first(world: World, file: Path) -> None:
    assert [world.send(process(file)) for _ in range(3)] == [AllDelivered()] * 3
    assert world.asked == 1


def test_processes_do_not_take_the_account_from_each_other(world: World, file: Path) -> None:
    """D9: the issuer takes the older token back, and without a file each call would be refused once."""
    sharing, alone = [process(file) for _ in range(3)], [process(None) for _ in range(3)]

    for api in sharing * 4:
        assert world.send(api) == AllDelivered()
    asked, refused = world.asked, len(world.issuer.turned_away)
    for api in alone * 4:
        world.send(api)

    assert (asked, refused) == (1, 0)
    assert world.asked - asked > 4


@pytest.mark.parametrize(("age", "asked"), [(LIFE / 2 - 5, 1), (LIFE / 2 + 5, 2), (LIFE * 3, 2)])
def test_a_token_is_renewed_at_half_its_life_by_whoever_finds_it_due(
    world: World, file: Path, age: float, asked: int
) -> None:
    world.send(process(file))
    aged(file, age)

    assert [world.send(process(file)) for _ in range(3)] == [AllDelivered()] * 3
    assert (world.asked, len(world.issuer.turned_away)) == (asked, 0)


def test_a_process_whose_token_is_due_takes_the_one_that_another_got(world: World, file: Path) -> None:
    one, other = process(file), process(file)
    for api in (one, other):
        world.send(api)
    world.clock.seconds = LIFE / 2
    aged(file, LIFE / 2)

    assert [world.send(api) for api in (one, other, one, other)] == [AllDelivered()] * 4
    assert (world.asked, len(world.issuer.turned_away)) == (2, 0)


def test_processes_that_are_refused_renew_once(world: World, file: Path) -> None:
    """D8."""
    apis = [process(file) for _ in range(4)]
    for api in apis:
        world.send(api)
    world.issuer.forget()

    assert [world.send(api) for api in apis] == [AllDelivered()] * 4
    assert world.asked == 2
    assert len(world.issuer.turned_away) == 4, "each learns of it by one call"


def test_a_token_of_the_file_that_is_refused_as_well_costs_one_more_try(world: World, file: Path) -> None:
    """Both are old: that of the process, and the one that another process got and that has expired since."""
    one, other = process(file), process(file)
    for api in (one, other):
        world.send(api)
    world.issuer.forget()
    world.send(other)
    world.issuer.forget()

    assert world.send(one) == AllDelivered()
    assert (world.asked, len(world.issuer.turned_away)) == (3, 3)


def test_where_no_token_is_taken_each_process_stops(world: World, file: Path) -> None:
    world.issuer.is_closed = True

    replies = [world.send(process(file)) for _ in range(3)]

    assert {type(reply) for reply in replies} == {Stop}
    assert world.asked <= 2 * 3
    assert len(world.issuer.turned_away) <= 3 * 3


def test_an_outage_of_the_endpoint_leaves_the_file_as_it_is(world: World, file: Path) -> None:
    world.send(process(file))
    before = file.read_bytes()
    aged(file, LIFE)
    world.issuer.answers = [httpx.Response(503)]

    assert isinstance(world.send(process(file)), Unavailable)
    assert file.read_bytes() == before
    assert world.send(process(file)) == AllDelivered()


@pytest.mark.parametrize("content", [b"", b"{}", b"gAAAA", b"\xff" * 100], ids=repr)
def test_a_file_that_nobody_can_open_is_written_anew(world: World, file: Path, content: bytes) -> None:
    file.write_bytes(content)
    file.chmod(0o600)

    assert [world.send(process(file)) for _ in range(2)] == [AllDelivered()] * 2
    assert world.asked == 1


@pytest.mark.parametrize("changed", [{"client_secret": "another"}, {"scope": "less"}, {"client_id": "somebody"}])
def test_a_token_of_another_credential_is_not_used(file: Path, changed: dict[str, str]) -> None:
    world = World()
    world.send(process(file))

    assert world.send(process(file, **changed)) == AllDelivered()
    assert world.asked == 2


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda file: file.chmod(0o640), "may be read by others; give it the mode 0600"),
        (lambda file: Path(f"{file}.new").mkdir(), "cannot be written (Is a directory)"),
        (
            lambda file: Path(f"{file}.lock").chmod(0o600) or file.unlink() or file.mkdir(),
            "cannot be read (Is a directory)",
        ),
    ],
)
def test_a_file_that_cannot_be_used_stops_the_run_before_a_token_is_asked_for(
    world: World, file: Path, spoil: Any, message: str
) -> None:
    world.send(process(file))
    aged(file, LIFE)
    spoil(file)

    assert world.send(process(file)) == Stop("auth_file", f"{file} {message}")
    assert world.asked == 1


def test_nothing_stands_in_clear_in_a_file_a_log_or_an_error(
    world: World, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """I24."""
    caplog.set_level(logging.DEBUG)
    api = process(file)
    world.send(api)
    written = b"".join(path.read_bytes() for path in file.parent.iterdir())
    file.chmod(0o644)
    said = [repr(world.send(process(file))), repr(vars(api)), caplog.text]

    secrets = [*world.issuer.issued, SECRET]
    assert [secret for secret in secrets if secret.encode() in written] == []
    assert [secret for secret in secrets for text in said if secret in text] == []
    assert len(written) > 100


def test_the_file_is_for_its_owner_alone(world: World, file: Path) -> None:
    world.send(process(file))

    assert {path.name: path.stat().st_mode & 0o777 for path in file.parent.iterdir()} == {
        "access-token": 0o600,
        "access-token.lock": 0o600,
    }


def test_without_a_file_nothing_is_kept(world: World, tmp_path: Path) -> None:
    world.send(process(None))

    assert list(tmp_path.iterdir()) == []


def test_a_refresh_token_that_is_replaced_at_each_use_is_used_once_for_all(file: Path, tmp_path: Path) -> None:
    """D9."""
    world, kept = World(Issuer(TOKENS, "the-first-refresh-token")), tmp_path / "refresh-token"
    kept.write_text("the-first-refresh-token")
    kept.chmod(0o600)

    def refreshing() -> Api:
        return Api(
            RefreshToken(token_url=TOKENS, client_id="tidegate", refresh_token_file=kept, access_token_file=file)
        )

    assert [world.send(refreshing()) for _ in range(3)] == [AllDelivered()] * 3
    world.issuer.forget()
    assert [world.send(refreshing()) for _ in range(3)] == [AllDelivered()] * 3
    assert world.asked == 2


def test_a_key_pair_shares_its_token_too(world: World, file: Path) -> None:
    login = JwtBearer(
        token_url=TOKENS,
        client_id="tidegate",
        user="u",
        audience="https://login.example",
        private_key=pem_of(rsa_key()),
        access_token_file=file,
    )

    assert [world.send(Api(login)) for _ in range(3)] == [AllDelivered()] * 3
    assert world.asked == 1


@pytest.mark.slow
def test_real_processes_renew_once_for_each_expiry(file: Path) -> None:
    """D8, D9: each token is good for ten calls of all together, and takes the one before back."""
    issuer = Issuer("")
    issuer.is_jealous, issuer.calls_left = True, [10] * 100
    with served(issuer) as world:
        command = [sys.executable, "-m", "tests.destinations.auth_sharing_process", str(file), world.address, "15"]
        processes = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
        said = [one.communicate(timeout=120)[0].strip() for one in processes]

    assert said == ["AllDelivered()"] * 4
    assert world.taken == 60
    assert len(issuer.asked) == 6, "sixty calls, ten a token"
