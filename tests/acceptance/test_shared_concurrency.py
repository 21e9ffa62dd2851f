"""All runs of an account together have no more calls under way than its destination file declares (I32)."""

from __future__ import annotations

import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.loopback import Quiet, serving
from tests.projects import TestProject

pytestmark = pytest.mark.slow
DECLARED, PROCESSES, CALLS = 3, 3, 60
CALL_SECONDS = 0.03


@dataclass
class Busy:
    """A destination that counts the calls that it works on at once; ``objects`` are those of each call in order."""

    now: int = 0
    most: int = 0
    objects: list[str] = field(default_factory=list)
    url: str = ""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, object_: str) -> None:
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.objects.append(object_)

    def end(self) -> None:
        with self.lock:
            self.now -= 1


@contextmanager
def busy() -> Iterator[Busy]:
    found = Busy()

    class Calls(Quiet, BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            found.begin(body["object"])
            time.sleep(CALL_SECONDS)  # the work of a call, during which others may come
            found.end()
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

    with serving(Calls) as address:
        found.url = f"{address}/batch"
        yield found


@pytest.fixture
def destination() -> Iterator[Busy]:
    with busy() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path, destination: Busy, ledger_url: str) -> TestProject:
    made = TestProject(tmp_path, destination.url, ledger=ledger_url)
    made.destination("hook", destination.url, batch={"records": 1}, rate={"concurrency": DECLARED})
    for number in range(1, PROCESSES):
        made.sync(f"sync_{number}", object=f"object_{number}")
    made.people({i: (f"p{i}", None) for i in range(CALLS)})
    assert made.run("db", "upgrade").code == 0
    return made


def test_processes_share_the_calls_that_are_declared_and_use_them_all(project: TestProject, destination: Busy) -> None:
    assert project.run("capture", "people").code == 0
    names = ("people_to_hook", *(f"sync_{number}" for number in range(1, PROCESSES)))

    runs = [project.start("run", name) for name in names]
    for run in runs:
        run.communicate(timeout=100)

    assert [run.returncode for run in runs] == [0] * PROCESSES
    assert destination.most == DECLARED
    assert len(destination.objects) == CALLS * PROCESSES


def test_what_a_killed_run_had_is_free_for_the_run_that_goes_on(project: TestProject, destination: Busy) -> None:
    killed = project.start("run", "people_to_hook")
    while len(destination.objects) < CALLS // 4:
        assert killed.poll() is None
        time.sleep(0.005)
    killed.send_signal(signal.SIGKILL)
    killed.communicate(timeout=60)
    while destination.now:  # what was under way is worked off
        time.sleep(0.005)

    began = time.monotonic()
    report = project.report()

    assert report["status"] == "succeeded"
    assert time.monotonic() - began < 8, "it waits for no share to end"
    assert destination.most == DECLARED
