"""`tidegate daemon`: one process that wakes at due moments, lets a nursery fork runs, and stops when it is told to.

It holds a lease, by which other daemons see that it lives. APScheduler rings at the next due moment of each sync; what is
due then, and for whom, `engine.faces.daemon.duty` decides from the ledger.
"""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from datetime import datetime

import structlog
from apscheduler.executors.debug import DebugExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

from engine.core.events import TurnTaken
from engine.core.names import SyncId
from engine.errors import Busy, LedgerError, TidegateError
from engine.faces.daemon import wire
from engine.faces.daemon.duty import Duty
from engine.faces.daemon.lookout import Lookout
from engine.faces.daemon.nurse import Nurse, Refused
from engine.faces.daemon.post import Post
from engine.faces.daemon.stopping import signal_for
from engine.faces.daemon.watch import Watch
from engine.ledger.lease import HeldLease
from engine.ledger.log import Ledger
from engine.service.schedules import Scheduled

TICK_SECONDS = 1.0
LOOK_AT_FILES_SECONDS = 2.0
LEASE_SECONDS = 15.0
IDLE_SECONDS = 120.0
"""Without a run for so long, the nursery is let go; it is there again before the next one is due."""
WARM_SECONDS = 20.0
AGAIN_SECONDS = 30.0
TOLD_MAX = 20
log = structlog.get_logger("tidegate.daemon")


