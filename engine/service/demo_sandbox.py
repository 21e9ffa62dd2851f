"""The demo's CRM: the sandbox as a process of its own, on a free loopback port, for as long as a block lasts.

It is a program of the destination's side, so it is started by its name and spoken to over HTTP, as any CRM would be.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO, Any

import httpx

from engine.errors import DestinationError

START_SECONDS_MAX = 30.0
ANSWER_SECONDS_MAX = 30.0
END_SECONDS_MAX = 5.0
_ADDRESS = re.compile(r"http://127\.0\.0\.1:[0-9]+")


@dataclass(frozen=True, slots=True)
class DemoSandbox:
    """A running sandbox; ``address`` is scheme, host and port."""

    address: str

    def held(self, object: str) -> int:
        """How many records of ``object`` the sandbox holds, by its own account."""
        return len(self._asked("GET", f"/objects/{object}"))

    def texts(self, object: str, name: str) -> list[str]:
        """What the field ``name`` says in each record that has it."""
        records = self._asked("GET", f"/objects/{object}")
        return [str(record["fields"][name]) for record in records if name in record["fields"]]

    def switch(self, faults: Sequence[Mapping[str, object]]) -> None:
        """Meet batches with these faults from now on, and no others."""
        self._asked("PUT", "/faults", {"faults": faults})

    def _asked(self, method: str, path: str, body: object = None) -> Any:
        try:
            url = f"{self.address}{path}"
            answer = httpx.request(method, url, json=body, timeout=ANSWER_SECONDS_MAX, trust_env=False)
            return answer.raise_for_status().json()
        except httpx.HTTPError as error:
            raise _failed(f"did not answer as asked ({type(error).__name__})") from None


@contextmanager
def serving(store: Path) -> Iterator[DemoSandbox]:
    """Serve a sandbox that keeps what it is sent in ``store``; raises `DestinationError` when it does not start."""
    # -P keeps the working directory, where a project has a folder `destinations`, off the import path.
    command = [sys.executable, "-P", "-m", "destinations.sandbox", "--port", "0", "--store", str(store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  # our own program
        try:
            assert process.stdout is not None, "asked for above"
            yield DemoSandbox(_address(process.stdout))
        finally:
            _end(process)


def _address(output: IO[str]) -> str:
    """The address in the first line, waited for with a limit; a thread reads on, so that the sandbox never waits."""
    lines: SimpleQueue[str] = SimpleQueue()

    def read() -> None:
        for line in output:
            lines.put(line)
        lines.put("")

    Thread(target=read, daemon=True).start()
    try:
        found = _ADDRESS.search(lines.get(timeout=START_SECONDS_MAX))
    except Empty:
        found = None
    if found is None:
        raise _failed("did not start")
    return found[0]


def _end(process: subprocess.Popen[str]) -> None:
    """Ask it to end, and make it end when it does not listen."""
    process.terminate()
    try:
        process.wait(END_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _failed(what: str) -> DestinationError:
    return DestinationError(f"The sandbox {what}", safe="Nothing outside the demo's folder was touched.")
