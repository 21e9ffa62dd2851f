"""Compare two contracts: every change, what it asks of the version, and which syncs it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from config.consent import NoConsent
from config.dataset import DatasetFile
from config.folder import read_file
from config.locate import Document, Unreadable, read_document
from config.problems import InvalidProject, Problem
from config.project import Project
from config.sync import DatasetReference, SyncFile
from engine.contracts.difference import Bump, Change, Kind, contract_changes, covers, needed_bump
from engine.contracts.odcs import Contract, InvalidContract, read_contract
from engine.core.classification import USUAL, Classifications
from engine.service.mapping import project_classes


@dataclass(frozen=True, slots=True)
class Concerned:
    """A sync that reads what changed: the ``columns`` of it that broke, or none where the contract as a whole did."""

    sync: str
    destination: str
    object: str
    owner: str | None
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ContractDiff:
    """``bump`` is the part of the version that must grow, ``covered`` whether it did."""

    old: str
    new: str
    bump: Bump
    covered: bool
    changes: tuple[Change, ...]
    concerned: tuple[Concerned, ...]


def contract_diff(old: Path, new: Path, project: Project | None) -> ContractDiff:
    """Compare two contract files; ``project`` lends its words for how sensitive a column is, and its syncs.

    Raises `InvalidProject` when a file cannot be read, or is no contract.
    """
    classes = USUAL if project is None else project_classes(project.clearance)
    before, after = _contract(old, classes), _contract(new, classes)
    changes = contract_changes(before, after)
    bump = needed_bump(changes)
    return ContractDiff(
        old=before.version,
        new=after.version,
        bump=bump,
        covered=covers(before.version, after.version, bump),
        changes=changes,
        concerned=()
        if project is None
        else tuple(_concerned(project, {old.resolve(), new.resolve()}, before.major, changes)),
    )


def _contract(path: Path, classes: Classifications) -> Contract:
    found = read_contract((document := _document(path)).data, classes)
    if isinstance(found, InvalidContract):
        raise InvalidProject(document.problem(f.path, f.code, f.message, f.hint) for f in found.findings)
    return found


def _document(path: Path) -> Document:
    content = read_file(path.parent, path.name)
    if isinstance(content, Problem):
        raise InvalidProject([content])
    try:
        return read_document(str(path), content)
    except Unreadable as error:
        raise InvalidProject([error.problem]) from None


def _concerned(project: Project, files: set[Path], major: int, changes: Iterable[Change]) -> Iterator[Concerned]:
    """The syncs of the datasets under either file that a breaking change reaches."""
    broken = [change.column for change in changes if change.kind is Kind.BREAKING]
    if not broken:
        return
    for sync, dataset in _readers(project, files, major):
        used = _columns(sync) | set(dataset.identifier_columns)
        columns = tuple(dict.fromkeys(column for column in broken if column in used))
        if columns or "" in broken:
            yield Concerned(sync.name, sync.destination, sync.object, dataset.owner, columns)


def _readers(project: Project, files: set[Path], major: int) -> Iterator[tuple[SyncFile, DatasetFile]]:
    """The syncs of the datasets that are under a contract of one of ``files``, in the major that changes."""
    for dataset in project.datasets.values():
        if (project.folder / dataset.contract).resolve() in files:
            read = DatasetReference(dataset.name, major)
            yield from ((sync, dataset) for sync in project.syncs.values() if sync.dataset == read)


def _columns(sync: SyncFile) -> set[str]:
    """The columns that a sync reads."""
    columns = {part.column for part in (*sync.match.values(), *sync.fields.values())}
    return columns if isinstance(sync.consent, NoConsent) else columns | {sync.consent.subject}
