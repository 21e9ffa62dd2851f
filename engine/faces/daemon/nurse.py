"""The daemon's end of a nursery: starting it, what it told, and asking it for runs."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from engine.core.events import TurnTaken
from engine.faces.daemon import wire
from engine.service.schedules import Scheduled

MODULE = "engine.faces.daemon.nursery"
GONE = "gone"
LOAD_SECONDS_MAX = 300.0


@dataclass(frozen=True, slots=True)
class Loaded:
    """A project that was read and judged: its scheduled syncs, the daemon's limits, and where its ledger is."""

    syncs: tuple[Scheduled, ...]
    bounds: wire.Bounds
    ledger: str = field(repr=False)
    has_channels: bool = False
    """Whether somebody is to be told of alerts, so that they are looked at also while nothing runs."""

    @property
    def told(self) -> str:
        """What a service manager is told."""
        return f"{len(self.syncs)} syncs have a schedule"


class Refused(Exception):
    """The project's files are not valid, or could not be read; ``problems`` says why, a sentence each."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Nurse:
    """One nursery. ``hear`` is called with each message about a run, and with ``{"gone": True}`` when it has ended."""

    def __init__(self, end: socket.socket, process: subprocess.Popen[bytes]) -> None:
        self._end = end
        self._process = process
        self._is_retired = False

    @classmethod
    async def start(cls, folder: Path, environment: str | None) -> tuple[Nurse, Loaded]:
        """A nursery that has read the project; raises `Refused`."""
        ours, theirs = wire.pair()
        with theirs:
            process = _process(theirs, str(folder), *([environment] if environment else []))
        ours.setblocking(False)
        nurse = cls(ours, process)
        try:
            loaded = await asyncio.wait_for(nurse._loaded(), LOAD_SECONDS_MAX)
        except TimeoutError:
            nurse._give_up()
            raise Refused((f"reading the files took longer than {LOAD_SECONDS_MAX:.0f} seconds",)) from None
        except (Refused, asyncio.CancelledError):
            nurse._give_up()
            raise
        return nurse, loaded

    async def _loaded(self) -> Loaded:
        loop, syncs = asyncio.get_running_loop(), list[Scheduled]()
        while True:
            data = await loop.sock_recv(self._end, wire.MESSAGE_BYTES_MAX)
            message = wire.read(data)
            match message:
                case None:
                    raise Refused(("the process that reads the files ended without a word",))
                case {"refused": list(problems)}:
                    raise Refused(tuple(str(problem) for problem in problems))
                case {"scheduled": _}:
                    syncs.append(wire.heard(message))
                case {"ready": dict(bounds), "ledger": str(ledger), "channels": bool(channels)}:
                    return Loaded(tuple(syncs), wire.Bounds(**bounds), ledger, channels)
                case _:
                    raise AssertionError("a nursery says nothing else before it is ready")

    def _give_up(self) -> None:
        """End a nursery that has no runs yet."""
        self._process.kill()
        self._process.wait()
        self._end.close()

    def listen(self, hear: Callable[[Nurse, wire.Message], None]) -> None:
        """From now on, tell ``hear`` what is said."""
        loop = asyncio.get_running_loop()

        def readable() -> None:
            try:
                message = wire.receive(self._end)
            except BlockingIOError:
                return
            if message is None:
                loop.remove_reader(self._end)
                self._end.close()
                self._process.poll()
                hear(self, {GONE: True})
            else:
                hear(self, message)

        loop.add_reader(self._end, readable)

    def run(self, scheduled: Scheduled, taken: TurnTaken, memory: int) -> bool:
        """Ask for the run of a turn that was taken; false when nobody is there to hear it."""
        turn = {"lease": taken.lease, "epoch": taken.epoch}
        return wire.send(
            self._end, {"run": scheduled.sync, "captured": scheduled.as_captured, "memory": memory, **turn}
        )

    def look(self, memory: int) -> None:
        """Ask for a look at alerts; while one goes on, no other begins."""
        wire.send(self._end, {"look": True, "memory": memory})

    def signal(self, sync: str, number: int) -> None:
        """Send a signal to the run of ``sync``, if there is one."""
        wire.send(self._end, {"signal": number, "sync": sync})

    def retire(self) -> None:
        """Ask for nothing more; it ends once its runs have."""
        if not self._is_retired:
            self._is_retired = True
            wire.send(self._end, {"retire": True})


def _process(end: socket.socket, *arguments: str) -> subprocess.Popen[bytes]:
    """In a session of its own, for what a terminal sends to all of its processes is for the daemon to hand on."""
    return subprocess.Popen(  # noqa: S603 - this interpreter, and no shell
        [sys.executable, "-m", MODULE, str(end.fileno()), *arguments],
        pass_fds=[end.fileno()],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
