"""The last look at consent before records leave: whose was taken back, or has ended, since the plan was made.

Asked before each window. That nothing was decided costs a query or two; otherwise the consent rule is evaluated anew
over the plan's own rows.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from engine.core.names import SegmentRef
from engine.core.plan import unconsented
from engine.segments.compute import ORDINAL, Session
from engine.steps.consent import NO_PREVIEW, consent_now, register_versions
from engine.steps.facts import Sync, Tools


@dataclass(frozen=True, slots=True)
class Counted:
    """What a plan counted on: the state of every register, and when the first consent ends."""

    registers: Mapping[str, int]
    until: str | None


NOTHING_COUNTED = Counted(MappingProxyType({}), None)


class LastMile:
    """Which rows of a plan may not leave any more."""

    def __init__(self, tools: Tools, session: Session, sync: Sync, plan: SegmentRef, counted: Counted) -> None:
        self._tools = tools
        self._session = session
        self._sync = sync
        self._plan = plan
        self._counted = counted
        self._withheld: list[int] = []

    async def withheld(self, first: int, last: int) -> Sequence[int]:
        """The rows from ``first`` to ``last``, both included, whose subjects do not consent now, in order.

        Raises `StorageError` when a register cannot be read: then nothing may leave.
        """
        if self._sync.mapping.consent is None:
            return ()
        await asyncio.to_thread(self._look)
        return self._withheld[bisect_left(self._withheld, first) : bisect_right(self._withheld, last)]

    def _look(self) -> None:
        now = register_versions(self._tools, self._sync, NO_PREVIEW)
        until = self._counted.until
        if now == self._counted.registers and (
            until is None or self._tools.clock.now() < datetime.fromisoformat(until)
        ):
            return
        with self._session.beside() as session:
            consent = consent_now(self._tools, session, self._sync, NO_PREVIEW)
            assert consent.subjects is not None, "the sync has a consent rule"
            rows = unconsented(session.numbered(self._tools.storage.local(self._plan)), consent.subjects)
            self._withheld = session.stream(rows.select(ORDINAL).order_by(ORDINAL)).read_all()[ORDINAL].to_pylist()
        self._counted = Counted(now, consent.until)
