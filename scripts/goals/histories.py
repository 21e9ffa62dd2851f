"""Stories in which people are forgotten one after the other and everything tries to bring them back.

Each person of a story is one history: forgotten at some time, and from then on met by every way back that comes after:
the source holds them again, the sync is rolled back to a version from before, the ledger is an older copy. Many share a
project, because a project costs more than what happens in it.
"""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from goals.goal import Effort
from goals.people import SYNCS, holds, opened, people, project_of

from engine.core.names import DatasetId
from engine.delivery.stop import StopRequest
from engine.ledger.projections import versions
from engine.service.app import App
from engine.service.erasure import forget, resume, statuses
from engine.service.ledgers import accept_ledger_regression, verify_ledger
from engine.service.reports import RunReport
from engine.service.rollback import roll_back, unpin_sync
from engine.service.runs import run_syncs
from tests.projects import TestProject
from tests.receiver import Receiver, receiving

HISTORIES = 500
A_STORY = 50
"""People that are forgotten in one story; as many others stay."""
SYNC = SYNCS[0]
DATASET = DatasetId("people@1")
CERTAIN = ("reimport", "rollback")
"""Ways that every history meets; the others are met by chance."""
WAYS = (*CERTAIN, "restore")
RECOGNISED = "older ledgers that were recognised"
GOOD = {"succeeded", "unchanged"}
ATTEMPTS_MAX = 3


def measure_histories(effort: Effort) -> dict[str, float]:
    """Tell as many stories as the effort's histories need."""
    left, rng = effort.of(HISTORIES), random.Random(effort.seed + 1)
    found = dict.fromkeys(
        (
            "histories",
            "resurrections",
            "histories that did not end well",
            *(f"histories with a {way}" for way in WAYS),
            RECOGNISED,
        ),
        0.0,
    )
    asked = left
    while left:
        count = min(left, A_STORY)
        with tempfile.TemporaryDirectory() as folder, receiving() as receiver:
            story = _Story(Path(folder), receiver, random.Random(rng.random()), count)
            story.tell()
            for sentence in story.unhappy:
                print(f"a story of seed {effort.seed}: {sentence}", file=sys.stderr)
        for name, number in story.counts().items():
            found[name] += number
        left -= count
    return {"histories asked for": asked, **found}


