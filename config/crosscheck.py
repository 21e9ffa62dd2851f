"""What one file says of another: names that must exist, be unique, or be allowed in this environment.

A name counts as declared even when the rest of its file is wrong, and a kind of file of which one cannot be read has
no unknown names, so that one mistake is reported once.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from config.clearance import UNKNOWN
from config.dataset import DatasetFile
from config.destination import DestinationFile
from config.environment import ProjectFile
from config.locate import Document
from config.problems import Code, KeyPath, Problem, did_you_mean, dotted
from config.sync import SyncFile


@dataclass(frozen=True, slots=True)
class Declared:
    """The documents of a project by kind, the models of those that are valid, and the folders with unreadable files."""

    project: Document
    datasets: Sequence[Document]
    destinations: Sequence[Document]
    syncs: Sequence[Document]
    unreadable: frozenset[str]
    environment: str
    valid_project: ProjectFile | None
    valid_datasets: Sequence[DatasetFile]
    valid_destinations: Sequence[DestinationFile]
    valid_syncs: Sequence[SyncFile]

    def document(self, file: str) -> Document:
        return next(d for d in (*self.datasets, *self.destinations, *self.syncs) if d.file == file)


def cross_references(declared: Declared) -> tuple[Problem, ...]:
    """Every problem between files."""
    return (
        *_duplicate_datasets(declared),
        *_duplicates(declared.syncs, "sync"),
        *_duplicate_destinations(declared),
        *_dataset_references(declared),
        *_destination_environments(declared),
        *_destination_clearances(declared),
        *_sync_references(declared),
        *_circles(declared),
    )


def _name(document: Document) -> str | None:
    name = document.data.get("name")
    return name if isinstance(name, str) else None


def _names(documents: Sequence[Document]) -> set[str]:
    return {name for document in documents if (name := _name(document)) is not None}


def _twice(document: Document, kind: str, first: str) -> Problem:
    message = f"the {kind} `{_name(document)}` is already declared in {first}"
    return document.problem(("name",), Code.DUPLICATE_NAME, message, "names differ by more than case")


def _duplicates(documents: Sequence[Document], kind: str) -> Iterator[Problem]:
    seen: dict[str, str] = {}
    for document in documents:
        name = _name(document)
        if name is None:
            continue
        if name.casefold() in seen:
            yield _twice(document, kind, seen[name.casefold()])
        seen.setdefault(name.casefold(), document.file)


def _duplicate_datasets(declared: Declared) -> Iterator[Problem]:
    """One name may stand for several majors, which several contracts give."""
    seen: dict[tuple[str, str], str] = {}
    for document in declared.datasets:
        name, contract = _name(document), document.data.get("contract")
        if name is None:
            continue
        key = (name.casefold(), posixpath.normpath(contract) if isinstance(contract, str) else "")
        if key in seen:
            yield _twice(document, "dataset", seen[key])
        seen.setdefault(key, document.file)


def _duplicate_destinations(declared: Declared) -> Iterator[Problem]:
    """One name may stand for several accounts if no environment sees two of them."""
    seen: list[tuple[str, set[str] | None, str]] = []
    for document in declared.destinations:
        name, listed = _name(document), document.data.get("environments")
        if name is None:
            continue
        environments = {str(item) for item in listed} if isinstance(listed, list) else None
        for other, others, file in seen:
            overlap = environments is None or others is None or environments & others
            if other == name.casefold() and overlap:
                yield _twice(document, "destination", file)
                break
        seen.append((name.casefold(), environments, document.file))


def _unknown(document: Document, path: KeyPath, kind: str, name: str, known: set[str]) -> Problem:
    message = f"`{dotted(path)}` names the {kind} `{name}`, which does not exist"
    return document.problem(path, Code.UNKNOWN_REFERENCE, message, did_you_mean(name, known))


def _dataset_references(declared: Declared) -> Iterator[Problem]:
    written = declared.project.data.get("connections")
    connections = set(written) if isinstance(written, dict) else set()
    for dataset in declared.valid_datasets:
        document = declared.document(dataset.file)
        connection = dataset.source.connection
        if connection not in connections:
            yield _unknown(document, ("source", "connection"), "connection", connection, connections)
            continue
        if declared.valid_project is None or declared.valid_project.connections[connection].type != "files":
            continue
        if dataset.source.table is not None and _leaves(dataset.source.table):
            message = "`source.table` leaves the folder of its connection"
            hint = "name a file below the connection's path"
            yield document.problem(("source", "table"), Code.OUTSIDE_PROJECT, message, hint)


def _leaves(path: str) -> bool:
    """Whether a relative path climbs out of the folder that it starts in."""
    return posixpath.isabs(path) or posixpath.normpath(path).split("/")[0] == ".."


def _destination_environments(declared: Declared) -> Iterator[Problem]:
    written = declared.project.data.get("environments")
    known = set(written) if isinstance(written, dict) else set()
    for destination in declared.valid_destinations:
        document = declared.document(destination.file)
        for index, name in enumerate(destination.environments or ()):
            if name not in known:
                yield _unknown(document, ("environments", index), "environment", name, known)


def _destination_clearances(declared: Declared) -> Iterator[Problem]:
    if declared.valid_project is None:
        return
    order = declared.valid_project.clearance.order
    for destination in declared.valid_destinations:
        word = destination.clearance
        if word is not None and word not in order:
            document = declared.document(destination.file)
            message = f"`clearance` {UNKNOWN}, and `{word}` is none"
            yield document.problem(("clearance",), Code.BAD_VALUE, message, did_you_mean(word, order))


def _sync_references(declared: Declared) -> Iterator[Problem]:
    datasets, destinations = _names(declared.datasets), _names(declared.destinations)
    # Of an environment that does not exist nothing is said but that: it allows no destination, and none is at fault.
    here = declared.environment
    allowed = {d.name for d in declared.valid_destinations if not here or d.is_for(here)}
    restricted = {d.name for d in declared.valid_destinations} - allowed
    all_datasets, all_destinations = (kind not in declared.unreadable for kind in ("datasets", "destinations"))
    for sync in declared.valid_syncs:
        document = declared.document(sync.file)
        if all_datasets and sync.dataset.name not in datasets:
            yield _unknown(document, ("dataset",), "dataset", sync.dataset.name, datasets)
        if all_destinations and sync.destination not in destinations:
            yield _unknown(document, ("destination",), "destination", sync.destination, destinations)
        elif sync.destination in restricted:
            message = f"the destination `{sync.destination}` may not be used in `{here}`"
            hint = "see `environments` in the destination's file"
            yield document.problem(("destination",), Code.WRONG_ENVIRONMENT, message, hint)
        after = sync.schedule.after if sync.schedule else None
        if all_datasets and after is not None and after.partition("@")[0] not in {*datasets, "dataset"}:
            yield _unknown(document, ("schedule", "after"), "dataset", after.partition("@")[0], datasets)


def _circles(declared: Declared) -> Iterator[Problem]:
    """Syncs that read a dataset anew after another has a new version, and so on back to the first, would never rest."""
    leads: dict[str, set[str]] = {}
    for sync in declared.valid_syncs:
        after = sync.schedule.after if sync.schedule else None
        if after is not None and after.partition("@")[0] not in {sync.dataset.name, "dataset"}:
            leads.setdefault(after.partition("@")[0], set()).add(sync.dataset.name)
    for sync in declared.valid_syncs:
        after = sync.schedule.after if sync.schedule else None
        if after is not None and after.partition("@")[0] in _reached(leads, sync.dataset.name):
            message = f"`schedule.after` follows `{after}`, which follows `{sync.dataset.name}`: they would set each other off for ever"
            hint = "let one of them follow a time"
            yield declared.document(sync.file).problem(("schedule", "after"), Code.BAD_VALUE, message, hint)


def _reached(leads: dict[str, set[str]], start: str) -> set[str]:
    """The datasets that are read anew, sooner or later, because ``start`` has a new version."""
    reached: set[str] = set()
    waiting = set(leads.get(start, ()))
    while waiting:
        reached |= waiting
        waiting = {further for one in waiting for further in leads.get(one, ())} - reached
    return reached
