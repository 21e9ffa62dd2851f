"""The nursery: a process that has read and judged the project and forks one process for each run, and each look at alerts.

A run so begins without the seconds that loading takes, with the files as they were judged and no others, and shares
nothing with other runs that it could break: it has memory, a limit of it, and connections of its own. The daemon
itself loads none of this. When the daemon is gone, runs under way go on to their end under their own leases.
"""

from __future__ import annotations

import gc
import os
import resource
import select
import signal
import socket
import sys
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import structlog

from config.problems import InvalidProject
from config.project import Project
from config.settings import read_settings
from engine.bootstrap import ledger_url, load, open_project
from engine.core.names import SyncId
from engine.core.outcome import EXIT_CODES, RunStatus
from engine.delivery.stop import StopRequest, signals
from engine.errors import Busy, Interrupted, StaleEpoch, TidegateError
from engine.faces.cli.secret_values import secret_values
from engine.faces.daemon import wire
from engine.ledger.lease import Fence
from engine.observe.log import configure
from engine.observe.redact import Redactor
from engine.service.alerts import check_alerts
from engine.service.resolve import Resolved, resolve
from engine.service.runs import run_as_captured, run_syncs
from engine.service.schedules import scheduled_syncs
from engine.service.turn_run import had_its_run, turn_lease

BESIDE_COMPUTE_BYTES = 10**9
"""What a run needs beside what DuckDB is told it may use: the interpreter, Arrow, and the batches under way."""
_LOOK = "a look at alerts"
"""What a child is known as that is no run; no sync has a name with blanks."""
_TOLD_MAX = 100
_INTERRUPTED = 130
_BROKEN = 70
_DATA_FIELD = 5
"""Of ``/proc/self/statm``: pages of data and stack (proc(5))."""


def main(arguments: list[str]) -> int:
    """``FILE_DESCRIPTOR PROJECT [ENVIRONMENT]``: serve the daemon at the other end of the socket."""
    number, folder, *environment = arguments
    end = socket.socket(fileno=int(number))
    redactor = Redactor()
    configure(sys.stderr, read_settings().log_level, redactor)
    try:
        project = load(Path(folder), environment=environment[0] if environment else None)
        resolved = _resolved(project)
    except InvalidProject as error:
        wire.send(end, {"refused": [str(problem) for problem in error.problems]})
        return 2
    except TidegateError as error:
        wire.send(end, {"refused": [str(error)]})
        return error.exit_code
    for secret in secret_values(project):
        redactor.register(secret)
    _tell(end, project, resolved)
    Nursery(end, project, redactor).serve()
    return 0


def _resolved(project: Project) -> Resolved:
    resolved = resolve(project)
    if resolved.problems:
        raise InvalidProject(resolved.problems)
    return resolved


def _tell(end: socket.socket, project: Project, resolved: Resolved) -> None:
    connections = {
        name: tuple(sorted({resolved.files[d.id].source.connection for d in (sync.dataset, *sync.registers)}))
        for name, sync in resolved.syncs.items()
    }
    for scheduled in scheduled_syncs(project, resolved.datasets, connections):
        wire.send(end, wire.told(scheduled))
    said = project.daemon
    memory = said.memory or project.compute.memory + BESIDE_COMPUTE_BYTES
    bounds = wire.Bounds(
        said.concurrency,
        said.per_destination,
        said.per_connection,
        memory,
        said.longest_run.total_seconds(),
        said.drain.total_seconds(),
    )
    ready = {"ready": asdict(bounds), "ledger": ledger_url(project, read_settings())}
    wire.send(end, {**ready, "channels": bool(project.environment.alerts.channels)})


