"""A small project with a history, copies of it that are damaged, and what becomes of whoever uses them."""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path
from typing import Any

from goals.intruder import tampered

from engine.clock import SystemEntropy
from engine.core.names import Digest, SegmentRef
from engine.errors import SegmentDamaged, TidegateError
from engine.ledger.anchor import decode, gaps
from engine.ledger.chain import Verified, verify
from engine.ledger.database import check_structure, open_database
from engine.ledger.migrate import upgrade
from engine.ledger.projection import stale
from engine.segments.files import Storage
from tests.projects import TestProject
from tests.receiver import Receiver, receiving

SYNC = "people_to_hook"
BATCH = 4
Rows = dict[str, list[tuple[Any, ...]]]


class Found(Enum):
    """What came of a damage: an error of ours, nothing that anybody reads, an error of somebody else, or silence."""

    DETECTED = auto()
    HARMLESS = auto()
    FOREIGN = auto()
    UNSEEN = auto()


@dataclass(frozen=True)
class Run:
    """A run on a damaged project: how it ended, how many records it sent, how many of those were not to be sent."""

    code: str
    succeeded: bool
    sent: int
    wrong: int
    complete: bool


@dataclass(frozen=True)
class Template:
    """The undamaged project: its files in memory, and what its next run sends."""

    folder: Path
    work: Path
    receiver: Receiver
    ledger: bytes
    rows: Rows
    segments: dict[str, bytes]
    refs: tuple[SegmentRef, ...]
    anchors: dict[str, bytes]
    wanted: frozenset[str]

    def damaged_file(self, dice: random.Random) -> Found:
        """Bits flipped in the ledger's file, a page overwritten, or its end cut off."""
        return self._looked_at(_damaged(self.ledger, dice))

    def damaged_rows(self, dice: random.Random) -> Found:
        """Events edited, removed, moved or copied by somebody with all rights."""
        path = self._put(self.ledger)
        tampered(path, dice)
        return self._looked(path)

    def damaged_segment(self, dice: random.Random) -> Found:
        """A segment flipped, cut, swapped with another or gone."""
        ref = dice.choice(self.refs)
        content = self.segments[ref.path]
        storage = Storage(str(self.work / "store"), scratch=self.work / "scratch", entropy=SystemEntropy())
        path = self.work / "store" / ref.path
        path.parent.mkdir(parents=True, exist_ok=True)
        damaged = _damaged(content, dice)
        if dice.random() < 0.05:
            damaged = self.segments[dice.choice([r.path for r in self.refs if r.digest != ref.digest])]
        path.write_bytes(damaged)
        if dice.random() < 0.02:
            path.unlink()
        try:
            return Found.HARMLESS if storage.local(ref).read_bytes() == content else Found.UNSEEN
        except SegmentDamaged:
            return Found.DETECTED
        except Exception:  # noqa: BLE001  # what is not ours is what is counted
            return Found.FOREIGN

    def damaged_anchor(self, dice: random.Random) -> Found:
        """An anchor flipped or cut, or a ledger whose end is older than its anchors."""
        name = dice.choice(sorted(self.anchors))
        damaged = _damaged(self.anchors[name], dice)
        before, after = decode(self.anchors[name]), decode(damaged)
        engine = open_database(f"sqlite:///{self._put(self.ledger)}")
        try:
            missed = gaps(engine, {name: after})
        except TidegateError:
            return Found.DETECTED
        except Exception:  # noqa: BLE001
            return Found.FOREIGN
        finally:
            engine.dispose()
        # Where the event stands is what an anchor is for; the rest of it only helps to tell what was lost.
        facts = ("stream", "position", "hash")
        if missed:
            return Found.DETECTED
        return Found.HARMLESS if all(getattr(before, f) == getattr(after, f) for f in facts) else Found.UNSEEN

    def damaged_run(self, dice: random.Random) -> Run:
        """A whole run on a copy with one damage anywhere."""
        shutil.rmtree(self.work / "run", ignore_errors=True)
        shutil.copytree(self.folder, self.work / "run")
        state = self.work / "run" / ".tidegate"
        kind = dice.random()
        if kind < 0.5:
            (state / "ledger.db").write_bytes(_damaged(self.ledger, dice))
        elif kind < 0.7:
            tampered(state / "ledger.db", dice)
        else:
            folder = state / "segments"
            files = sorted(folder.rglob("*.json" if kind < 0.8 else "*.parquet"))
            path = dice.choice(files)
            path.write_bytes(_damaged(path.read_bytes(), dice))
        return self._ran(self.work / "run")

    def _ran(self, folder: Path) -> Run:
        self.receiver.journal.clear()
        project = TestProject(folder, self.receiver.url)
        project.destination("hook", self.receiver.url, batch={"records": BATCH})
        outcome = project.run("--json", "run", SYNC)
        document = outcome.json
        report = document[0] if isinstance(document, list) else {}
        code = document["error"]["code"] if isinstance(document, dict) else str(report.get("code", ""))
        sent = [_sent(record) for entry in self.receiver.journal for record in entry.records]
        return Run(
            code="bug" if "bug in Tidegate" in outcome.err or "Traceback" in outcome.err else code,
            succeeded=report.get("status") in {"succeeded", "unchanged"},
            sent=len(sent),
            wrong=sum(record not in self.wanted for record in sent) + len(sent) - len(set(sent)),
            complete=set(sent) == self.wanted,
        )

    def _put(self, content: bytes) -> Path:
        path = self.work / "ledger.db"
        for beside in self.work.glob("ledger.db*"):
            beside.unlink()
        path.write_bytes(content)
        return path

    def _looked_at(self, content: bytes) -> Found:
        return self._looked(self._put(content))

    def _looked(self, path: Path) -> Found:
        """What `tidegate ledger verify` and the anchors say, and whether what it calls sound is what was there."""
        try:
            with closing_engine(path) as engine:
                upgrade(engine)
                check_structure(engine)
                anchors = {name: decode(content) for name, content in self.anchors.items()}
                sound = isinstance(verify(engine), Verified) and stale(engine) is None and not gaps(engine, anchors)
        except TidegateError:
            return Found.DETECTED
        except Exception:  # noqa: BLE001
            return Found.FOREIGN
        if not sound:
            return Found.DETECTED
        return Found.HARMLESS if _read(path) == self.rows else Found.UNSEEN