@dataclass
class _Story:
    """One project, who is still to be forgotten in it, and what became of those who were."""

    folder: Path
    receiver: Receiver
    rng: random.Random
    count: int
    gone: dict[int, set[str]] = field(default_factory=dict)
    """Who was forgotten, and the ways in which they were tried to be brought back since."""
    risen: set[int] = field(default_factory=set)
    unhappy: list[str] = field(default_factory=list)
    """What did not end as it should, in words."""
    _copies: list[bytes] = field(default_factory=list)
    _number: int = 0
    _recognised: int = 0
    _delivered: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.folder = self.folder / "story"
        self.project: TestProject = project_of(self.folder, self.receiver, syncs=1)

    def tell(self) -> None:
        """Deliver everybody, then forget and bring back at random, and at the end by each way that needs no luck."""
        self._source()
        self._run()
        self._look()
        while len(self.gone) < self.count:
            self._keep_copy()
            self.rng.choice((self._forget, self._forget, self._reimport, self._roll_back, self._restore))()
            self._look()
        for last in (self._reimport, self._roll_back, self._reimport):
            last()
            self._look()
        self._end()

    def counts(self) -> dict[str, float]:
        """What became of the histories of this story."""
        met = {f"histories with a {way}": float(sum(way in ways for ways in self.gone.values())) for way in WAYS}
        bad = self.count if self.unhappy else 0
        return {
            # Nothing can come back of somebody who never was at the destination.
            "histories": len(self.gone.keys() & self._delivered),
            "resurrections": len(self.risen),
            "histories that did not end well": bad,
            **met,
            RECOGNISED: self._recognised,
        }

    def _source(self) -> None:
        """The source holds everybody with new scores, but, after the first time, for a few who are not there for once."""
        self._number += 1
        everybody = people(2 * self.count, list(range(self.count)), self._number)
        away = self.rng.sample(range(2 * self.count), self.rng.randrange(3) if self._number > 1 else 0)
        self.project.data(everybody.filter(pc.invert(pc.is_in(everybody["id"], pa.array(away, pa.int64())))))

    def _run(self) -> None:
        self._with(lambda app: run_syncs(app, (SYNC,), StopRequest()))

    def _forget(self) -> None:
        left = [id for id in range(self.count) if id not in self.gone]
        chosen = self.rng.sample(left, min(len(left), self.rng.randrange(1, 13)))
        with opened(self.folder) as app:
            report = forget(app, [str(id) for id in chosen], "the goal", StopRequest())
            for _ in range(ATTEMPTS_MAX):
                if report.status == "complete":
                    break
                # A machine that is busy lets a lease end; what is owed is visible, and is tried again.
                print(f"a story goes on with an erasure: {report.open}", file=sys.stderr)
                report = (resume(app, StopRequest()) or [report])[-1]
        if report.status != "complete":
            self.unhappy.append(f"an erasure stayed open: {report.open}")
        self.gone |= {id: set() for id in chosen}

    def _reimport(self) -> None:
        self._source()
        self._run()
        self._met("reimport")

    def _roll_back(self) -> None:
        def there_and_back(app: App) -> list[RunReport]:
            numbers = [row.version for row in versions.listing(app.tools.database, DATASET)]
            back = roll_back(app, SYNC, self.rng.choice(numbers), "the goal", StopRequest())
            self._look()
            unpin_sync(app, SYNC, "the goal")
            return [*back, *run_syncs(app, (SYNC,), StopRequest())]

        self._with(there_and_back)
        self._met("rollback")

    def _restore(self) -> None:
        """Put an older ledger in place of today's, and go on from it.

        Newer copies belong to a time that is lost from then on: what only they name may be gone from the storage.
        """
        ledger = self.folder / ".tidegate/ledger.db"
        self._copies = self._copies[: self.rng.randrange(len(self._copies)) + 1]
        ledger.write_bytes(self._copies[-1])
        for more in ("ledger.db-wal", "ledger.db-shm"):
            ledger.with_name(more).unlink(missing_ok=True)
        with opened(self.folder) as app:
            refused = run_syncs(app, (SYNC,), StopRequest())[0].status
        # A copy that is as new as the storage is no regression, and nothing has to be accepted.
        if refused not in GOOD:
            self._recognised += 1
            with opened(self.folder) as app:
                accept_ledger_regression(app, "the goal")
            self._run()
        self._met("restore")

    def _end(self) -> None:
        with opened(self.folder) as app:
            status = [run_syncs(app, (SYNC,), StopRequest())[0].status for _ in range(2)][-1]
            complete = all(one.status == "complete" for one in statuses(app))
            verified = verify_ledger(app).ok
        kept = [path for path in self.folder.joinpath(".tidegate").rglob("*") if path.is_file() and holds(path)]
        if not (status in GOOD and complete and verified and not kept):
            self.unhappy.append(f"at its end: {status}, complete {complete}, verified {verified}, kept {kept}")

    def _with(self, act: Callable[[App], list[RunReport]]) -> None:
        """Do something whose runs must end well; one that lost its lease on a busy machine is run again."""
        with opened(self.folder) as app:
            for _ in range(ATTEMPTS_MAX):
                bad = [report for report in act(app) if report.status not in GOOD]
                if not bad:
                    return
                print(f"a story runs again: {bad[0].status}, {bad[0].reason}", file=sys.stderr)
            self.unhappy.append(f"a run ended as {bad[0].status}: {bad[0].reason}")

    def _keep_copy(self) -> None:
        self._copies = [*self._copies[-4:], (self.folder / ".tidegate/ledger.db").read_bytes()]

    def _met(self, way: str) -> None:
        for ways in self.gone.values():
            ways.add(way)

    def _look(self) -> None:
        """Whoever was forgotten is not at the destination, and nothing about them was sent since the last look."""
        sent = {record["id"] for one in self.receiver.journal for record in one.records if record["op"] != "delete"}
        self._delivered |= {id for id in range(self.count) if str(id) in sent}
        self.receiver.journal.clear()
        self.risen |= {id for id in self.gone if str(id) in sent or str(id) in self.receiver.records}
