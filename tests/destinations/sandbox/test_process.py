"""The sandbox as a process: how it starts, how it ends, and what is left when it is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from destinations.sandbox.server import CannotStartError, running
from tests.destinations.sandbox.visitor import Visitor, upsert, visiting
from tests.projects import ROOT

COMMAND = [sys.executable, "-m", "destinations.sandbox"]


@contextmanager
def process(store: Path) -> Iterator[tuple[subprocess.Popen[str], Visitor]]:
    """A sandbox in a process of its own; it is ended if the test did not end it."""
    command = [*COMMAND, "--port", "0", "--store", str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as started:
        assert started.stdout is not None
        try:
            url = started.stdout.readline().split()[2]
            with httpx.Client(base_url=url, trust_env=False, timeout=10) as client:
                yield started, Visitor(client)
        finally:
            started.kill()


def test_a_port_in_use_or_a_store_that_is_a_file_is_said_in_a_sentence(tmp_path: Path, sandbox: Visitor) -> None:
    (tmp_path / "file").write_text("x", encoding="utf-8")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "sandbox.db").write_text("this is no database", encoding="utf-8")

    for port, store in [(sandbox.http.base_url.port or 0, "free"), (0, "file"), (0, "broken")]:
        with pytest.raises(CannotStartError, match="cannot be used"), running(port, tmp_path / store):
            pass


@pytest.mark.parametrize("arguments", [["--port", "-1"], ["--port", "70000"], ["--rate", "0"], ["--rate", "nan"], []])
def test_an_argument_that_cannot_be_is_refused(arguments: list[str], tmp_path: Path) -> None:
    store = ["--store", str(tmp_path)] if arguments else []
    done = subprocess.run(
        [sys.executable, "-m", "destinations.sandbox", *arguments, *store],
        capture_output=True,
        cwd=ROOT,
        timeout=30,
        check=False,
    )

    assert done.returncode == 2
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_at_once_even_while_an_answer_is_late(tmp_path: Path, ending: signal.Signals) -> None:
    with process(tmp_path) as (started, sandbox), ThreadPoolExecutor(1) as pool:
        sandbox.switch({"kind": "slow", "seconds": 300})
        late = pool.submit(sandbox.send, upsert("1", a=1))
        while not sandbox.journal:
            assert not late.done()

        started.send_signal(ending)

        assert started.wait(60) == 0
        assert started.stderr is not None
        assert started.stderr.read() == ""
        with suppress(httpx.TransportError):
            assert late.result(10).status_code == 200
    with visiting(tmp_path) as again:
        assert again.held() == {"1": {"a": 1}}


@pytest.mark.crash
@pytest.mark.parametrize("kill_after", [1, 7, 40])
def test_a_sandbox_that_is_killed_kept_whole_batches_and_all_that_it_answered(tmp_path: Path, kill_after: int) -> None:
    """Four senders are in the middle of their batches when it dies."""
    answered: list[str] = []
    size = 50

    with process(tmp_path) as (started, sandbox):

        def send(sender: int) -> None:
            with suppress(httpx.TransportError):
                for number in range(1_000):
                    key = f"{sender}-{number}"
                    sandbox.send(*(upsert(f"{key}-{i}", n=i) for i in range(size)), key=key).raise_for_status()
                    answered.append(key)
                    if len(answered) >= kill_after:
                        started.send_signal(signal.SIGKILL)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(send, range(4)))
        assert started.wait(60) == -signal.SIGKILL

    with visiting(tmp_path) as again:
        kept = Counter(id.rpartition("-")[0] for id in again.held())
        noted = Counter(key for key, _, outcome in again.journal if outcome == "delivered")
        assert set(kept.values()) == {size}
        assert kept == noted
        assert set(answered) <= set(kept)
        key = answered[0]
        assert again.send(*(upsert(f"{key}-{i}", n=i) for i in range(size)), key=key).content == b"{}"
        assert again.send(upsert("new"), key="new").status_code == 200
