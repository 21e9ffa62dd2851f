"""G14: whatever stands in files, arguments, lists of decisions and answers ends in words, soon, and with nothing sent.

The corpus of `tests/corpus` and of `tests/broken_projects` is put everywhere and bent at random, in this process: project
files and contracts (4.1, 4.2), command lines (4.5), lists of decisions (4.4), answers through the webhook's adapter and
the transport that runs use (4.6). Nothing may raise what is not an error of ours, take longer than a second, dial, or end
with an exit code that is not documented.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from goals.goal import Effort, Goal, Numbers, never

from config.locate import Unreadable, read_document
from config.problems import InvalidProject
from config.project import load_project
from engine.bootstrap import open_app
from engine.contracts.odcs import read_contract
from engine.errors import TidegateError
from engine.faces.cli.main import COMMANDS, main
from engine.service.consent import import_decisions
from engine.service.resolve import resolve
from tests.corpus.answers import answered
from tests.corpus.hostile import bent, bent_text, content, items, texts
from tests.projects import TestProject

BASE = Path(__file__).resolve().parents[2] / "tests" / "broken_projects" / "base"
VARIABLES = {"MARTS_URL": "postgresql://reader@127.0.0.1/marts", "CRM_SECRET": "a-secret-of-more-than-24-bytes"}
CODES = frozenset({0, 1, 2, 3, 4, 5, 6, 130})
SECONDS_MAX = 1.0
FILES, TEXTS, CONTRACTS, ARGUMENTS, LISTS, ANSWERS = (
    "project files",
    "files as bytes",
    "contracts",
    "command lines",
    "lists of decisions",
    "answers",
)
SIZES = {FILES: 2_500, TEXTS: 8_000, CONTRACTS: 9_000, ARGUMENTS: 6_000, LISTS: 1_500, ANSWERS: 24_000}
CASES, RAISED, SLOW, DIALLED, UNDOCUMENTED = (
    "cases",
    "cases that raised",
    "cases that took more than a second",
    "connections that were dialled",
    "exit codes that are not documented",
)
_COMMON = ("--json", "--debug", "--env", "--key", "--limit", "--samples", "--subject", "--purpose", "--help", "--")


@dataclass
class Tally:
    """What was tried so far, and what went wrong."""

    counts: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0

    def try_(self, kind: str, shown: object, act: Callable[[], object]) -> None:
        """One case: ``act`` may refuse with an error that the product makes, and with nothing else."""
        self.counts[kind] += 1
        began = time.process_time()
        try:
            act()
        except (InvalidProject, TidegateError, Unreadable):
            pass
        except Exception:  # noqa: BLE001  # whatever it is, it is what is looked for
            self.counts[RAISED] += 1
            print(f"  {kind} raised on {shown!r:.300}\n{traceback.format_exc()[-900:]}", file=sys.stderr)
        took = time.process_time() - began
        self.slowest = max(self.slowest, took)
        if took > SECONDS_MAX:
            self.counts[SLOW] += 1
            print(f"  {kind} took {took:.1f} s on {shown!r:.300}", file=sys.stderr)


def measure(effort: Effort) -> Numbers:
    dice, tally = random.Random(effort.seed), Tally()
    sys.addaudithook(lambda name, _: tally.counts.update([DIALLED] if name == "socket.connect" else []))
    with tempfile.TemporaryDirectory() as folder, _environment(), _elsewhere(Path(folder)):
        _files(Path(folder), dice, tally, effort)
        _contracts(dice, tally, effort.of(SIZES[CONTRACTS]))
        _arguments(Path(folder), dice, tally, effort.of(SIZES[ARGUMENTS]))
        _lists(Path(folder), dice, tally, effort.of(SIZES[LISTS]))
    for shown, act in answered(dice, effort.of(SIZES[ANSWERS])):
        tally.try_(ANSWERS, shown, act)
    counts = {name: tally.counts[name] for name in (*SIZES, RAISED, SLOW, DIALLED, UNDOCUMENTED)}
    return {CASES: sum(tally.counts[kind] for kind in SIZES), **counts, "slowest case (s)": round(tally.slowest, 2)}


@contextlib.contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("TIDEGATE_")]:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _elsewhere(folder: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _files(folder: Path, dice: random.Random, tally: Tally, effort: Effort) -> None:
    """One file of a sound project is bent as data, and loaded with the others; files are spoilt as bytes, and read."""
    project = folder / "bent"
    shutil.copytree(BASE, project)
    sound = {path: path.read_bytes() for path in sorted(project.rglob("*.yaml"))}
    for _ in range(effort.of(SIZES[FILES])):
        path = dice.choice(list(sound))
        data = bent(yaml.safe_load(sound[path]), dice)
        path.write_text(yaml.safe_dump(data, allow_unicode=dice.random() < 0.5), encoding="utf-8")
        tally.try_(FILES, (path.name, data), lambda: resolve(load_project(project, environment=None, env=VARIABLES)))
        path.write_bytes(sound[path])
    for _ in range(effort.of(SIZES[TEXTS])):
        spoilt = bent_text(dice.choice(list(sound.values())), dice)
        tally.try_(TEXTS, spoilt, lambda given=spoilt: read_document("x.yaml", given))  # type: ignore[misc]


def _contracts(dice: random.Random, tally: Tally, count: int) -> None:
    sound = [yaml.safe_load(path.read_bytes()) for path in sorted((BASE / "contracts").iterdir())]
    rules = [
        {"type": "library", "metric": "nullValues", "mustBeLessThan": 1, "unit": "percent", "severity": "error"},
        {"type": "library", "metric": "invalidValues", "arguments": {"pattern": "^a+$"}, "mustBe": 0},
        {"type": "sql", "query": "SELECT count(*) FROM {object}", "mustBeBetween": [0, 9]},
    ]
    for contract in sound:
        for column in contract["schema"][0]["properties"]:
            column["quality"] = rules[:2]
            column["logicalTypeOptions"] = {"minLength": 1} if column["logicalType"] == "string" else {"minimum": 0}
        contract["schema"][0]["quality"] = rules[2:]
        contract["slaProperties"] = [{"property": "latency", "value": 4, "unit": "d"}]
    for _ in range(count):
        data = bent(dice.choice(sound), dice)
        if isinstance(data, dict):
            tally.try_(CONTRACTS, data, lambda given=data: read_contract(given))  # type: ignore[misc]


def _arguments(folder: Path, dice: random.Random, tally: Tally, count: int) -> None:
    """Any words behind any command, in a folder without a project: nothing can be started."""
    names = [
        name for section in COMMANDS.values() for name in section if name not in {"init", "demo", "schema", "sandbox"}
    ]
    inner = ("list", "show", "release", "drop", "tail", "verify", "rebuild", "grant", "withdraw", "import", "check")
    words = [text for text in texts() if "\0" not in text]
    (folder / "empty").mkdir()
    os.chdir(folder / "empty")
    for _ in range(count):
        given = [dice.choice(names)] if dice.random() < 0.9 else []
        given += [
            dice.choice(dice.choice((_COMMON, inner, words, ("people_to_hook", "0", "-1", "1"))))
            for _ in range(dice.randrange(6))
        ]
        tally.try_(ARGUMENTS, given, lambda line=given: _ended(line, tally))  # type: ignore[misc]


def _ended(line: list[str], tally: Tally) -> None:
    out, err = io.StringIO(), io.StringIO()
    code: Any = None
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(line)
        except SystemExit as ended:
            code = ended.code
    told = out.getvalue() + err.getvalue()
    if code not in CODES:
        tally.counts[UNDOCUMENTED] += 1
    if "This is a bug" in told or ("Traceback" in told and "--debug" not in line):
        raise AssertionError(told[-2000:])
    if "--json" in line and "--help" not in line and "-h" not in line and code:
        json.loads(out.getvalue())


def _lists(folder: Path, dice: random.Random, tally: Tally, count: int) -> None:
    project = TestProject(folder / "lists", "http://127.0.0.1:9/batch")
    project.sync("people_to_hook", consent={"purpose": "email", "subject": "id"})
    cases = [case for case in items("decisions") if len(content(case)) < 100_000]
    app = open_app(project.folder, environment=None)
    try:
        for _ in range(count):
            case = dice.choice(cases)
            given = content(case)
            file = folder / f"list.{dice.choice(('csv', 'jsonl', case['form']))}"
            file.write_bytes(bent_text(given, dice) if dice.random() < 0.8 and case.get("hex") is None else given)
            tally.try_(LISTS, file.read_bytes(), lambda: import_decisions(app, file))  # noqa: B023 - called at once
    finally:
        app.close()


def broken(numbers: Numbers) -> list[str]:
    told = never(numbers, RAISED, SLOW, DIALLED, UNDOCUMENTED)
    return told + [f"no {kind} were tried" for kind in SIZES if not numbers[kind]]


GOAL = Goal("G14", "bad input ends in words, soon, and with nothing sent", measure, broken, share=0.02)
