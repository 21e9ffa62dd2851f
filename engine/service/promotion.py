"""Move a sync to the next major of its dataset: what would be sent, what the contract changes, and the line to edit."""

from __future__ import annotations

import os
import re
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from config.problems import Problem
from config.sync import DatasetReference, SyncFile
from engine.contracts.difference import Change
from engine.contracts.succession import succession
from engine.core.names import major_of, name_of
from engine.errors import ConfigurationError
from engine.service.app import App
from engine.service.plans import PlanPreview, preview_plan
from engine.service.resolve import resolve


@dataclass(frozen=True, slots=True)
class PromotionReport:
    """From dataset ``before`` to ``after``: the line ``line`` of ``file`` that says so, and whether it was ``written``.

    ``changes`` are those between the two contracts. ``plan`` is what a run would send once the line is changed; None where
    ``problems`` stand between the sync's file and the new contract.
    """

    sync: str
    before: str
    after: str
    file: str
    line: int
    becomes: str
    changes: tuple[Change, ...]
    plan: PlanPreview | None
    problems: tuple[Problem, ...]
    written: bool
    next: str


def promote(app: App, name: str, *, samples: int = 3, write: bool = False) -> PromotionReport:
    """What moving a sync to the next major would do; the file is changed only to ``write``, and only when nothing blocks.

    Reads the source of the next major as `preview_plan` does, and appends nothing. Raises `ConfigurationError` when there is
    no next major, and when the line cannot be edited by a machine.
    """
    sync, file = app.sync(name), app.project.syncs[name]
    target = _next(app, file.dataset)
    after = f"{target.name}@{target.major}"
    moved = file.model_copy(update={"dataset": target})
    project = replace(app.project, syncs=MappingProxyType({**app.project.syncs, name: moved}))
    resolved = resolve(project)
    line = project.locate(file.file, ("dataset",))
    found = next(dataset for id, dataset in app.datasets.items() if id == after)
    report = PromotionReport(
        sync=name,
        before=sync.dataset.id,
        after=after,
        file=file.file,
        line=line,
        becomes=f"dataset: {after}",
        changes=succession(sync.dataset.definition, found.definition, found.classes).changes,
        plan=None,
        problems=tuple(resolved.problems),
        written=False,
        next=f"mend {file.file} for {after}, then tidegate contract promote {name}",
    )
    if resolved.problems:
        return report
    imagined = replace(app, project=project, datasets=resolved.datasets, syncs=resolved.syncs)
    plan = preview_plan(imagined, name, samples=samples)
    report = replace(report, plan=plan)
    if plan.blocked:
        return replace(report, next="mend what blocks; a run would send nothing")
    if not write:
        return replace(report, next=f"change the line, or tidegate contract promote {name} --write")
    _write(app, file, line, sync.dataset.id, after)
    return replace(report, written=True, next=f"tidegate run {name}")


def _next(app: App, now: DatasetReference) -> DatasetReference:
    majors = (major_of(id) for id in app.datasets if name_of(id) == now.name)
    higher = sorted(major for major in majors if major > now.major)
    if not higher:
        raise ConfigurationError(
            f"This project has no major of `{now.name}` above {now.major}",
            safe="Nothing was changed.",
            next="give the new major a contract and a file in datasets/ beside the one of today",
        )
    return DatasetReference(now.name, higher[0])


def _write(app: App, file: SyncFile, line: int, before: str, after: str) -> None:
    """Change one word of one line and leave everything else of the file as it is; the file is replaced whole."""
    path = app.project.folder / file.file
    lines = path.read_bytes().splitlines(keepends=True)
    pattern = re.compile(rf"(dataset[\"']?\s*:\s*[\"']?){re.escape(before)}(?![0-9])".encode())
    changed, count = pattern.subn(rb"\g<1>" + after.encode(), lines[line - 1])
    if count != 1:
        raise ConfigurationError(
            f"The dataset of {file.name} is not written as one word on its line",
            where=f"{file.file}:{line}",
            safe="Nothing was changed.",
            next=f"write `dataset: {after}` there",
        )
    _replace(path, b"".join([*lines[: line - 1], changed, *lines[line:]]))


def _replace(path: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as draft:
        draft.write(content)
        draft.flush()
        os.fsync(draft.fileno())
    made = Path(draft.name)
    try:
        made.chmod(path.stat().st_mode & 0o777)
        made.replace(path.resolve())
    except OSError:
        made.unlink(missing_ok=True)
        raise
