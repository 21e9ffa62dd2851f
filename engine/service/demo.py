"""The demo: a small shop is delivered to a sandbox CRM, changes within a month, and is delivered again.

It goes through the same services as the commands do, and checks itself: what the sandbox holds must be what the
ledger says was acknowledged.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from textwrap import wrap

from config.demo.generate import shop, write
from engine.core.outcome import RunStatus
from engine.delivery.stop import StopRequest
from engine.errors import ConfigurationError, DestinationError, TidegateError
from engine.service.app import App
from engine.service.demo_sandbox import serving
from engine.service.plans import PlanPreview, preview_plan
from engine.service.reports import RunReport
from engine.service.runs import run_syncs
from engine.service.samples import Sample
from engine.service.scaffold import DATA, init
from engine.service.status import sync_statuses

SYNC = "customers_to_crm"
OBJECT = "contacts"
SAMPLES = 12
"""Looked at per kind of change; of those with the same reason and field one is told."""
_WIDTH = 100
_CRM = "destinations/crm.yaml"
_WRITTEN_URL = "http://127.0.0.1:8765"
_STATE = ".tidegate"
_MARK = "demo"
"""A file in `_STATE` that says: this folder was written by a demo, and the next one may write it anew."""

Say = Callable[[str], None]
Opening = Callable[[Path], App]
"""Opens the project in a folder; handed in, because wiring is not a service's business."""


@dataclass(frozen=True, slots=True)
class DemoReport:
    """The three runs, the plan that was shown before the second, and how many contacts the sandbox holds at the end."""

    folder: Path
    first: RunReport
    preview: PlanPreview
    second: RunReport
    third: RunReport
    contacts: int


def run_demo(folder: Path, opening: Opening, say: Say) -> DemoReport:
    """Write the demo project to ``folder``, run it against a sandbox of its own, and tell ``say`` line by line.

    ``folder`` must be absent, empty or written by an earlier demo. Raises `ConfigurationError` when it is not, and
    `TidegateError` when a run ends otherwise than the demo is made for.
    """
    _prepare(folder)
    with serving(folder / _STATE / "sandbox") as sandbox:
        written = lead_to(folder, sandbox.address)
        app = opening(folder)
        try:
            report = _story(folder, app, lambda: sandbox.held(OBJECT), say)
        finally:
            app.close()
            # Where `tidegate sandbox` serves the same store once this one has ended.
            (folder / _CRM).write_text(written, encoding="utf-8")
    for line in _afterwards(folder):
        say(line)
    return report


def lead_to(folder: Path, address: str) -> str:
    """Let the demo's project in ``folder`` deliver to a sandbox at ``address``; returns what the file said before."""
    crm = folder / _CRM
    written = crm.read_text(encoding="utf-8")
    crm.write_text(written.replace(_WRITTEN_URL, address), encoding="utf-8")
    return written


def _prepare(folder: Path) -> None:
    """An empty project folder; what an earlier demo left in it is removed."""
    mark = folder / _STATE / _MARK
    if mark.is_file():
        shutil.rmtree(folder)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigurationError(
            f"`{folder}` holds something else than an earlier demo",
            safe="Nothing was written.",
            next="name a folder that is empty or does not exist: `tidegate demo DIR`",
        )
    init(folder)
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.write_text("written by `tidegate demo`, which may write this folder anew\n", encoding="utf-8")


def _story(folder: Path, app: App, contacts: Callable[[], int], say: Say) -> DemoReport:
    say(f"A shop has {len(shop(1).customers):,} customers. Its CRM should hold those who agreed to e-mail marketing.")
    say("")
    first = _run(app, RunStatus.SUCCEEDED)
    _tell(say, "1. The first run: everything is new.", _delivered(first), _withheld(first))

    write(shop(2), folder / DATA)
    preview = preview_plan(app, SYNC, samples=SAMPLES)
    _tell(
        say, "2. A month later the warehouse holds other data. A plan shows what a run would send:", *_planned(preview)
    )

    second = _run(app, RunStatus.SUCCEEDED)
    _tell(say, "3. The second run sends just that.", _delivered(second), _withheld(second))

    third = _run(app, RunStatus.UNCHANGED)
    _tell(say, "4. The same again:", f"{third.status}; {third.requests} requests")

    held = contacts()
    (status,) = sync_statuses(app, SYNC)
    if held != status.held:
        raise DestinationError(
            f"The sandbox holds {held:,} contacts, and the ledger says {status.held:,} were acknowledged",
            safe="The project is left as it is.",
            next=f"tidegate runs {SYNC}",
        )
    for line in _summary(first, second, held):
        say(line)
    return DemoReport(folder, first, preview, second, third, held)


def _run(app: App, expected: RunStatus) -> RunReport:
    (report,) = run_syncs(app, [SYNC], StopRequest())
    if report.status is not expected:
        raise TidegateError(
            f"The demo expected a run that ended {expected}, and it ended {report.status}: {report.reason}",
            where=report.sync,
            next=report.next or f"tidegate runs {SYNC}",
        )
    return report


def _tell(say: Say, title: str, *lines: str) -> None:
    say(title)
    for line in lines:
        say(f"   {line}")
    say("")


def _delivered(report: RunReport) -> str:
    done = report.delivered
    return (
        f"{done.inserts:,} contacts inserted, {done.updates:,} updated, {done.deletes:,} deleted, "
        f"{report.plan.unchanged:,} left alone; {report.requests} requests"
    )


def _withheld(report: RunReport) -> str:
    return f"{report.plan.withheld:,} customers withheld: they did not agree, took it back, or let it lapse"


def _planned(preview: PlanPreview) -> Iterator[str]:
    plan = preview.plan
    yield f"{plan.inserts:,} inserts, {plan.updates:,} updates, {plan.deletes:,} deletes, {plan.unchanged:,} unchanged"
    yield f"compared: {plan.comparison}, because {plan.reason}"
    told: set[tuple[str, ...]] = set()
    for sample in preview.samples:
        kind = (sample.change, sample.reason, *sample.changed[:1])
        if kind not in told:
            yield _shown(sample)
        told.add(kind)


def _shown(sample: Sample) -> str:
    """One record; personal values arrive masked."""
    changed = ", ".join(
        f"{name} {_value(sample.before, name)} → {_value(sample.after, name)}" for name in sample.changed
    )
    what = f"{sample.change} of {sample.id} ({sample.reason})"
    return f"{what}: {changed}" if sample.change == "update" else what


def _value(values: Mapping[str, str | None], name: str) -> str:
    return values.get(name) or "nothing"


def _summary(first: RunReport, second: RunReport, held: int) -> Iterator[str]:
    touched = second.delivered.updates + second.delivered.deletes
    yield from wrap(
        f"What happened: the CRM holds {held:,} contacts, one for each customer who agrees today. Of the "
        f"{first.delivered.inserts:,} that the first run delivered, the second touched {touched:,}: those whose mapped "
        "values changed, who left, or who took their consent back. What changed in other columns sent nothing, and the "
        "third run found nothing to do. Every step stands in the ledger.",
        _WIDTH,
    )
    yield ""


def _afterwards(folder: Path) -> Iterator[str]:
    yield "Look next:"
    for command in (
        f"cd {quote(str(folder))}",
        "tidegate status",
        "tidegate versions customers",
        "tidegate diff customers 1 2",
        f"tidegate show {SYNC} --key 42",
        "tidegate ledger verify",
    ):
        yield f"   {command}"
    yield ""
    yield "The CRM ended with the demo. `tidegate sandbox` in that folder serves it again, with all that it holds;"
    yield f"then `tidegate run {SYNC}` in another terminal goes on."
