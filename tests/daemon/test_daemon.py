"""A daemon as a real process: it runs what is due, reads changed files, tells its service manager, and drains."""

from __future__ import annotations

import os
import re
import signal
import socket
import threading
from pathlib import Path
from typing import Self

import pytest

from engine.clock import SystemClock
from engine.faces.daemon.notify import Notifier
from tests.channel import told_to
from tests.daemon.running import running, until
from tests.projects import TestProject
from tests.receiver import Receiver, receiving

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def started(folder: Path, receiver: Receiver) -> TestProject:
    project = TestProject(folder, receiver.url)
    project.people({1: ("Ada", 1.5), 2: ("Bo", None)})
    project.sync("people_to_hook", schedule={"every": "2s"})
    return project


class Manager:
    """A service manager: what it was told, as the names of what was said."""

    def __init__(self, address: str) -> None:
        self.words: list[str] = []
        self._end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._end.bind(address)
        self._reader = threading.Thread(target=self._listen)
        self._reader.start()

    def _listen(self) -> None:
        while said := self._end.recv(4096).decode():
            self.words += [line.partition("=")[0] for line in said.splitlines()]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._end.getsockname())
        self._reader.join()
        self._end.close()


def test_a_service_manager_that_does_not_listen_is_not_waited_for(tmp_path: Path) -> None:
    address = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(address)
        notifier = Notifier({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "1"}, SystemClock())
        for _ in range(5_000):
            notifier.alive()
        assert manager.recv(100) == b"WATCHDOG=1"
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}, SystemClock()).stopping()


def test_a_daemon_runs_schedules_takes_valid_files_only_and_drains(tmp_path: Path) -> None:
    folder, address = tmp_path / "project", str(tmp_path / "notify")
    with receiving() as receiver, Manager(address) as manager:
        project = started(folder, receiver)
        with running(folder, NOTIFY_SOCKET=address, WATCHDOG_USEC="10000000") as daemon:
            daemon.wait_for("run_ended", status="succeeded", sync="people_to_hook")
            until(lambda: {"READY", "STATUS", "WATCHDOG"} <= set(manager.words))
            del manager.words[:]
            until(lambda: receiver.records.keys() == {"1", "2"})

            (folder / "syncs" / "people_to_hook.yaml").write_text("name: people_to_hook\nschedule: {every: 0s}\n")
            daemon.send(signal.SIGHUP)
            refused = daemon.wait_for("project_refused")
            assert any("syncs/people_to_hook.yaml:" in problem for problem in refused["problems"])
            runs_so_far = len(daemon.said("run_ended"))
            daemon.wait_for("run_ended", runs_so_far + 2, status="unchanged")

            project.sync("people_to_hook")
            project.sync("people_again", schedule={"every": "2s"}, object="again")
            daemon.wait_for("project_loaded")
            daemon.wait_for("run_ended", sync="people_again", status="succeeded")
            taken = len(daemon.said("turn_taken", sync="people_to_hook"))
            daemon.wait_for("run_ended", 2, sync="people_again")
            assert len(daemon.said("turn_taken", sync="people_to_hook")) == taken
            assert {"RELOADING", "MONOTONIC_USEC", "READY"} <= set(manager.words)

            assert daemon.stop() == 0
            until(lambda: "STOPPING" in manager.words)
            assert daemon.lines[-1]["event"] == "daemon_stopped"
            assert project.checked(receiver)


def test_a_daemon_does_not_start_with_files_that_are_not_valid(tmp_path: Path) -> None:
    project = TestProject(tmp_path, "http://127.0.0.1:9/batch")
    project.sync("people_to_hook", schedule={"every": "0s"})
    with running(tmp_path) as daemon:
        assert daemon.ended() == 2
        assert "syncs/people_to_hook.yaml" in daemon.said("project_refused")[0]["problem"]
    assert not (tmp_path / ".tidegate" / "ledger.db").exists()


def test_the_first_signal_lets_a_run_end_its_window_and_the_next_daemon_goes_on_with_it(tmp_path: Path) -> None:
    with receiving() as receiver:
        project = started(tmp_path, receiver)
        project.people({n: (f"person {n}", n / 2) for n in range(60)})
        project.destination(
            "hook", receiver.url, rate={"requests": 4, "per": "1s", "concurrency": 1}, batch={"records": 1}
        )
        project.sync("people_to_hook", schedule={"every": "5s"})
        with running(tmp_path) as daemon:
            until(lambda: receiver.requests >= 2)
            assert daemon.stop() == 0
            daemon.wait_for("run_ended", code=130, status="stopped")
        assert 2 <= len(receiver.records) < 60
        project.destination("hook", receiver.url)
        with running(tmp_path) as another:
            another.wait_for("turn_taken_over", sync="people_to_hook")
            another.wait_for("run_ended", sync="people_to_hook")
            assert len(receiver.records) == 60
            assert another.stop() == 0
        assert project.checked(receiver).again == 0


def test_a_nursery_without_work_is_let_go_and_is_back_when_something_is_due(tmp_path: Path) -> None:
    soon = "from engine.faces.daemon import daemon; daemon.IDLE_SECONDS, daemon.WARM_SECONDS = 0.5, 2.0"
    with receiving() as receiver:
        project = started(tmp_path, receiver)
        project.sync("people_to_hook", schedule={"every": "20s"})
        with running(tmp_path, soon) as daemon:
            daemon.wait_for("nursery_let_go")
            ended = len(daemon.said("run_ended"))
            daemon.wait_for("run_ended", ended + 1)
            assert daemon.stop() == 0
        assert len(receiver.records) == 2


def test_a_run_has_a_limit_of_memory_and_one_that_is_killed_harms_nothing_and_is_begun_again(tmp_path: Path) -> None:
    with receiving() as receiver:
        project = started(tmp_path, receiver)
        project.people({n: (f"person {n}", n / 2) for n in range(9)})
        project.destination(
            "hook", receiver.url, rate={"requests": 2, "per": "1s", "concurrency": 1}, batch={"records": 1}
        )
        with running(tmp_path) as daemon:
            pid = daemon.wait_for("run_started")["pid"]
            until(lambda: receiver.requests >= 2)
            (bound,) = re.findall(r"Max data size +([0-9]+)", Path(f"/proc/{pid}/limits").read_text())
            assert int(bound) > 10**9
            os.kill(pid, signal.SIGKILL)
            daemon.wait_for("run_ended", status="broke", code=-9)
            daemon.wait_for("turn_taken_over", sync="people_to_hook")
            daemon.wait_for("run_ended", status="unchanged")
            assert daemon.stop() == 0
        assert len(receiver.records) == 9
        assert project.checked(receiver)


def test_a_daemon_looks_at_alerts_and_somebody_is_told_of_their_beginning_and_end(tmp_path: Path) -> None:
    often = "from engine.faces.daemon import lookout; lookout.LOOK_SECONDS = 0.5"
    with receiving() as receiver:
        project = started(tmp_path, receiver)
        with told_to(project) as channel, running(tmp_path, often, ONCALL_URL=channel.url) as daemon:
            daemon.wait_for("run_ended", status="succeeded")
            project.people({})
            daemon.wait_for("alert_opened", alert="dataset.refused:people@1")
            until(lambda: len(channel.messages) == 1)
            project.people({1: ("Ada", 2.5)})
            daemon.wait_for("alert_closed", alert="dataset.refused:people@1")
            until(lambda: len(channel.messages) == 2)
            assert daemon.stop() == 0
            assert len(daemon.said("alert_opened")) == 1