@contextmanager
def closing_engine(path: Path) -> Iterator[Any]:
    engine = open_database(f"sqlite:///{path}")
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def template(folder: Path) -> Iterator[Template]:
    """A project that delivered five versions and has a sixth to deliver."""
    with receiving() as receiver:
        home, work = folder / "home", folder / "work"
        work.mkdir()
        project = TestProject(home, receiver.url)
        project.destination("hook", receiver.url, batch={"records": BATCH})
        people: dict[int, tuple[str | None, float | None]] = {n: (f"person {n}", n / 4) for n in range(24)}
        for change in range(5):
            for id in range(change, 24, 7):
                people[id] = (f"person {id} of {change}", float(change))
            people[24 + change] = ("new", None)
            project.people(people)
            assert project.report()["status"] == "succeeded"
        del people[3]
        people |= {1: ("changed", 9.5), 40: ("added", 1.0), 41: ("added", 2.0)}
        project.people(people)
        path = home / ".tidegate" / "ledger.db"
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        storage = home / ".tidegate" / "segments"
        anchors = {file.stem: file.read_bytes() for file in (storage / "anchors").glob("*.json")}
        refs = tuple(named_segments(path))
        segments = {ref.path: (storage / ref.path).read_bytes() for ref in refs}
        made = Template(home, work, receiver, path.read_bytes(), _read(path), segments, refs, anchors, frozenset())
        shutil.copytree(home, work / "run")
        undamaged = made._ran(work / "run")  # noqa: SLF001  # the run that all others are compared with
        assert undamaged.succeeded, undamaged
        wanted = frozenset(_sent(record) for entry in receiver.journal for record in entry.records)
        assert len(wanted) == 4, wanted
        yield Template(home, work, receiver, made.ledger, made.rows, segments, refs, anchors, wanted)


def _sent(record: dict[str, Any]) -> str:
    return json.dumps(record, sort_keys=True)


def _damaged(content: bytes, dice: random.Random) -> bytes:
    """Other bytes: one bit or some flipped, a stretch zeroed or overwritten, or the end cut off."""
    damaged = bytearray(content)
    kind = dice.random()
    if kind < 0.75:
        for _ in range(1 if kind < 0.6 else dice.randint(2, 20)):
            damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
    elif kind < 0.9:
        start = dice.randrange(len(damaged))
        end = min(len(damaged), start + dice.choice((8, 64, 512)))
        damaged[start:end] = bytes(end - start) if kind < 0.83 else dice.randbytes(end - start)
    else:
        del damaged[dice.randrange(len(damaged)) :]
    return bytes(damaged) if bytes(damaged) != content else _damaged(content, dice)


def _read(path: Path) -> Rows:
    """Every row that decides anything; leases and paces say nothing that happened."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        tables = ("event", "stream_head", "version", "capture", "run", "run_window", "sync_state")
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in tables}


def named_segments(path: Path) -> Iterator[SegmentRef]:
    """Every segment that an event of the ledger names and that is there."""

    def walk(value: Any) -> Iterator[SegmentRef]:
        if isinstance(value, dict):
            with suppress(KeyError):
                yield SegmentRef(value["path"], Digest(value["digest"]), value["rows"], value["bytes"])
            value = list(value.values())
        if isinstance(value, list):
            for member in value:
                yield from walk(member)

    with closing(sqlite3.connect(path)) as connection:
        found = {ref for (data,) in connection.execute("SELECT data FROM event") for ref in walk(json.loads(data))}
    exists: Callable[[SegmentRef], bool] = lambda ref: (path.parent / "segments" / ref.path).exists()  # noqa: E731
    return iter(sorted(filter(exists, found), key=lambda ref: ref.path))
