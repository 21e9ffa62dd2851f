"""Release notes of a dataset's contracts, from the ledger: which came when, what it changed and why that counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.contracts.difference import Change
from engine.contracts.succession import succession
from engine.core.classification import Classifications
from engine.core.names import DatasetId, is_meant, major_of
from engine.errors import ConfigurationError
from engine.ledger.contracts import ContractRow, contract_log
from engine.ledger.projections import versions
from engine.service.app import App
from engine.service.deprecations import notice
from engine.service.mapping import project_classes

FIRST = "first"
NOTHING = "unchanged"


@dataclass(frozen=True, slots=True)
class ContractNote:
    """One contract: in force from ``version`` of ``dataset`` on, ``since`` a moment in ISO 8601, by whose capture or approval.

    ``kind`` is breaking, additive or compatible against ``before``, `NOTHING` where only its number is another, and `FIRST`
    where the ledger has none before. ``withdrawn`` says that a person marked that version as bad.
    """

    dataset: str
    contract: str
    before: str
    kind: str
    version: int
    since: str
    by: str
    withdrawn: bool
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True)
class NotesReport:
    """The contracts of all majors of a dataset, newest first; ``ends`` tells of majors that a person ended."""

    name: str
    notes: tuple[ContractNote, ...]
    ends: tuple[str, ...]


def contract_notes(app: App, name: str) -> NotesReport:
    """What the ledger has of ``name``, or of ``name@major``; raises `ConfigurationError` when neither knows it."""
    known = {*versions.datasets(app.tools.database), *app.datasets}
    majors = sorted((id for id in known if is_meant(id, name)), key=major_of)
    if not majors:
        raise ConfigurationError(
            f"There is no dataset `{name}`",
            safe="Nothing was changed.",
            next=f"known: {', '.join(app.dataset_names) or 'none'}",
        )
    classes = project_classes(app.project.clearance)
    before: ContractRow | None = None
    notes: list[ContractNote] = []
    for id in majors:
        for row, note in _of(app, id, before, classes):
            before = row
            notes.append(note)
    ends = tuple(told for id in majors if (told := notice(app.tools, id)))
    return NotesReport(name, tuple(reversed(notes)), ends)


def _of(
    app: App, dataset: DatasetId, before: ContractRow | None, classes: Classifications
) -> Iterator[tuple[ContractRow, ContractNote]]:
    """Each contract of one major, against the one before it, or against the last of the major before."""
    log = contract_log(app.tools.database, dataset)
    for row in log.rows:
        event, kind = row.event, FIRST
        changes: tuple[Change, ...] = ()
        if before is not None:
            found = succession(before.event.definition, event.definition, classes)
            kind, changes = (found.kind.value if found.kind else NOTHING), found.changes
        note = ContractNote(
            dataset=dataset,
            contract=event.contract,
            before=before.event.contract if before else "",
            kind=kind,
            version=event.version,
            since=row.since.isoformat(),
            by=row.by,
            withdrawn=event.version in log.withdrawn,
            changes=changes,
        )
        before = row
        yield row, note
