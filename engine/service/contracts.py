"""The contracts that a project's datasets name, as far as they may be used in its environment."""

from __future__ import annotations

from collections.abc import Iterator

from config.problems import Problem
from config.project import Project
from engine.contracts.finding import Finding
from engine.contracts.odcs import Contract, read_contract
from engine.contracts.status import Status, unfinished
from engine.core.classification import Classifications


def usable_contracts(
    project: Project, classes: Classifications, problems: list[Problem], warnings: list[str]
) -> dict[str, Contract]:
    """Contracts by the path that a dataset gives; each file is judged once, and what is wrong goes to ``problems``."""
    read: dict[str, Contract] = {}
    judged: set[str] = set()
    for dataset in project.datasets.values():
        document = project.contract_of(dataset)
        found = read_contract(document.data, classes)
        findings = _refusals(project, found) if isinstance(found, Contract) else found.findings
        if isinstance(found, Contract) and not findings:
            read[dataset.contract] = found
        if document.file not in judged:
            problems += (project.problem(document.file, f.path, f.code, f.message, f.hint) for f in findings)
            if isinstance(found, Contract):
                warnings += (f"{document.file}: {said}" for said in _warnings(project, found))
        judged.add(document.file)
    return read


def _refusals(project: Project, contract: Contract) -> tuple[Finding, ...]:
    if contract.status.is_unfinished and project.environment.refuses_drafts:
        return (unfinished(contract.status),)
    return ()


def _warnings(project: Project, contract: Contract) -> Iterator[str]:
    for name in contract.not_enforced:
        yield f"{name} is not enforced by this version"
    if contract.status.is_unfinished and not project.environment.refuses_drafts:
        yield f"the contract is of status `{contract.status}`, and may change under what was delivered"
    if contract.status is Status.DEPRECATED:
        end = contract.promises.lifetime.end_of_support
        until = f"supported until {end:%Y-%m-%d}" if end else "it names no `endOfSupport`"
        yield f"the contract is deprecated: {until}"
