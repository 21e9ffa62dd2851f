"""Capture one dataset, or once for several syncs that share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.core.events import CheckResult
from engine.core.names import DatasetId
from engine.core.verdict import blocked, reasons, stopping
from engine.errors import ContractRefused
from engine.ledger.projections import versions
from engine.service.app import App
from engine.service.retention import drop_old
from engine.steps.anchors import check_anchors
from engine.steps.capture import Accepted, Blocked, Captured, Held, Unchanged, as_captured, capture
from engine.steps.contract import VERSION
from engine.steps.facts import Dataset, Tools
from engine.steps.races import raced

ATTEMPTS_MAX = 3


@dataclass(frozen=True, slots=True)
class CaptureReport:
    """What became of one read: ``accepted``, ``unchanged``, ``held`` or ``blocked``.

    ``candidate`` names what waits for approval; ``version`` stays current meanwhile.
    """

    dataset: str
    status: str
    version: int | None
    rows: int
    inserts: int
    updates: int
    deletes: int
    reason: str
    checks: tuple[CheckResult, ...]
    candidate: str = ""
    next: str = ""


def capture_dataset(app: App, name: str) -> CaptureReport:
    """Read, judge and accept one dataset; raises what a read may raise, `LedgerRegressed` and `ContractRefused` before it."""
    dataset = app.dataset(name)
    check_anchors(app.tools)
    captured = _settled(app.tools, dataset)
    if isinstance(captured, Accepted):
        drop_old(app, [dataset.id])
    return _report(dataset, captured)


class SharedReads:
    """Captures each dataset at most once; several syncs of one dataset share one read."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._done: dict[str, Captured] = {}

    def capture(self, dataset: Dataset) -> Captured:
        """What became of the dataset's only read, if it may be read.

        That it may not counts as a block: what the version before still owes to people is owed whatever a file says.
        """
        if dataset.id not in self._done:
            try:
                self._done[dataset.id] = _settled(self._tools, dataset)
            except ContractRefused as error:
                latest = versions.latest(self._tools.database, dataset.id)
                check = blocked(VERSION, f"{error.what}. {error.next}")
                self._done[dataset.id] = Blocked(dataset.id, latest.version if latest else None, (check,), 0.0)
        return self._done[dataset.id]

    @property
    def accepted(self) -> list[DatasetId]:
        """The datasets of which a version was accepted."""
        return [DatasetId(id) for id, captured in self._done.items() if isinstance(captured, Accepted)]

    def of_sync(self, dataset: Dataset, registers: tuple[Dataset, ...]) -> Callable[[], Captured]:
        """Reads the consent registers, then the dataset; a register that is held or blocked holds or blocks."""
        return lambda: self._refused(registers) or self.capture(dataset)

    def of_registers(self, dataset: Dataset, registers: tuple[Dataset, ...]) -> Callable[[], Captured]:
        """Reads the consent registers only, and takes the dataset as it was captured last."""

        def captured() -> Captured:
            return self._refused(registers) or as_captured(self._tools, dataset)

        return captured

    def _refused(self, registers: tuple[Dataset, ...]) -> Held | Blocked | None:
        found = (self.capture(register) for register in registers)
        return next((one for one in found if isinstance(one, Held | Blocked)), None)


def _settled(tools: Tools, dataset: Dataset) -> Captured:
    """A capture that lost a race against another is made again, from the facts as they are then."""
    return raced(lambda: capture(tools, dataset), ATTEMPTS_MAX)


def _report(dataset: Dataset, captured: Captured) -> CaptureReport:
    match captured:
        case Accepted(version, rows, inserts, updates, deletes, checks, _):
            return CaptureReport(dataset.id, "accepted", version, rows, inserts, updates, deletes, "", checks)
        case Unchanged(version, rows, _, checks):
            why = "the source holds the same rows"
            return CaptureReport(dataset.id, "unchanged", version, rows, 0, 0, 0, why, checks)
        case Held(_, candidate, version, rows, checks, _):
            why = f"version {candidate} waits for approval: {reasons(stopping(checks))}"
            step = f"tidegate approve {candidate}, or tidegate reject {candidate}"
            return CaptureReport(dataset.id, "held", version, rows, 0, 0, 0, why, checks, candidate, step)
        case Blocked(_, version, checks, _):
            why = reasons(stopping(checks))
            step = "mend the source or the contract, then capture again; the version before stays current"
            return CaptureReport(dataset.id, "blocked", version, 0, 0, 0, 0, why, checks, "", step)