class Daemon:
    """One daemon from its start to its end."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._clock = post.clock
        self._awake = asyncio.Event()
        self._messages: deque[tuple[Nurse, wire.Message]] = deque()
        self._runs_of: dict[SyncId, Nurse] = {}
        self._nurse: Nurse | None = None
        self._starting: asyncio.Task[None] | None = None
        self._stops = 0
        self._is_reload_asked = False
        self._watch = Watch(post.folder)
        self._lookout = Lookout(self._clock)
        self._looked_at = self._busy_at = self._refused_at = self._clock.monotonic()
        self._next: dict[SyncId, datetime] = {}
        self._trouble = ""
        self._alarms = AsyncIOScheduler(executors={"default": DebugExecutor()}, timezone="UTC")

    async def run(self) -> None:
        """Until it is told to stop and its runs have ended.

        Raises `Refused` when the files are not valid at the start, and what opening the ledger raises.
        """
        loop = asyncio.get_running_loop()
        for number, asked in ((signal.SIGTERM, self._stop), (signal.SIGINT, self._stop), (signal.SIGHUP, self._reload)):
            loop.add_signal_handler(number, asked)
        self._watch.read()
        nurse, self._loaded = await Nurse.start(self._post.folder, self._post.environment)
        self._take_on(nurse)
        try:
            self._database = self._post.open_ledger(self._loaded.ledger)
            try:
                await self._serve()
            finally:
                self._database.dispose()
        finally:
            if self._nurse is not None:
                self._nurse.retire()
        log.info("daemon_stopped")

    async def _serve(self) -> None:
        ledger = Ledger(self._database, self._clock, self._post.actor)
        self._duty = Duty(self._database, ledger, self._clock, self._begin, self._set_alarm)
        self._alarms.start()
        try:
            self._duty.load(self._loaded)
            log.info("daemon_started", syncs=len(self._loaded.syncs), holder=self._post.holder)
            self._post.notifier.ready(self._loaded.told)
            while not self._is_done():
                await self._hold_lease()
        finally:
            self._alarms.shutdown(wait=False)
            if self._starting is not None:
                self._starting.cancel()
                await asyncio.gather(self._starting, return_exceptions=True)

    async def _hold_lease(self) -> None:
        """Work under a lease until it is lost or the end has come; without the ledger, try again soon."""
        name = f"daemon:{self._post.holder}"
        try:
            with HeldLease(self._database, self._clock, name, self._post.holder, LEASE_SECONDS) as lease:
                while not (self._is_done() or lease.lost):
                    self._wake(lease)
                    await self._rest()
        except (LedgerError, Busy) as error:
            self._in_trouble(error)
            await self._rest()

    async def _rest(self) -> None:
        """Everything that needs no ledger, then sleep until something happens or the next look is due."""
        self._post.notifier.alive()
        self._look_at_files()
        self._hold_nursery()
        self._hurry()
        if not self._stops:
            self._lookout.look(self._nurse, self._loaded.bounds.memory)
        try:
            await asyncio.wait_for(self._awake.wait(), TICK_SECONDS)
        except TimeoutError:
            # A step of the wall clock is seen here: the alarms are of that one, and sleep by the monotonic one.
            self._alarms.wakeup()
        self._awake.clear()
        self._hear()

    def _wake(self, lease: HeldLease) -> None:
        """One look at the ledger and what follows from it. That it cannot be reached is told once, and tried again."""
        try:
            self._duty.wake(lease.fence, may_take=self._nurse is not None and not self._stops)
        except LedgerError as error:
            self._in_trouble(error)
        else:
            if self._trouble:
                log.info("ledger_well")
            self._trouble = ""

    def _in_trouble(self, error: TidegateError) -> None:
        if self._trouble != error.what:
            log.error("ledger_trouble", what=error.what, next=error.next)
        self._trouble = error.what

    def _begin(self, scheduled: Scheduled, taken: TurnTaken) -> bool:
        nurse = self._nurse
        if nurse is None or not nurse.run(scheduled, taken, self._loaded.bounds.memory):
            return False
        self._runs_of[scheduled.sync] = nurse
        return True

    def _hear(self) -> None:
        """What nurseries told since."""
        while self._messages:
            nurse, message = self._messages.popleft()
            match message:
                case {"started": str(sync), "pid": int(pid)}:
                    log.info("run_started", sync=sync, pid=pid)
                case {"told": str(sync), "report": dict(report)}:
                    if (under_way := self._duty.under_way.get(SyncId(sync))) is not None:
                        under_way.report = {key: str(value) for key, value in report.items()}
                case {"ended": str(sync), "code": int(code)}:
                    self._ended(SyncId(sync), code)
                case {"looked": dict(found)}:
                    self._lookout.tell(found)
                case {"gone": True}:
                    self._gone(nurse)
                case _:
                    continue

    def _ended(self, sync: SyncId, code: int) -> None:
        self._runs_of.pop(sync, None)
        self._busy_at = self._clock.monotonic()
        if sync not in self._duty.under_way:
            return
        try:
            self._duty.ended(sync, code)
        except LedgerError as error:
            # The turn stands open, and its run in the ledger: it is ended from there.
            log.warning("turn_not_ended", sync=sync, what=error.what)

    def _gone(self, nurse: Nurse) -> None:
        for sync in [sync for sync, of in self._runs_of.items() if of is nurse]:
            del self._runs_of[sync]
            self._duty.lost(sync)
        if nurse is self._nurse:
            log.error("nursery_broke")
            self._nurse = None

    def _look_at_files(self) -> None:
        """Read the files anew when asked to, or when they changed and then stayed as they are for a moment."""
        now = self._clock.monotonic()
        if now - self._looked_at >= LOOK_AT_FILES_SECONDS:
            self._looked_at = now
            self._is_reload_asked |= self._watch.changed()
        if self._is_reload_asked and self._starting is None and not self._stops:
            self._is_reload_asked = False
            self._watch.read()
            self._post.notifier.reloading()
            self._starting = asyncio.create_task(self._load_anew())

    async def _load_anew(self) -> None:
        """The files as they are now in place of those before, if they are valid; else nothing changes."""
        try:
            nurse, loaded = await Nurse.start(self._post.folder, self._post.environment)
            if loaded.ledger != self._loaded.ledger:
                nurse.retire()
                raise Refused(("the ledger is another one: restart the daemon to move to it",))  # noqa: TRY301 - told as the others
            self._duty.load(loaded)
            before, self._loaded = self._nurse, loaded
            self._take_on(nurse)
            if before is not None:
                before.retire()
            log.info("project_loaded", syncs=len(loaded.syncs))
        except Refused as error:
            self._refused_at = self._clock.monotonic()
            safe = "the files of before stay in use"
            log.error(  # noqa: TRY400 - a trace says nothing of files
                "project_refused", problems=error.problems[:TOLD_MAX], count=len(error.problems), safe=safe
            )
        except LedgerError as error:
            nurse.retire()
            self._in_trouble(error)
            self._is_reload_asked = True
        finally:
            self._starting = None
            self._post.notifier.ready(self._loaded.told)
            self._awake.set()

    def _take_on(self, nurse: Nurse) -> None:
        self._nurse = nurse
        self._watch.valid()
        self._busy_at = self._clock.monotonic()

        def hear(nurse: Nurse, message: wire.Message) -> None:
            self._messages.append((nurse, message))
            self._awake.set()

        nurse.listen(hear)

    def _hold_nursery(self) -> None:
        """Let the nursery go when nothing runs for long, and have it there again before something is due.

        While the files are others than those that it judged, it is kept: nobody could read them again. So it is where somebody is to
        be told of alerts.
        """
        soon = min(self._next.values(), default=None)
        waits = None if soon is None else (soon - self._clock.now()).total_seconds()
        is_near = self._duty.waits or (waits is not None and waits < WARM_SECONDS)
        needed = bool(self._runs_of) or is_near or self._loaded.has_channels
        now = self._clock.monotonic()
        if self._nurse is None:
            self._is_reload_asked |= needed and now - self._refused_at > AGAIN_SECONDS
        elif not needed and now - self._busy_at > IDLE_SECONDS and self._watch.are_those_in_use():
            self._nurse.retire()
            self._nurse = None
            log.info("nursery_let_go")

    def _set_alarm(self, sync: SyncId, moment: datetime | None) -> None:
        if moment is None:
            self._next.pop(sync, None)
            if self._alarms.get_job(sync) is not None:
                self._alarms.remove_job(sync)
            return
        self._next[sync] = moment
        self._alarms.add_job(
            self._ring, DateTrigger(moment), [sync], id=sync, replace_existing=True, misfire_grace_time=None
        )

    def _ring(self, sync: str) -> None:
        self._next.pop(SyncId(sync), None)
        self._duty.due(SyncId(sync))
        self._awake.set()

    def _reload(self) -> None:
        self._is_reload_asked = True
        self._awake.set()

    def _stop(self) -> None:
        self._stops += 1
        if self._stops == 1:
            self._post.notifier.stopping()
            log.info("daemon_stopping", runs=len(self._runs_of))
        self._awake.set()

    def _hurry(self) -> None:
        """Ask runs to stop that have to: all of them once the daemon has to, and one that took too long."""
        now, bounds = self._clock.monotonic(), self._loaded.bounds
        for sync, nurse in self._runs_of.items():
            run = self._duty.under_way.get(sync)
            if run is None:
                continue
            number = signal_for(run, now, bounds, stops=self._stops)
            if number is not None:
                nurse.signal(sync, number)

    def _is_done(self) -> bool:
        return bool(self._stops) and not self._runs_of and not self._messages
