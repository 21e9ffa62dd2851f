"""Processes that have the command line loaded when they are born: real ones, to be killed, without the wait of a start.

A server imports the commands once, with what they import when it is first needed, and forks for every call; it has no
threads, no open file of a project and no state of another call. Only what every start does alike is shared. Tests of the
start itself use `tests.cli.door` or a process anew.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import destinations.webhook  # noqa: F401 - loaded for those that are forked
import engine.faces.cli.decide
import engine.faces.cli.forget
import engine.faces.cli.garbage
import engine.faces.cli.halt
import engine.faces.cli.look
import engine.faces.cli.quarantine
import engine.faces.cli.run
import engine.faces.cli.undo
import engine.sources.files  # noqa: F401 - loaded for those that are forked
from engine import failpoints
from engine.faces.cli.main import main

ROOT = Path(__file__).parent.parent
LATE = (
    "anyio._backends._asyncio",
    "fsspec.implementations.local",
    "httpcore",
    "ibis.expr.types.groupby",
    "orjson",
    "pandas",
)
"""What libraries import when they are first used, which takes as long as a small sync."""
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__, *LATE])


def _command(arguments: Sequence[str], env: Mapping[str, str], out: str, err: str) -> None:
    assert Path(failpoints.__file__).is_relative_to(ROOT), "the server loaded another checkout"
    for path, number in ((out, 1), (err, 2)):
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    gc.freeze()
    os.environ.clear()
    os.environ.update(env)
    failpoints._points = failpoints._parse(env.get(failpoints.VARIABLE, ""))
    main(arguments)


class Forked:
    """One command in a process of its own; the part of `subprocess.Popen` that tests use."""

    def __init__(self, arguments: Sequence[str], env: Mapping[str, str]) -> None:
        self._files = tempfile.TemporaryDirectory(prefix="tidegate-forked-")
        self._out, self._err = (Path(self._files.name) / name for name in ("out", "err"))
        for path in (self._out, self._err):
            path.touch()
        told = (list(arguments), dict(env), str(self._out), str(self._err))
        self._process = _context.Process(target=_command, args=told, daemon=True)
        self._process.start()
        self._said: tuple[str, str] | None = None

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """As `subprocess` counts: minus the number of the signal that ended it; None while it runs."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired("tidegate", timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Wait for the end, and return what was printed."""
        self.wait(timeout)
        if self._said is None:
            self._said = (self._out.read_text(encoding="utf-8"), self._err.read_text(encoding="utf-8"))
            self._files.cleanup()
        return self._said

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
