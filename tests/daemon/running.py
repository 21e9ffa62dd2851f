"""A daemon as a real process: what it says on stderr as facts to wait for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.projects import ROOT

WAIT_SECONDS = 90.0
MAIN = "from engine.faces.cli.main import main; main()"
Line = dict[str, Any]


class Running:
    """One daemon; ``lines`` is what it and its runs said so far."""

    def __init__(self, folder: Path, before: str = "", **environment: str) -> None:
        """``before`` are statements that set what no operator can choose, such as for how long something is waited."""
        self.lines: list[Line] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"{before}\n{MAIN}", "--project", str(folder), "daemon"],
            cwd=ROOT,
            env={**os.environ, "TIDEGATE_ACTOR": "daemon", **environment},
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for text in self._process.stderr:
            with self._news:
                self.lines.append(json.loads(text) if text.startswith("{") else {"event": text.rstrip()})
                self._news.notify_all()

    @property
    def pid(self) -> int:
        return self._process.pid

    def said(self, event: str, **facts: Any) -> list[Line]:
        """Every line about ``event`` with these facts, so far."""
        return [line for line in self.lines if line.get("event") == event and facts.items() <= line.items()]

    def wait_for(self, event: str, count: int = 1, **facts: Any) -> Line:
        """The line that is the ``count``-th about ``event`` with these facts."""
        with self._news:
            found = self._news.wait_for(lambda: len(self.said(event, **facts)) >= count, WAIT_SECONDS)
        assert found, (event, facts, self.lines)
        return self.said(event, **facts)[count - 1]

    def send(self, number: int) -> None:
        os.kill(self.pid, number)

    def ended(self) -> int:
        """Its exit code, once it has ended and all that it said was read."""
        code = self._process.wait(WAIT_SECONDS)
        self._reader.join(WAIT_SECONDS)
        return code

    def stop(self) -> int:
        self.send(signal.SIGTERM)
        return self.ended()

    def kill(self) -> None:
        """As a machine that loses power would end it, but for its runs."""
        self._process.kill()
        self._process.wait(WAIT_SECONDS)

    def close(self) -> None:
        """Read to the end what its runs said that outlived it."""
        self._reader.join(WAIT_SECONDS)
        assert self._process.stderr is not None
        self._process.stderr.close()


@contextmanager
def running(folder: Path, before: str = "", **environment: str) -> Iterator[Running]:
    """A daemon that is gone at the end of the block."""
    daemon = Running(folder, before, **environment)
    try:
        yield daemon
    finally:
        if daemon._process.poll() is None:
            daemon.kill()
        daemon.close()


def until(holds: Callable[[], bool]) -> None:
    """Wait until a fact of the outside holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it never did"
        time.sleep(0.05)
