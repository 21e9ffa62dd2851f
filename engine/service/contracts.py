"""The contracts that a project's datasets name, as far as they may be used in its environment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from config.problems import Problem
from config.project import Project
from engine.contracts.finding import Finding
from engine.contracts.odcs import Contract, InvalidContract, read_contract
from engine.contracts.status import Status, retired, unfinished
from engine.core.classification import Classifications


@dataclass(frozen=True, slots=True)
class Usable:
    """A contract that could be read; ``refused`` is why nothing may be read under it in this environment, None when it may."""

    contract: Contract
    refused: Problem | None


def usable_contracts(
    project: Project, classes: Classifications, problems: list[Problem], warnings: list[str]
) -> dict[str, Usable]:
    """Contracts by the path that a dataset gives; each file is judged once, and what is wrong goes to ``problems``.

    That nothing may be read under a contract now is no problem of the project: it stops what reads, and nothing else.
    """
    read: dict[str, Usable] = {}
    judged: set[str] = set()
    for dataset in project.datasets.values():
        document = project.contract_of(dataset)
        found = read_contract(document.data, classes)
        if isinstance(found, Contract):
            said = _refusal(project, found)
            refused = said and project.problem(document.file, said.path, said.code, said.message, said.hint)
            read[dataset.contract] = Usable(found, refused)
        if document.file not in judged and isinstance(found, Contract):
            warnings += (f"{document.file}: {said}" for said in _warnings(project, found))
        elif document.file not in judged and isinstance(found, InvalidContract):
            problems += (project.problem(document.file, f.path, f.code, f.message, f.hint) for f in found.findings)
        judged.add(document.file)
    return read


def _refusal(project: Project, contract: Contract) -> Finding | None:
    if contract.status is Status.RETIRED:
        return retired()
    if contract.status.is_unfinished and project.environment.refuses_drafts:
        return unfinished(contract.status)
    return None


def _warnings(project: Project, contract: Contract) -> Iterator[str]:
    for name in contract.not_enforced:
        yield f"{name} is not enforced by this version"
    if contract.status.is_unfinished and not project.environment.refuses_drafts:
        yield f"the contract is of status `{contract.status}`, and may change under what was delivered"
    if contract.status is Status.DEPRECATED:
        end = contract.promises.lifetime.end_of_support
        until = f"supported until {end:%Y-%m-%d}" if end else "it names no `endOfSupport`"
        yield f"the contract is deprecated: {until}"
