"""Processes that run one command of Tidegate under strace, which lets chosen system calls of theirs fail.

A process is forked from a server that has imported the engine and stops before its first line, so that calls are
counted from there on.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.faces.cli.main import main

PRELOADED = [
    "goals.disk",
    "destinations.webhook",
    "engine.bootstrap",
    "engine.faces.cli.run",
    "engine.ledger.migrate",
    "engine.sources.files",
    "ibis.backends.duckdb",
    "anyio._backends._asyncio",
    "httpcore._async.http11",
]
CALLS = "pwrite64,pread64,write,fsync,fdatasync,rename,renameat,renameat2,ftruncate,fallocate,mkdir,openat,unlink"
SECONDS_MAX = 60.0
POLL_SECONDS = 0.002
_LINE = re.compile(r"^(?P<thread>\d+) +(?P<call>\w+)\((?P<rest>.*)$")


class HungError(Exception):
    """A process did not end; it was killed."""


@dataclass(frozen=True)
class Call:
    """One system call of a process: which, the how many-th of its kind in its thread, and what strace wrote."""

    name: str
    nth: int
    text: str


@dataclass(frozen=True)
class Traced:
    """How a process ended, what it printed, and its calls that touched the folder it was watched for."""

    code: int
    said: str
    calls: tuple[Call, ...]

    @property
    def injected(self) -> int:
        """How many calls on files of the folder failed as they were told to."""
        return sum("(INJECTED)" in call.text for call in self.calls)

    @property
    def document(self) -> Any:
        """The JSON document that was printed; None when it was not, or not whole."""
        try:
            return json.loads(self.said[self.said.index("[" if self.said.startswith("[") else "{") :])
        except ValueError:
            return None


class Tracer:
    """Starts processes one after another; made by `tracing`."""

    def __init__(self, context: multiprocessing.context.ForkServerContext, folder: Path) -> None:
        self._context = context
        self._said = folder / "said"
        self._log = folder / "calls"

    def run(self, arguments: Sequence[str], watched: Path, inject: str = "") -> Traced:
        """Run a command to its end; raises `HungError`."""
        self._said.write_bytes(b"")
        process = self._context.Process(target=_enter, args=(list(arguments), str(self._said)))
        process.start()
        assert process.pid is not None
        _await_state(process.pid, "State:\tT")
        faults = ["-e", f"inject={inject}"] if inject else []
        command = ["strace", "-f", "-y", "-qq", "-o", str(self._log), "-e", f"trace={CALLS}", *faults]
        tracer = subprocess.Popen([*command, "-p", str(process.pid)], stderr=subprocess.DEVNULL)
        try:
            _await_state(process.pid, f"TracerPid:\t{tracer.pid}\n")
            os.kill(process.pid, signal.SIGCONT)
            process.join(SECONDS_MAX)
            if process.exitcode is None:
                os.kill(process.pid, signal.SIGKILL)
                process.join()
                raise HungError(inject)
        finally:
            tracer.wait(SECONDS_MAX)
        said = self._said.read_text(encoding="utf-8", errors="replace")
        return Traced(process.exitcode, said, tuple(_calls(self._log, watched)))


@contextmanager
def tracing(root: Path, folder: Path) -> Iterator[Tracer]:
    """A tracer of processes of the checkout ``root``; raises `FileNotFoundError` without strace."""
    if shutil.which("strace") is None:
        raise FileNotFoundError("strace is needed to let system calls fail")
    for name in [name for name in os.environ if name.startswith("TIDEGATE_")]:
        del os.environ[name]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(root), str(root / "scripts")])
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    yield Tracer(context, folder)


def _enter(arguments: list[str], said: str) -> None:
    file = os.open(said, os.O_WRONLY)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.kill(os.getpid(), signal.SIGSTOP)
    main(arguments)


def _await_state(pid: int, state: str) -> None:
    until = time.perf_counter() + SECONDS_MAX
    while state not in Path(f"/proc/{pid}/status").read_text(encoding="ascii"):
        if time.perf_counter() > until:
            raise HungError(f"never came to {state}")
        time.sleep(POLL_SECONDS)


def _calls(log: Path, watched: Path) -> Iterator[Call]:
    counted: Counter[tuple[str, str]] = Counter()
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        place = (found["thread"], found["call"])
        counted[place] += 1
        if str(watched) in found["rest"]:
            yield Call(found["call"], counted[place], found["rest"])
