"""Small projects for tests: a folder with valid files that a test fills with data and bends where it must."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from engine.faces.cli.main import main
from engine.segments.files import Storage
from tests.checker import Checked, check
from tests.forked import Forked
from tests.given import Played
from tests.receiver import Receiver

ROOT = Path(__file__).parent.parent

CONTRACT: dict[str, Any] = {
    "apiVersion": "v3.0.2",
    "kind": "DataContract",
    "id": "people",
    "name": "people",
    "version": "1.0.0",
    "status": "active",
    "schema": [
        {
            "name": "people",
            "properties": [
                {
                    "name": "id",
                    "logicalType": "integer",
                    "primaryKey": True,
                    "required": True,
                    "classification": "internal",
                },
                {"name": "name", "logicalType": "string", "classification": "internal"},
                {"name": "score", "logicalType": "number", "physicalType": "double", "classification": "internal"},
            ],
        }
    ],
}


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class TestProject:
    """A project folder; every method writes a file or runs a command in it."""

    __test__ = False
    attic: Path | None = None
    """Where every segment is kept for `checked`, whatever the project drops; it must be on the same disk."""

    def __init__(
        self, folder: Path, url: str, *, ledger: str = "sqlite:///.tidegate/ledger.db", threads: int = 1
    ) -> None:
        """A few rows are not read faster by a second thread, which takes time to start."""
        self.folder = folder
        self.write(
            "tidegate.yaml",
            {
                "name": "test",
                "environment": "development",
                "environments": {"development": {"ledger": ledger, "storage": ".tidegate/segments"}},
                "connections": {"lake": {"type": "files", "path": "data"}},
                "compute": {"engine": "duckdb", "memory": "512MB", "threads": threads},
            },
        )
        self.write("contracts/people-v1.odcs.yaml", CONTRACT)
        self.write(
            "datasets/people.yaml",
            {
                "name": "people",
                "contract": "contracts/people-v1.odcs.yaml",
                "source": {"connection": "lake", "table": "people.parquet"},
            },
        )
        self.destination("hook", url)
        self.sync("people_to_hook")

    def remember(self, played: Played[Outcome], receiver: Receiver) -> None:
        """Let `given` know what was played for others; this project must reach no destination but ``receiver``."""
        self._played, self._receiver = played, receiver

    @property
    def given(self) -> TestProject:
        """This project, for commands that only lead to what a test judges: their outcome may be a copy (`tests.given`)."""
        return _Given(self)

    def write(self, name: str, content: Any) -> Path:
        """Write a YAML file below the project."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        return path

    def destination(self, name: str, url: str, **more: Any) -> None:
        self.write(f"destinations/{name}.yaml", {"name": name, "type": "webhook", "config": {"url": url}, **more})

    def sync(self, name: str, **more: Any) -> None:
        self.write(
            f"syncs/{name}.yaml",
            {
                "name": name,
                "dataset": "people@1",
                "destination": "hook",
                "object": "contacts",
                "mode": "mirror",
                "match": {"external_id": "id"},
                "consent": {"none": "test data"},
                "fields": {"name": "name", "score": "score"},
                **more,
            },
        )

    def people(self, rows: dict[int, tuple[str | None, float | None]]) -> None:
        """Replace the source by these rows."""
        table = pa.table(
            {
                "id": pa.array(list(rows), pa.int64()),
                "name": pa.array([name for name, _ in rows.values()], pa.string()),
                "score": pa.array([score for _, score in rows.values()], pa.float64()),
            }
        )
        self.data(table)

    def data(self, table: pa.Table, name: str = "people.parquet") -> None:
        (self.folder / "data").mkdir(exist_ok=True)
        pq.write_table(table, self.folder / "data" / name)

    def run(self, *arguments: str) -> Outcome:
        """Run a command to its end in this process, through the same door as a person."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), self._putting_away():
            try:
                main(["--project", str(self.folder), *arguments])
            except SystemExit as ended:
                code = int(ended.code or 0)
        self._put_away()
        return Outcome(code, out.getvalue(), err.getvalue())

    def run_process(self, *arguments: str, env: dict[str, str] | None = None, timeout: float = 100) -> Outcome:
        """Run a command to its end in a process of its own, which may die."""
        process = self.start(*arguments, env=env)
        try:
            out, err = process.communicate(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        self._put_away()
        return Outcome(process.wait(), out, err)

    @contextlib.contextmanager
    def _putting_away(self) -> Iterator[None]:
        """Put away also what one command writes and drops."""
        remove = Storage.remove_path

        def kept(storage: Storage, path: str) -> bool:
            self._put_away()
            return remove(storage, path)

        with mock.patch.object(Storage, "remove_path", kept) if self.attic else contextlib.nullcontext():
            yield

    def _put_away(self) -> None:
        if self.attic is None:
            return
        segments = self.folder / ".tidegate" / "segments"
        for file in segments.rglob("*.parquet"):
            kept = self.attic / file.relative_to(segments)
            if not kept.exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                kept.hardlink_to(file)

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> Forked:
        """Start a command and return its process."""
        return Forked(["--project", str(self.folder), *arguments], self.environment(env))

    def report(self, sync: str = "people_to_hook") -> dict[str, Any]:
        """The report of ``run --json`` for one sync."""
        outcome = self.run("--json", "run", sync)
        reports: list[dict[str, Any]] = outcome.json
        assert isinstance(reports, list), outcome
        assert len(reports) == 1, outcome
        return {**reports[0], "exit": outcome.code}

    def checked(self, receiver: Receiver, sync: str = "people_to_hook") -> Checked:
        """What the checker says of this project's SQLite ledger and what ``receiver`` received."""
        state = self.folder / ".tidegate"
        segments = self.attic or state / "segments"
        return check(f"sqlite:///{state / 'ledger.db'}", segments, sync, receiver.journal, receiver.records)

    def environment(self, more: dict[str, str] | None) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TIDEGATE_")}
        return {**kept, "PYTHONPATH": str(ROOT), **(more or {})}


class _Given(TestProject):
    """The door to a project that takes what was played for another one with the same beginning."""

    def __init__(self, project: TestProject) -> None:
        self.folder, self._played, self._receiver = project.folder, project._played, project._receiver

    def run(self, *arguments: str) -> Outcome:
        return self._played.outcome(self.folder, self._receiver, arguments, lambda: super(_Given, self).run(*arguments))