class Nursery:
    """Forks runs as it is told, and tells of their ends. Has no thread, so that a fork copies all there is."""

    def __init__(self, end: socket.socket, project: Project, redactor: Redactor) -> None:
        self._end = end
        self._project = project
        self._redactor = redactor
        self._children: dict[int, str] = {}

    def serve(self) -> None:
        """Until nobody may ask for more, and every child has ended."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        woken, wake = socket.socketpair()
        for one in (woken, wake):
            one.setblocking(False)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _nothing)
        gc.collect()
        gc.freeze()
        is_asked = True
        while is_asked or self._children:
            ready, _, _ = select.select([woken, *([self._end] if is_asked else [])], [], [])
            if woken in ready:
                with suppress(BlockingIOError):
                    woken.recv(4096)
                self._reap()
            if self._end in ready:
                message = wire.receive(self._end)
                is_asked = message is not None and self._obey(message)

    def _obey(self, message: wire.Message) -> bool:
        """Do what was said; whether more may follow."""
        match message:
            case {"run": str(sync)}:
                wire.send(self._end, {"started": sync, "pid": self._fork(sync, message)})
            case {"look": True}:
                if _LOOK not in self._children.values():
                    self._fork(_LOOK, message)
            case {"signal": int(number), "sync": str(sync)}:
                for pid in [pid for pid, of in self._children.items() if of == sync]:
                    os.kill(pid, number)
            case {"retire": True}:
                return False
            case _:
                raise AssertionError("the daemon says nothing else")
        return True

    def _fork(self, name: str, order: wire.Message) -> int:
        pid = os.fork()
        if pid == 0:
            code = _BROKEN
            try:
                code = self._live(name, order)
            finally:
                # Whatever happened, a child never comes back into the nursery's own loop.
                os._exit(code)
        self._children[pid] = name
        return pid

    def _live(self, name: str, order: wire.Message) -> int:
        """The life of a child: one run or one look, told before its end."""
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            bound = int(order["memory"]) + _allocated_bytes()
            resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
            if name == _LOOK:
                wire.send(self._end, {"looked": _looked(self._project, self._redactor)})
                return 0
            structlog.contextvars.bind_contextvars(sync=name)
            report = _report(self._project, SyncId(name), order)
            report["reason"] = self._redactor.redact(report["reason"])[: wire.REASON_LENGTH_MAX]
            wire.send(self._end, {"told": name, "report": report})
            return int(report["code"])
        except BaseException:  # noqa: BLE001 - nothing may run beyond the end of a forked process
            structlog.get_logger("tidegate.run").exception("run_broke")
            return _BROKEN

    def _reap(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            ended = self._children.pop(pid, None)
            if ended is not None and ended != _LOOK:
                wire.send(self._end, {"ended": ended, "code": os.waitstatus_to_exitcode(status)})


def _report(project: Project, sync: SyncId, order: wire.Message) -> dict[str, Any]:
    """What came of one run; a run that cannot begin or is interrupted is told as well."""
    fence = Fence(order["lease"], order["epoch"])
    stop = StopRequest()
    with signals(stop):
        try:
            with closing(open_project(project)) as app, turn_lease(app.tools, sync):
                if (had := had_its_run(app.tools, sync, fence)) is not None:
                    return _told(had.status, had.run, had.reason)
                report = run_as_captured(app, sync, stop) if order["captured"] else run_syncs(app, [sync], stop)[0]
        except (Busy, StaleEpoch) as error:
            return _told(RunStatus.BUSY.value, "", str(error))
        except Interrupted as error:
            return {"status": "stopped", "run": "", "reason": str(error), "code": _INTERRUPTED}
        except TidegateError as error:
            return {"status": RunStatus.FAILED.value, "run": "", "reason": str(error), "code": error.exit_code}
    return _told(report.status.value, report.run, report.reason)


def _looked(project: Project, redactor: Redactor) -> dict[str, Any]:
    """What one look at alerts changed, as far as a message holds, or why there was none."""
    try:
        with closing(open_project(project)) as app:
            report = check_alerts(app, notify=True)
    except TidegateError as error:
        return {"trouble": redactor.redact(str(error))[: wire.REASON_LENGTH_MAX]}
    changed = {"opened": report.opened, "closed": report.closed, "untold": report.untold}
    return {word: names[:_TOLD_MAX] for word, names in changed.items()}


def _told(status: str, run: str, reason: str) -> dict[str, Any]:
    return {"status": status, "run": run, "reason": reason, "code": EXIT_CODES[RunStatus(status)]}


def _allocated_bytes() -> int:
    """What this process has of what RLIMIT_DATA counts, which is shared with the nursery until it is written to."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[_DATA_FIELD])
    return pages * resource.getpagesize()


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """For a signal that only has to wake."""


if __name__ == "__main__":
    ended = main(sys.argv[1:])
    sys.stderr.flush()
    # Extensions look at the end for what of theirs is still held, and would print it.
    os._exit(ended)
