"""A refresh token that is good for one use: its successor is kept before it is used, by one process at a time."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from destinations import own_file
from destinations.auth import RefreshToken
from destinations.base import AllDelivered, Stop, Unavailable
from destinations.testing.issuer import Issuer
from tests.destinations.auth_world import LIFE, TOKENS, Api, Served, World, served

FIRST = "the-first-refresh-token"
ROOT = Path(__file__).parents[2]
NEEDS_ANOTHER = "the refresh token is refused (invalid_grant); put a new one into"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """The file, as somebody made it."""
    file = tmp_path / "refresh-token"
    file.write_text(f"{FIRST}\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def world() -> World:
    return World(Issuer(TOKENS, FIRST))


def api(file: Path) -> Api:
    return Api(RefreshToken(token_url=TOKENS, client_id="tidegate", refresh_token_file=file))


def test_each_successor_takes_the_place_of_the_token_before(world: World, kept: Path) -> None:
    one = api(kept)
    for _ in range(3):
        assert world.send(one) == AllDelivered()
        assert kept.read_text().strip() == world.issuer.refresh_token
        world.clock.seconds += LIFE

    assert world.asked == 3
    assert kept.stat().st_mode & 0o777 == 0o600
    assert sorted(path.name for path in kept.parent.iterdir()) == ["refresh-token", "refresh-token.lock"]


def test_a_server_that_keeps_its_refresh_token_leaves_the_file_as_it_is(kept: Path) -> None:
    before = kept.stat()

    assert World(Issuer(TOKENS)).send(api(kept)) == AllDelivered()
    assert (kept.read_text(), kept.stat().st_ino) == (f"{FIRST}\n", before.st_ino)


def test_the_successor_is_on_disk_before_its_access_token_is_used(world: World, kept: Path) -> None:
    """D9."""

    def looks(request: httpx.Request) -> None:
        if str(request.url) != TOKENS:
            assert kept.read_text().strip() == world.issuer.refresh_token

    world.watch = looks

    assert world.send(api(kept)) == AllDelivered()
    assert len(world.taken) == 1


def test_a_token_that_somebody_replaced_meanwhile_is_tried_once(world: World, kept: Path) -> None:
    """D9: whoever does not take the lock, such as a person, may have put another token there."""

    world.issuer.refresh_token = "another-one-that-somebody-got"

    def replaces(_: httpx.Request) -> None:
        kept.write_text(world.issuer.refresh_token)

    world.watch = replaces

    assert world.send(api(kept)) == AllDelivered()
    assert world.asked == 2


def test_a_refused_refresh_token_stops_the_run_and_names_the_file(world: World, kept: Path) -> None:
    world.issuer.refresh_token = "quite-another"

    assert world.send(api(kept)) == Stop("auth_invalid_grant", f"{NEEDS_ANOTHER} {kept}")
    assert (world.asked, kept.read_text()) == (1, f"{FIRST}\n")


UNUSABLE = {
    "readable by the group": (lambda file: file.chmod(0o640), "may be read by others; give it the mode 0600"),
    "readable by all": (lambda file: file.chmod(0o604), "may be read by others; give it the mode 0600"),
    "missing": (lambda file: file.unlink(), "cannot be read (No such file or directory)"),
    "empty": (lambda file: file.write_text(""), "does not hold one refresh token and nothing else"),
    "two lines": (lambda file: file.write_text("one\ntwo\n"), "does not hold one refresh token and nothing else"),
    "binary": (lambda file: file.write_bytes(b"\xff\x00"), "does not hold one refresh token and nothing else"),
    "huge": (lambda file: file.write_text("x" * 100_000), "does not hold one refresh token and nothing else"),
    "not to be replaced": (lambda file: Path(f"{file}.new").mkdir(), "cannot be written (Is a directory)"),
}


@pytest.mark.parametrize("how", UNUSABLE)
def test_a_file_that_cannot_be_used_is_found_out_before_the_server_takes_the_token_back(
    world: World, kept: Path, how: str
) -> None:
    spoil, message = UNUSABLE[how]
    spoil(kept)

    assert world.send(api(kept)) == Stop("auth_file", f"{kept} {message}")
    assert world.asked == 0


def test_a_successor_that_cannot_be_kept_is_not_used(world: World, kept: Path) -> None:
    """D9: stored before used."""

    world.watch = lambda _: Path(f"{kept}.new").mkdir(exist_ok=True)

    assert world.send(api(kept)) == Stop("auth_file", f"{kept} cannot be written (Is a directory)")
    assert world.taken == []


def test_a_file_that_another_process_does_not_let_go_of_is_given_up_and_no_call_leaves(
    world: World, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_file, "TURN_SECONDS_MAX", 0.2)
    with Path(f"{kept}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        reply = world.send(api(kept))

    assert reply == Unavailable("auth_busy", "another process is renewing the token", applied_unknown=False)
    assert (world.asked, world.taken) == (0, [])
    assert world.send(api(kept)) == AllDelivered()


def test_a_link_to_the_file_stays_a_link(world: World, kept: Path) -> None:
    link = kept.parent / "link"
    link.symlink_to(kept)

    assert world.send(api(link)) == AllDelivered()
    assert link.is_symlink()
    assert kept.read_text().strip() == world.issuer.refresh_token


def started(kept: Path, world: Served, count: int = 1) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.destinations.auth_process", str(kept), world.address, str(count)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    return process.communicate(timeout=60)[0].strip()


@pytest.mark.slow
def test_two_processes_use_each_token_once(kept: Path) -> None:
    """D9: each renews forty times, as fast as it can, and no token is used by both."""
    with served(Issuer("", FIRST)) as world:
        processes = [started(kept, world, 40) for _ in range(2)]

        assert [said(process) for process in processes] == ["AllDelivered()"] * 2

    assert (len(world.issuer.asked), world.taken) == (80, 80)
    assert kept.read_text().strip() == world.issuer.refresh_token


@pytest.mark.slow
def test_a_process_that_is_killed_before_it_heard_of_the_successor_costs_a_new_token_and_says_so(kept: Path) -> None:
    """D9: the server took the old token back, and the new one died with the process."""
    with served(Issuer("", FIRST)) as world:
        process = started(kept, world)
        world.before = lambda: os.kill(process.pid, signal.SIGKILL)
        assert said(process) == ""
        world.before = lambda: None

        stopped = said(started(kept, world))
        kept.write_text(world.issuer.refresh_token)
        again = said(started(kept, world))

    assert stopped == repr(Stop("auth_invalid_grant", f"{NEEDS_ANOTHER} {kept}"))
    assert again == "AllDelivered()"
    assert world.taken == 1


@pytest.mark.crash
def test_a_process_that_is_killed_while_it_keeps_the_successor_leaves_a_whole_token(kept: Path) -> None:
    """D9: killed from the moment of the answer on, the file holds the old token or the new one, and nobody is locked out."""
    with served(Issuer("", FIRST)) as world:
        for _ in range(3):
            before = kept.read_text().strip()
            process = started(kept, world)
            world.after = lambda process=process: os.kill(process.pid, signal.SIGKILL)
            assert said(process) == ""
            world.after = lambda: None
            after = kept.read_text().strip()
            assert after in {before, world.issuer.refresh_token}
            kept.write_text(world.issuer.refresh_token)

        assert said(started(kept, world)) == "AllDelivered()"


def test_a_token_that_expires_over_a_socket_is_renewed_once(kept: Path) -> None:
    """D8, in a process of its own."""
    issuer = Issuer("", FIRST)
    issuer.calls_left = [0]
    with served(issuer) as world:
        assert said(started(kept, world)) == "AllDelivered()"

    assert (len(issuer.asked), len(issuer.turned_away), world.taken) == (2, 1, 1)
