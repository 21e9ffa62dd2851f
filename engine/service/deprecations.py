"""End a major of a contract on a day, take that back, and tell whom it concerns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from engine.core.events import ContractDeprecated, ContractReinstated
from engine.core.names import DatasetId, contract_stream, name_of
from engine.errors import ConfigurationError
from engine.ledger.contracts import deprecation
from engine.service.app import App
from engine.service.contract_changes import Concerned
from engine.steps.anchors import check_anchors
from engine.steps.facts import Tools


@dataclass(frozen=True, slots=True)
class DeprecationReport:
    """``until`` is the day on which ``dataset`` ends, ``use`` what takes its place; both are empty once that is taken back."""

    dataset: str
    until: str
    use: str
    reason: str
    notice: str
    concerned: tuple[Concerned, ...]
    next: str


def deprecate(app: App, dataset: str, until: date, use: str, reason: str) -> DeprecationReport:
    """Record that the contract of a dataset ends on a day; a later word replaces an earlier one.

    Raises `ConfigurationError` when either is no dataset of the project with its major, or both are the same.
    """
    id, successor = _exactly(app, dataset), _exactly(app, use)
    if id == successor:
        raise ConfigurationError(
            f"{id} cannot take its own place", safe="Nothing was changed.", next="name the major to use instead"
        )
    check_anchors(app.tools)
    event = ContractDeprecated(id, until.isoformat(), successor, reason)
    app.tools.ledger.append(contract_stream(id), event)
    concerned = _concerned(app, id)
    step = f"tidegate contract promote {concerned[0].sync}" if concerned else f"tidegate contract reinstate {id}"
    return DeprecationReport(id, event.until, successor, reason, notice(app.tools, id), concerned, step)


def reinstate(app: App, dataset: str, reason: str) -> DeprecationReport:
    """Take back that a contract ends; raises `ConfigurationError` when it does not."""
    id = _exactly(app, dataset)
    if deprecation(app.tools.database, id) is None:
        raise ConfigurationError(
            f"Nobody ended {id}", safe="Nothing was changed.", next="`tidegate status` tells which contracts end"
        )
    check_anchors(app.tools)
    app.tools.ledger.append(contract_stream(id), ContractReinstated(id, reason))
    return DeprecationReport(id, "", "", reason, "", _concerned(app, id), f"tidegate versions {id}")


def notice(tools: Tools, dataset: DatasetId) -> str:
    """That a person ends the contract of a dataset, when, and what takes its place; empty where nobody does."""
    ends = deprecation(tools.database, dataset)
    return "" if ends is None else ends.words(tools.clock.now())


def _exactly(app: App, name: str) -> DatasetId:
    """A dataset that is named with its major: nobody ends the wrong one because another came to be the highest."""
    if "@" in name:
        return app.dataset(name).id
    majors = [id for id in app.dataset_names if name_of(id) == name]
    hint = f"say {' or '.join(f'`{id}`' for id in majors)}" if majors else f"known: {', '.join(app.dataset_names)}"
    raise ConfigurationError(f"`{name}` names no major of a contract", safe="Nothing was changed.", next=hint)


def _concerned(app: App, dataset: DatasetId) -> tuple[Concerned, ...]:
    owners = {file.name: file.owner for file in app.project.datasets.values()}
    syncs = (app.syncs[name] for name in app.sync_names if app.syncs[name].dataset.id == dataset)
    return tuple(
        Concerned(sync.id, sync.target.name, sync.mapping.object, owners.get(name_of(dataset)), ()) for sync in syncs
    )
