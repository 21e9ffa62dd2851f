"""Processes that run one command of Tidegate and may be killed, stopped and continued at any moment.

A warm one is forked from a server that has imported the engine, which saves the second that most of a cold start is
spent on; from the first line of the command on, both are the same: a process of its own, with its own files and sockets.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from engine import failpoints
from engine.faces.cli.main import main
from engine.ledger import holder
from engine.steps import sync_lease

POLL_SECONDS = 0.002
RUN_SECONDS_MAX = 90.0
PRELOADED = [
    "chaos_lab.blows",  # with all that the script imports, since every process imports the script again
    "destinations.webhook",
    "engine.bootstrap",
    "engine.faces.cli.ledger",
    "engine.faces.cli.run",
    "engine.ledger.migrate",
    "engine.sources.files",
    "ibis.backends.duckdb",
    # What a run imports only when it first sends.
    "anyio._backends._asyncio",
    "certifi",
    "httpcore._async.http11",
    "pyarrow_hotfix",
    "stringprep",
]
STOPPED = "T"


@dataclass(frozen=True, slots=True)
class Setting:
    """What no operator can choose: the length of a run's lease, and the name of the machine it believes to be on."""

    lease_seconds: float = sync_lease.LEASE_SECONDS
    host: str | None = None


class TookTooLongError(Exception):
    """A process did not end in `RUN_SECONDS_MAX`; it was killed."""


class _Process(Protocol):
    @property
    def pid(self) -> int | None: ...

    def code(self, seconds: float) -> int | None:
        """Its exit code, negative for a signal; None while it still lives after ``seconds``."""
        ...


class Running:
    """One process and what it printed."""

    def __init__(self, process: _Process, said: Path) -> None:
        self._process = process
        self._said = said

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.code(0) is not None

    def wait(self, seconds: float = RUN_SECONDS_MAX) -> int:
        """Its exit code. Raises `TookTooLongError`."""
        code = self._process.code(seconds)
        if code is None:
            self.kill()
            raise TookTooLongError(f"still running after {seconds:.0f} s: {self.said}")
        return code

    def kill(self) -> bool:
        """Kill it at once; whether it was still alive."""
        self._signal(signal.SIGKILL)
        return self._process.code(RUN_SECONDS_MAX) == -signal.SIGKILL

    def stop(self) -> bool:
        """Stop it where it is; whether it was still alive."""
        self._signal(signal.SIGSTOP)
        return self.await_stop()

    def await_stop(self) -> bool:
        """Wait until it stands still, by a signal or by itself; false when it ended instead."""
        while not self.ended:
            with suppress(FileNotFoundError, ProcessLookupError):
                if Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] == STOPPED:
                    return True
            time.sleep(POLL_SECONDS)
        return False

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if not self.ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    @property
    def said(self) -> str:
        return self._said.read_text(encoding="utf-8", errors="replace")

    @property
    def report(self) -> dict[str, Any]:
        """The one report of a ``run --json`` that came to its end; empty when it said something else."""
        try:
            reports = json.loads(self.said)
        except json.JSONDecodeError:
            return {}
        return dict(reports[0]) if isinstance(reports, list) and reports else {}


class _Warm:
    def __init__(self, process: multiprocessing.process.BaseProcess) -> None:
        self._process = process

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def code(self, seconds: float) -> int | None:
        self._process.join(seconds)
        return self._process.exitcode


class _Cold:
    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int | None:
        return self._process.pid

    def code(self, seconds: float) -> int | None:
        try:
            return self._process.wait(seconds) if seconds else self._process.poll()
        except subprocess.TimeoutExpired:
            return None


class Processes:
    """Starts processes; made by `starting`."""

    def __init__(self, context: multiprocessing.context.ForkServerContext, folder: Path) -> None:
        self._context = context
        self._folder = folder
        self._started = 0
        self._living: list[Running] = []

    def end(self) -> None:
        """Kill what still lives: a process that stands still would be waited for without end."""
        for running in self._living:
            running.kill()

    def warm(self, arguments: Sequence[str], environment: Mapping[str, str], setting: Setting) -> Running:
        said = self._next_file()
        process = self._context.Process(target=_enter, args=(list(arguments), dict(environment), setting, str(said)))
        process.start()
        return self._kept(Running(_Warm(process), said))

    def cold(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Running:
        said = self._next_file()
        command = [sys.executable, "-m", "engine.faces.cli", *arguments]
        with said.open("wb") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **environment})
        return self._kept(Running(_Cold(process), said))

    def _kept(self, running: Running) -> Running:
        self._living = [*(one for one in self._living if not one.ended), running]
        return running

    def _next_file(self) -> Path:
        self._started += 1
        said = self._folder / f"said-{self._started % 256}"  # a few processes live at once
        said.write_bytes(b"")
        return said


def _enter(arguments: list[str], environment: dict[str, str], setting: Setting, said: str) -> None:
    file = os.open(said, os.O_WRONLY)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ.update(environment)
    # The server imported the module before this process knew what it is to arm.
    failpoints._points = failpoints._parse(environment.get(failpoints.VARIABLE, ""))  # noqa: SLF001
    sync_lease.LEASE_SECONDS = setting.lease_seconds
    if setting.host is not None:
        holder.socket.gethostname = lambda: setting.host
    main(arguments)


@contextmanager
def starting(root: Path, folder: Path) -> Iterator[Processes]:
    """Processes of the checkout ``root``, which share nothing of this one's ``TIDEGATE_*`` environment."""
    for name in [name for name in os.environ if name.startswith("TIDEGATE_")]:
        del os.environ[name]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(root), str(root / "scripts")])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    processes = Processes(context, folder)
    try:
        yield processes
    finally:
        processes.end()


def waited(seconds: float, running: Running) -> bool:
    """Wait, but not beyond the process's end; whether it still lives."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until and not running.ended:
        time.sleep(POLL_SECONDS)
    return not running.ended
