"""Drills: break something in a project of its own, follow the runbook to the letter, and measure.

The commands are those that stand on the page, in its order, typed through the same door as a person's. A page that does
not lead back to a destination as desired fails its drill.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engine.clock import Clock
from engine.errors import ConfigurationError, TidegateError
from engine.runbooks import NAMES
from engine.service.demo import OBJECT, SYNC, lead_to
from engine.service.demo_sandbox import serving
from engine.service.drill_faults import FAILURES, KEY, WRONG, Stage
from engine.service.runbooks import Step, runbook
from engine.service.scaffold import init

DATASET = "customers"
DESTINATION = "crm"
PURPOSE = "email_marketing"
ATTEMPTS_MAX = 20
"""Runs that are begun before a drill gives a repair up."""
WAIT_SECONDS_MAX = 30.0
_WELL = frozenset({"succeeded", "unchanged"})
_REFUSED = frozenset({"usage", "configuration", "bug"})


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended, and the document that it printed; None where it printed none."""

    code: int
    document: Any


Type = Callable[[Sequence[str]], Ended]
"""Types a command; handed in, because the command line is no service's business."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A command of the page as it was typed, and its exit code."""

    step: str
    command: str
    code: int


@dataclass(frozen=True, slots=True)
class DrillReport:
    """Seconds from the failure until it was noticed and until all was well; ``restored`` when the destination is as desired."""

    runbook: str
    restored: bool
    seconds_to_detect: float
    seconds_to_restore: float
    commands: tuple[Typed, ...]
    why: str
    """What was not as it should be at the end; empty when all was."""


@dataclass(slots=True)
class _Drill:
    """A drill under way."""

    stage: Stage
    type: Type
    clock: Clock
    typed: list[Typed] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Commands of the page that the command line did not take, or could not do as they stand."""

    def tidegate(self, *arguments: str) -> Ended:
        return self.type(["--project", str(self.stage.folder), "--json", *arguments])

    def run(self) -> str:
        """The status of a run."""
        ended = self.tidegate("run", SYNC)
        return str(ended.document[0]["status"]) if isinstance(ended.document, list) else "failed"

    def run_until_well(self) -> Ended:
        """Run as often as the page says to: again once the next probe may leave."""
        for _ in range(ATTEMPTS_MAX):
            ended = self.tidegate("run", SYNC)
            if isinstance(ended.document, list) and ended.document[0]["status"] in _WELL:
                break
            time.sleep(min(self._wait(), WAIT_SECONDS_MAX))
        return ended

    def _wait(self) -> float:
        """Seconds until the account may be called again."""
        ended = self.tidegate("status", SYNC)
        if not isinstance(ended.document, list):
            return 0.0
        account = ended.document[0]["account"]
        silence = 0.0
        if account["held_until"]:
            silence = (datetime.fromisoformat(account["held_until"]) - self.clock.now()).total_seconds()
        return float(max(account["probe_in_seconds"], silence, 0.0))

    def words(self) -> dict[str, str]:
        """What the words in capitals stand for, as far as the ledger can be asked."""
        runs, versions = self.tidegate("runs", SYNC).document, self.tidegate("versions", DATASET).document
        numbers = [v["version"] for v in versions] if isinstance(versions, list) and versions else [1]
        newest = runs[0]["run"] if isinstance(runs, list) and runs else "none"
        return {
            "SYNC": SYNC,
            "DATASET": DATASET,
            "DESTINATION": DESTINATION,
            "GOOD": str(numbers[max(len(numbers) - 2, 0)]),
            "VERSION": str(numbers[-1]),
            "RUN": newest,
            "KEY": KEY,
            "SUBJECT": KEY,
            "PURPOSE": PURPOSE,
        }

    def follow(self, step: Step) -> None:
        """Type what stands on the page."""
        words = self.words() if step.commands else {}
        for command in step.commands:
            arguments = [_filled(part, words) for part in shlex.split(command)[1:]]
            is_repair = step.name == "Repair" and arguments[:1] == ["run"]
            ended = self.run_until_well() if is_repair else self.tidegate(*arguments)
            self.typed.append(Typed(step.name, command, ended.code))
            if _is_refused(ended):
                self.refused.append(command)


def _is_refused(ended: Ended) -> bool:
    return isinstance(ended.document, dict) and ended.document.get("error", {}).get("code") in _REFUSED


def _filled(text: str, words: dict[str, str]) -> str:
    for word, meant in words.items():
        text = text.replace(word, meant)
    return text


def drill(name: str, type: Type, clock: Clock) -> DrillReport:
    """Make a project that is thrown away, break it, follow the page. Raises `ConfigurationError` for what cannot be drilled."""
    if name not in FAILURES:
        what = "cannot be drilled yet" if name in NAMES else "is no runbook"
        raise ConfigurationError(f"`{name}` {what}", safe="Nothing was started.", next=f"one of {', '.join(FAILURES)}")
    with TemporaryDirectory(prefix="tidegate-drill-") as folder:
        project = Path(folder) / "project"
        init(project)
        with serving(Path(folder) / "sandbox") as sandbox:
            lead_to(project, sandbox.address)
            return _play(name, _Drill(Stage(project, sandbox), type, clock))


def _play(name: str, drill: _Drill) -> DrillReport:
    failure, page = FAILURES[name], runbook(name)
    if failure.after_a_run and drill.run() != "succeeded":
        raise TidegateError("The drill could not begin: the first run did not succeed", next=f"tidegate drill {name}")
    before = drill.stage.sandbox.held(OBJECT)
    began = drill.clock.monotonic()
    failure.breaks(drill.stage)
    status = drill.run()
    detected = drill.clock.monotonic() - began
    for step in page.steps:
        if step.name == "Repair":
            failure.mends(drill.stage)
        drill.follow(step)
        if step.name == "Confirm" and not failure.is_noticed_by_run:
            detected = drill.clock.monotonic() - began
    restored = drill.clock.monotonic() - began
    why = _wrong(name, drill, before, status)
    return DrillReport(name, not why, round(detected, 3), round(restored, 3), tuple(drill.typed), "; ".join(why))


def _wrong(name: str, drill: _Drill, before: int, status: str) -> list[str]:
    """What is not as it should be."""
    failure, held = FAILURES[name], drill.stage.sandbox.held(OBJECT)
    (told,) = drill.tidegate("status", SYNC).document
    found = [f"a command of the page was refused: {command}" for command in drill.refused]
    if failure.is_noticed_by_run and status in _WELL:
        found.append(f"the failure was not noticed: a run ended {status}")
    if held != told["held"] or told["owed"]:
        found.append(f"the destination holds {held:,}, the ledger says {told['held']:,} and {told['owed']:,} owed")
    if failure.after_a_run and held != before - failure.removes:
        found.append(f"the destination holds {held:,} records, and held {before:,} before")
    if any(WRONG in city for city in drill.stage.sandbox.texts(OBJECT, "city")):
        found.append("the destination still has what the bad version said")
    if not failure.keeps_bad_source and drill.run() != "unchanged":
        found.append("a run still finds something to do")
    return found
